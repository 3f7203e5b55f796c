"""What a packet of 20 ms costs through PassThrough: 960 float32 at 48 kHz.

`packet.py` measures each case once, in turn, and prints a line of JSON. `run.py` does rounds.
"""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy as np
import remotemedia as rm
from common import Clock, Result, say

RATE, FRAMES = 48_000, 960
MANIFEST = {"version": "v1", "nodes": [{"id": "pass", "node_type": "PassThrough"}]}
SYNC, ASYNC, PING = 40_000, 20_000, 5_000

DATA = np.arange(FRAMES, dtype=np.float32)


def check(ok: bool, what: str) -> None:
    """Ends the program where an output is wrong."""
    if not ok:
        raise SystemExit(f"{what}: the output is not the input")


def timed(step: Callable[[], Any], count: int) -> Result:
    """Time of a step, after a warm-up."""
    for _ in range(count // 10):
        step()
    clock = Clock()
    for _ in range(count):
        step()
    return clock.us_per(count)


def sync() -> Result:
    """Push and pull in one thread."""
    with rm.Pipeline(MANIFEST) as pipeline:
        push, pull = pipeline.push, pipeline.pull
        push(DATA, rate=RATE)
        check(np.array_equal(np.asarray(pull()), DATA), "sync")

        def step() -> None:
            push(DATA, rate=RATE)
            pull()

        return timed(step, SYNC)


def sync_array() -> Result:
    """The same, and what comes out as an array."""
    with rm.Pipeline(MANIFEST) as pipeline:
        push, pull, asarray = pipeline.push, pipeline.pull, np.asarray

        def step() -> None:
            push(DATA, rate=RATE)
            asarray(pull())

        return timed(step, SYNC)


def sync_packet() -> Result:
    """The same with one packet that is pushed again and again: no copy, no conversion."""
    packet = rm.Packet(DATA, rate=RATE)
    with rm.Pipeline(MANIFEST) as pipeline:
        push, pull = pipeline.push, pipeline.pull

        def step() -> None:
            push(packet)
            pull()

        return timed(step, SYNC)


def ctypes_api() -> Result:
    """The C library through remotemedia.capi."""
    import json

    from remotemedia import capi

    library = capi.load()
    with capi.Pipeline(library, json.dumps(MANIFEST)) as pipeline:
        pipeline.push(capi.Packet.audio(library, DATA, RATE, 1))
        pulled = pipeline.pull().packet
        check(pulled is not None and np.array_equal(np.asarray(pulled.view()), DATA), "ctypes")

        def step() -> None:
            pipeline.push(capi.Packet.audio(library, DATA, RATE, 1))
            found = pipeline.pull().packet
            assert found is not None
            found.release()

        return timed(step, SYNC // 4)


def queue_queue() -> Result:
    """A queue.Queue, which copies nothing."""
    line: queue.Queue[Any] = queue.Queue()
    put, get = line.put, line.get

    def step() -> None:
        put(DATA)
        get()

    return timed(step, SYNC)


def numpy_copy() -> Result:
    """Only the copy."""
    return timed(DATA.copy, SYNC)


async def _timed(step: Callable[[], Awaitable[Any]], count: int) -> Result:
    for _ in range(count // 10):
        await step()
    clock = Clock()
    for _ in range(count):
        await step()
    return clock.us_per(count)


async def one_task() -> Result:
    """`await push; await pull` in one task."""
    async with rm.AsyncPipeline(MANIFEST) as pipeline:
        await pipeline.push(DATA, rate=RATE)
        check(np.array_equal(np.asarray(await pipeline.pull()), DATA), "one task")

        async def step() -> None:
            await pipeline.push(DATA, rate=RATE)
            await pipeline.pull()

        return await _timed(step, ASYNC)


async def asyncio_queue() -> Result:
    """`await put; await get` of an asyncio.Queue in one task."""
    line: asyncio.Queue[Any] = asyncio.Queue()

    async def step() -> None:
        await line.put(DATA)
        await line.get()

    return await _timed(step, ASYNC)


async def _ping(
    there: Callable[[], Awaitable[Any]], take: Callable[[], Awaitable[Any]], count: int
) -> Result:
    """One task sends and waits until the other, which waited for it, says that it has it."""
    answer: asyncio.Queue[Any] = asyncio.Queue()

    async def other() -> None:
        for _ in range(count + count // 10):
            answer.put_nowait(await take())

    async def step() -> None:
        await there()
        if await answer.get() is None:
            raise SystemExit("ping: a packet is lost")

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    result = await _timed(step, count)
    await task
    return result


def ping(placement: str) -> Callable[[], Coroutine[Any, Any, Result]]:
    """A pipeline between two tasks; back through an asyncio.Queue."""

    async def run() -> Result:
        async with rm.AsyncPipeline({**MANIFEST, "placement": placement}) as pipeline:
            return await _ping(lambda: pipeline.push(DATA, rate=RATE), pipeline.pull, PING)

    return run


async def ping_queue() -> Result:
    """An asyncio.Queue in its place."""
    line: asyncio.Queue[Any] = asyncio.Queue()
    return await _ping(lambda: line.put(DATA), line.get, PING)


def cases() -> dict[str, Callable[[], Result]]:
    """All cases by name."""
    found: dict[str, Callable[[], Result]] = {
        "push, pull": sync,
        "push, pull, asarray": sync_array,
        "push, pull of a packet (no copy)": sync_packet,
        "queue.Queue": queue_queue,
        "numpy copy": numpy_copy,
    }
    if os.environ.get("REMOTEMEDIA_LIBRARY"):
        found["ctypes push, pull"] = ctypes_api
    loops: dict[str, Callable[[], Any]] = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    except ImportError:
        pass
    awaited: dict[str, Callable[[], Coroutine[Any, Any, Result]]] = {
        "push, pull, one task": one_task,
        "asyncio.Queue, one task": asyncio_queue,
        "ping, two tasks": ping("inline"),
        "ping, two tasks and a thread": ping("thread"),
        "asyncio.Queue ping, two tasks": ping_queue,
    }
    for loop, factory in loops.items():
        for name, case in awaited.items():

            def run(
                factory: Callable[[], Any] = factory,
                case: Callable[[], Coroutine[Any, Any, Result]] = case,
            ) -> Result:
                with asyncio.Runner(loop_factory=factory) as runner:
                    return runner.run(case())

            found[f"{loop}: {name}"] = run
    return found


if __name__ == "__main__":
    say({name: case() for name, case in cases().items()})
