"""Many asyncio pipelines at once, as fast as they go: is a packet lost, does memory grow?

Each pipeline gets `--hours` of audio in 20 ms packets (48 kHz mono float32) through AudioResample
to 16 kHz and Gain on engine threads, pushed by one task and pulled by another.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections import deque
from typing import Any

import numpy as np
import remotemedia as rm
from common import Clock, Result, memory_mb, say

RATE, FRAMES, OUT_RATE = 48_000, 960, 16_000
MANIFEST: dict[str, Any] = {
    "version": "v1",
    "placement": "thread",
    "nodes": [
        {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": OUT_RATE}},
        {"id": "gain", "node_type": "Gain", "params": {"gain_db": -6}},
    ],
    "connections": [{"from": "resample", "to": "gain"}],
}

#: Counts of latencies, 2 % a step from 1 us: memory that does not grow.
STEPS, STEP = 1024, math.log(1.02)


class Stream:
    """One pipeline with its two tasks."""

    def __init__(self, packets: int, window: int, until: float) -> None:
        self.packets, self.until = packets, until
        self.pushed = self.pulled = self.frames = 0
        self.next_ns = 0
        self.continuous = True
        self.latencies = [0] * STEPS
        self.longest_us = 0.0
        self._sent: deque[float] = deque()
        self._room = asyncio.Semaphore(window)

    async def run(self, data: Any) -> None:
        """Everything, from open to close."""
        async with rm.AsyncPipeline(MANIFEST) as pipeline, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed(pipeline, data))
            tasks.create_task(self._drain(pipeline))

    async def _feed(self, pipeline: rm.AsyncPipeline, data: Any) -> None:
        while self.pushed < self.packets and time.perf_counter() < self.until:
            await self._room.acquire()
            self._sent.append(time.perf_counter())
            await pipeline.push(data, rate=RATE)
            self.pushed += 1
        pipeline.end()

    async def _drain(self, pipeline: rm.AsyncPipeline) -> None:
        async for packet in pipeline:
            # The first packet of the output comes with the first of the input, and so on; what the
            # filter held comes last, alone.
            if self._sent:
                latency = (time.perf_counter() - self._sent.popleft()) * 1e6
                self.longest_us = max(self.longest_us, latency)
                self.latencies[min(int(math.log(max(latency, 1.0)) / STEP), STEPS - 1)] += 1
                self._room.release()
            # The next packet begins where the last one ended, to the nanosecond.
            self.continuous &= packet.pts_ns == self.frames * 1_000_000_000 // OUT_RATE
            self.frames += packet.frames
            self.pulled += 1

    def is_whole(self) -> bool:
        """Whether as many frames came as went in, in order, and all latencies were seen."""
        expected = self.pushed * FRAMES * OUT_RATE // RATE
        return self.frames == expected and self.continuous and not self._sent


def percentile(counts: Any, share: float) -> float:
    """Latency in microseconds that this share of the packets did not exceed, within 2 %."""
    below = np.cumsum(counts)
    return math.exp((int(np.searchsorted(below, share * below[-1])) + 1) * STEP)


async def watch(streams: list[Stream], memory: list[Result], every: float) -> None:
    """Memory from minute to minute."""
    begin = time.perf_counter()
    while True:
        pulled = sum(stream.pulled for stream in streams)
        seconds = time.perf_counter() - begin
        memory.append({"s": round(seconds), "rss_mb": round(memory_mb(), 1), "packets": pulled})
        say(memory[-1])
        await asyncio.sleep(every)


async def measure(options: argparse.Namespace) -> Result:
    """The whole run."""
    packets = round(options.hours * 3600 * RATE / FRAMES)
    until = time.perf_counter() + options.minutes * 60
    streams = [Stream(packets, options.window, until) for _ in range(options.pipelines)]
    data = np.random.default_rng(1).normal(0, 0.1, FRAMES).astype(np.float32)
    memory: list[Result] = []
    clock = Clock()
    watching = asyncio.create_task(watch(streams, memory, options.every))
    begin = time.perf_counter()
    await asyncio.gather(*(stream.run(data) for stream in streams))
    seconds = time.perf_counter() - begin
    watching.cancel()
    pushed = sum(stream.pushed for stream in streams)
    per_packet = clock.us_per(pushed)
    latencies = np.sum([stream.latencies for stream in streams], axis=0)
    audio = pushed * FRAMES / RATE
    return {
        "ok": all(stream.is_whole() for stream in streams),
        "pipelines": options.pipelines,
        "window": options.window,
        "all_hours_pushed": all(stream.pushed == packets for stream in streams),
        "audio_hours": audio / 3600,
        "packets": pushed,
        "frames_out": sum(stream.frames for stream in streams),
        "seconds": seconds,
        "times_realtime": audio / seconds,
        "packets_per_s": pushed / seconds,
        **per_packet,
        "latency_p50_us": percentile(latencies, 0.5),
        "latency_p99_us": percentile(latencies, 0.99),
        "latency_max_us": max(stream.longest_us for stream in streams),
        "rss_end_mb": memory_mb(),
        "rss_most_mb": memory_mb("VmHWM"),
    }


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=0.02, help="audio per pipeline")
    parser.add_argument("--pipelines", type=int, default=50)
    parser.add_argument("--window", type=int, default=8, help="packets under way per pipeline")
    parser.add_argument("--minutes", type=float, default=60, help="stop pushing after this time")
    parser.add_argument("--every", type=float, default=60, help="seconds between looks at memory")
    options = parser.parse_args()
    result = asyncio.run(measure(options))
    say(result)
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
