"""One voice job: 48 kHz stereo float32 in 20 ms packets -> mono -> 16 kHz -> VAD -> int16.

`voice.py prepare INPUT` writes the input; `voice.py SIDE INPUT OUTPUT LOOPS` does the job in this
process, INPUT repeated LOOPS times, and prints a line of JSON. `run.py` does all sides in rounds
and checks what came out. What a side needs is imported in it, so that its memory is its own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import MEDIA, Clock, Result, memory_mb, say

RATE, OUT_RATE, FRAMES, CHANNELS = 48_000, 16_000, 960, 2
PACKET = FRAMES * CHANNELS * 4


def prepare(path: Path) -> None:
    """Speech with pauses, guitar in stereo, tabla, silence: about half a minute."""
    import numpy as np
    import soundfile
    import soxr

    speech, rate = soundfile.read(MEDIA / "speech.flac", dtype="float32")
    speech = soxr.resample(speech, rate, RATE, "VHQ")
    guitar, _ = soundfile.read(MEDIA / "music-48k-stereo-f32.wav", dtype="float32")
    tabla, _ = soundfile.read(MEDIA / "tabla-48k-24bit.flac", dtype="float32")
    sides = np.array([1.0, 0.6], np.float32)
    parts = [speech[:, None] * sides, guitar, tabla[:, None] * sides[::-1]]
    silence = RATE - sum(map(len, parts)) % FRAMES
    parts.append(np.zeros((silence + RATE % FRAMES, CHANNELS), np.float32))
    whole = np.concatenate(parts)
    whole[: len(whole) // FRAMES * FRAMES].astype("<f4").tofile(path)


def reference(path: Path, loops: int) -> Any:
    """What it should be: the whole at once, in float32, by soxr VHQ."""
    import numpy as np
    import soxr

    stereo = np.fromfile(path, "<f4").reshape(-1, CHANNELS)
    mono = np.tile(stereo.mean(axis=1, dtype=np.float32), loops)
    return soxr.resample(mono, RATE, OUT_RATE, "VHQ")


class Job:
    """Input and output of a side."""

    def __init__(self, source: Path, loops: int) -> None:
        self.data = source.read_bytes()
        self.count = len(self.data) // PACKET
        self.loops = loops
        self.out: list[bytes] = []
        #: For each decision whether it was speech; or the share outright.
        self.decisions: list[bool] = []
        self.share: float | None = None
        #: How many pieces of output were there after each push.
        self.marks: list[int] = []

    def arrays(self) -> list[Any]:
        """The packets of one loop as arrays."""
        import numpy as np

        whole = np.frombuffer(self.data, np.float32).reshape(self.count, FRAMES, CHANNELS)
        return list(whole)

    def held_ms(self) -> float | None:
        """How much audio was held back after a push, at most."""
        if not self.marks:
            return None
        ends = [0, *itertools.accumulate(len(data) // 2 for data in self.out)]
        ms = 1000 / OUT_RATE
        return max(
            (i + 1) * FRAMES / RATE * 1000 - ends[mark] * ms for i, mark in enumerate(self.marks)
        )

    def result(self, times: Result, before: float) -> Result:
        """What is told."""
        share = self.share
        if self.decisions:
            share = sum(self.decisions) / len(self.decisions)
        return {
            **times,
            "rss_before_mb": before,
            "rss_most_mb": memory_mb("VmHWM"),
            "out_mb": sum(map(len, self.out)) / 2**20,
            "held_ms": self.held_ms(),
            "decisions": len(self.decisions),
            "speech_share": share,
        }


def manifest(engine: str | None, latency: str = "offline") -> dict[str, Any]:
    """Our pipeline, with a VAD or without. `latency`: "offline" may hold 60 ms back, as soxr does;
    "auto" 5 ms."""
    nodes: list[dict[str, Any]] = [
        {"id": "mono", "node_type": "ChannelMixer", "params": {"channels": 1}},
        {
            "id": "resample",
            "node_type": "AudioResample",
            "params": {"target_rate": OUT_RATE, "quality": "high", "latency": latency},
        },
        {"id": "convert", "node_type": "FormatConverter", "params": {"format": "i16"}},
    ]
    outputs = {"audio": "convert.out"}
    if engine is not None:
        nodes.insert(2, {"id": "vad", "node_type": "VAD", "params": {"engine": engine}})
        outputs["vad"] = "vad.vad"
    chain = [node["id"] for node in nodes]
    links = [{"from": a, "to": b} for a, b in itertools.pairwise(chain)]
    return {"version": "v1", "nodes": nodes, "connections": links, "outputs": outputs}


def ours(engine: str | None, latency: str = "offline") -> Callable[[Job], Result]:
    """Our pipeline."""

    def run(job: Job) -> Result:
        import remotemedia as rm

        packets, before = job.arrays(), memory_mb()
        with rm.Pipeline(manifest(engine, latency)) as pipeline:

            def take() -> None:
                for packet in pipeline:
                    if packet.kind == "audio":
                        job.out.append(packet.tobytes())
                    else:
                        job.decisions.append(packet.json()["has_speech"])

            clock = Clock()
            for _ in range(job.loops):
                for data in packets:
                    pipeline.push(data, rate=RATE)
                    take()
                    job.marks.append(len(job.out))
            pipeline.end()
            take()
            times = clock.us_per(job.count * job.loops)
        return job.result(times, before)

    return run


def ours_asyncio(engine: str) -> Callable[[Job], Result]:
    """Our pipeline in asyncio: one task pushes, another one pulls."""

    async def work(job: Job) -> Result:
        import remotemedia as rm

        packets, before = job.arrays(), memory_mb()
        async with rm.AsyncPipeline(manifest(engine)) as pipeline:

            async def feed() -> None:
                for _ in range(job.loops):
                    for data in packets:
                        await pipeline.push(data, rate=RATE)
                        # Lets the other task have it at once.
                        await asyncio.sleep(0)
                pipeline.end()

            clock = Clock()
            task = asyncio.create_task(feed())
            async for packet in pipeline:
                if packet.kind == "audio":
                    job.out.append(packet.tobytes())
                else:
                    job.decisions.append(packet.json()["has_speech"])
            await task
            times = clock.us_per(job.count * job.loops)
        return job.result(times, before)

    return lambda job: asyncio.run(work(job))


def numpy_soxr(quality: str) -> Callable[[Job], Result]:
    """NumPy, soxr and webrtcvad, each called per packet."""

    def run(job: Job) -> Result:
        import numpy as np
        import soxr
        import webrtcvad

        packets, before = job.arrays(), memory_mb()
        stream = soxr.ResampleStream(RATE, OUT_RATE, 1, dtype="float32", quality=quality)
        vad = webrtcvad.Vad(2)
        frame, held = OUT_RATE // 50 * 2, b""
        half, scale = np.float32(0.5), np.float32(32768)

        def take(mono: Any, last: bool) -> None:
            nonlocal held
            samples = np.rint(stream.resample_chunk(mono, last=last) * scale)
            data = samples.clip(-32768, 32767).astype(np.int16).tobytes()
            job.out.append(data)
            held += data
            while len(held) >= frame:
                job.decisions.append(vad.is_speech(held[:frame], OUT_RATE))
                held = held[frame:]

        clock = Clock()
        for _ in range(job.loops):
            for data in packets:
                take((data[:, 0] + data[:, 1]) * half, False)
                job.marks.append(len(job.out))
        take(np.zeros(0, np.float32), True)
        return job.result(clock.us_per(job.count * job.loops), before)

    return run


def pyav(job: Job) -> Result:
    """PyAV's AudioResampler (a graph of libavfilter, with libswresample). It has no VAD."""
    import av

    packets, before = [data.reshape(1, -1) for data in job.arrays()], memory_mb()
    resampler = av.AudioResampler("s16", "mono", OUT_RATE)
    at = 0

    def take(frame: Any) -> None:
        for out in resampler.resample(frame):
            job.out.append(out.to_ndarray().tobytes())

    clock = Clock()
    for _ in range(job.loops):
        for data in packets:
            frame = av.AudioFrame.from_ndarray(data, "flt", "stereo")
            frame.sample_rate, frame.pts = RATE, at
            at += FRAMES
            take(frame)
            job.marks.append(len(job.out))
    take(None)
    return job.result(clock.us_per(job.count * job.loops), before)


def gstreamer(job: Job) -> Result:
    """GStreamer through python-gi. No VAD: nothing in plugins-base is one."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstApp", "1.0")
    from gi.repository import Gst, GstApp  # noqa: F401  (GstApp gives appsrc its methods)

    Gst.init(None)
    form = "layout=interleaved"
    pipeline = Gst.parse_launch(
        f"appsrc name=in format=time block=true max-bytes={64 * PACKET} "
        f"caps=audio/x-raw,format=F32LE,rate={RATE},channels={CHANNELS},{form},"
        "channel-mask=(bitmask)3 ! "
        f"audioconvert ! audio/x-raw,format=F32LE,channels=1,{form} ! "
        f"audioresample ! audio/x-raw,rate={OUT_RATE} ! audioconvert dithering=none ! "
        f"audio/x-raw,format=S16LE,{form} ! appsink name=out sync=false"
    )
    source, sink = pipeline.get_by_name("in"), pipeline.get_by_name("out")
    packets = [job.data[i * PACKET : (i + 1) * PACKET] for i in range(job.count)]
    before, at = memory_mb(), 0
    step = Gst.SECOND * FRAMES // RATE
    pipeline.set_state(Gst.State.PLAYING)

    def take(timeout: int) -> bool:
        sample = sink.try_pull_sample(timeout)
        if sample is None:
            return False
        buffer = sample.get_buffer()
        job.out.append(buffer.extract_dup(0, buffer.get_size()))
        return True

    clock = Clock()
    for _ in range(job.loops):
        for data in packets:
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.pts, buffer.duration = at, step
            at += step
            source.push_buffer(buffer)
            while take(0):
                pass
    source.end_of_stream()
    while take(5 * Gst.SECOND):
        pass
    times = clock.us_per(job.count * job.loops)
    pipeline.set_state(Gst.State.NULL)
    return job.result(times, before)


def pipecat(job: Job) -> Result:
    """Pipecat: processors with its own stream resampler (soxr VHQ) and Silero VAD, whose model
    comes with the package. Its audio is int16, so the mix converts first."""
    import os

    os.environ.setdefault("LOGURU_LEVEL", "ERROR")
    import numpy as np
    from loguru import logger

    logger.remove()
    from pipecat.audio.utils import create_stream_resampler
    from pipecat.audio.vad.silero import SileroVADAnalyzer
    from pipecat.frames.frames import (
        EndFrame,
        InputAudioRawFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineParams, PipelineWorker
    from pipecat.processors.audio.vad_processor import VADProcessor
    from pipecat.processors.frame_processor import FrameProcessor
    from pipecat.workers.runner import WorkerRunner

    packets, before = job.arrays(), memory_mb()
    scale = np.float32(16384)
    window = asyncio.Semaphore(16)

    class MixAndResample(FrameProcessor):
        """Stereo float32 to mono int16 at 16 kHz."""

        def __init__(self) -> None:
            super().__init__()
            self._resampler = create_stream_resampler(clear_after_secs=None)

        async def process_frame(self, frame: Any, direction: Any) -> None:
            await super().process_frame(frame, direction)
            if isinstance(frame, InputAudioRawFrame):
                data = np.frombuffer(frame.audio, np.float32).reshape(-1, CHANNELS)
                mono = np.rint((data[:, 0] + data[:, 1]) * scale).clip(-32768, 32767)
                audio = await self._resampler.resample(
                    mono.astype(np.int16).tobytes(), RATE, OUT_RATE
                )
                window.release()
                if not audio:
                    return
                frame = InputAudioRawFrame(audio, OUT_RATE, 1)
            elif isinstance(frame, EndFrame):
                tail = await self._resampler.flush()
                if tail:
                    await self.push_frame(InputAudioRawFrame(tail, OUT_RATE, 1), direction)
            await self.push_frame(frame, direction)

    class Sink(FrameProcessor):
        """Keeps what comes."""

        frames, speech, since = 0, 0, -1

        async def process_frame(self, frame: Any, direction: Any) -> None:
            await super().process_frame(frame, direction)
            if isinstance(frame, InputAudioRawFrame):
                job.out.append(frame.audio)
                self.frames += frame.num_frames
            elif isinstance(frame, VADUserStartedSpeakingFrame):
                self.since = self.frames
            elif isinstance(frame, VADUserStoppedSpeakingFrame) and self.since >= 0:
                self.speech += self.frames - self.since
                self.since = -1
            await self.push_frame(frame, direction)

    async def work() -> Result:
        sink = Sink()
        line = Pipeline([MixAndResample(), VADProcessor(vad_analyzer=SileroVADAnalyzer()), sink])
        worker = PipelineWorker(
            line,
            cancel_on_idle_timeout=False,
            enable_rtvi=False,
            params=PipelineParams(audio_in_sample_rate=OUT_RATE),
        )
        started = asyncio.Event()

        @worker.event_handler("on_pipeline_started")
        async def on_started(_worker: Any, _frame: Any) -> None:
            started.set()

        async def feed() -> Result:
            await started.wait()
            clock = Clock()
            for _ in range(job.loops):
                for data in packets:
                    await window.acquire()
                    await worker.queue_frame(InputAudioRawFrame(data.tobytes(), RATE, CHANNELS))
            # Audio frames have priority over EndFrame, but all of them shall be through the mix.
            for _ in range(16):
                await window.acquire()
            await worker.queue_frame(EndFrame())
            await done
            return clock.us_per(job.count * job.loops)

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        done = asyncio.ensure_future(runner.run())
        times = await feed()
        if sink.since >= 0:
            sink.speech += sink.frames - sink.since
        job.share = sink.speech / max(sink.frames, 1)
        return job.result(times, before)

    return asyncio.run(work())


#: Groups of sides that do the same; ratios are to the first.
GROUPS: list[dict[str, Callable[[Job], Result]]] = [
    {
        "ours": ours("energy"),
        "ours, 5 ms": ours("energy", "auto"),
        "ours, asyncio": ours_asyncio("energy"),
        "NumPy + soxr HQ + webrtcvad": numpy_soxr("HQ"),
    },
    {
        "ours, neural VAD": ours("neural"),
        "ours, neural VAD, asyncio": ours_asyncio("neural"),
        "Pipecat (soxr VHQ, Silero)": pipecat,
    },
    {
        "ours, no VAD": ours(None),
        "ours, no VAD, 5 ms": ours(None, "auto"),
        "PyAV, no VAD": pyav,
        "GStreamer, no VAD": gstreamer,
    },
]
SIDES = {name: side for group in GROUPS for name, side in group.items()}


def main(args: list[str]) -> int:
    """The program."""
    match args:
        case ["prepare", path]:
            prepare(Path(path))
        case [side, source, target, loops]:
            job = Job(Path(source), int(loops))
            result = SIDES[side](job)
            Path(target).write_bytes(b"".join(job.out))
            say(result)
        case _:
            print(__doc__, json.dumps(list(SIDES)), file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
