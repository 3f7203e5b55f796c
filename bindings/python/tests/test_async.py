"""Async pipelines under asyncio, uvloop and trio."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import numpy as np
import pytest
import remotemedia as rm

PASS = {"version": "v1", "nodes": [{"id": "n", "node_type": "PassThrough"}]}
THREAD = {**PASS, "placement": "thread"}
BACKENDS: list[Any] = [
    "asyncio",
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    "trio",
]
#: Seconds after which something hangs.
HANGS = 60


def run(backend: Any, main: Callable[[], Awaitable[None]]) -> None:
    """Runs something on a loop."""
    name, options = backend if isinstance(backend, tuple) else (backend, {})

    async def bounded() -> None:
        with anyio.fail_after(HANGS):
            await main()

    anyio.run(bounded, backend=name, backend_options=options)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("manifest", [PASS, THREAD], ids=["inline", "thread"])
def test_what_one_task_feeds_another_iterates_in_order(backend: Any, manifest: Any) -> None:
    async def main() -> None:
        async with rm.AsyncPipeline(manifest) as pipeline, anyio.create_task_group() as tasks:
            tasks.start_soon(pipeline.feed, [str(n) for n in range(1000)])
            assert [p.text async for p in pipeline] == [str(n) for n in range(1000)]

    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("manifest", [PASS, THREAD], ids=["inline", "thread"])
def test_pulls_and_pushes_that_are_cancelled_lose_nothing(backend: Any, manifest: Any) -> None:
    rng, count = random.Random(7), 400

    async def main() -> None:
        seen: list[str] = []
        async with rm.AsyncPipeline(manifest) as pipeline, anyio.create_task_group() as tasks:

            async def push() -> None:
                for n in range(count):
                    done = False
                    while not done:
                        with anyio.move_on_after(rng.choice([0, 0.0005, 1])):
                            await pipeline.push(str(n))
                            done = True
                pipeline.end()

            async def pull() -> None:
                ended = False
                while not ended:
                    with anyio.move_on_after(rng.choice([0, 0.0005, 1])):
                        packet = await pipeline.pull()
                        # Nothing is awaited between the pull and this.
                        if packet is None:
                            ended = True
                        else:
                            seen.append(packet.text)

            tasks.start_soon(push)
            tasks.start_soon(pull)
        # A push that was cancelled may have pushed nothing, and one that was done is not repeated.
        assert seen == [str(n) for n in range(count)]

    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_timeouts_are_told_and_lose_nothing(backend: Any) -> None:
    async def main() -> None:
        async with rm.AsyncPipeline(THREAD) as pipeline:
            with pytest.raises(rm.PullTimeout):
                await pipeline.pull(timeout=0.01)
            assert await pipeline.pull(timeout=0) is None
            with pytest.raises(rm.BackpressureError):
                for _ in range(100_000):
                    await pipeline.push("x", timeout=0.01)
            pipeline.end()
            count = len([p async for p in pipeline])
            assert count == pipeline.metrics()["node_metrics"][0]["taken"]

    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_tasks_go_on_while_packets_flow(backend: Any) -> None:
    async def main() -> None:
        beats = 0

        async def heart() -> None:
            nonlocal beats
            while True:
                beats += 1
                await anyio.sleep(0)

        async with rm.AsyncPipeline(THREAD) as pipeline, anyio.create_task_group() as tasks:
            tasks.start_soon(heart)
            tasks.start_soon(pipeline.feed, [str(n) for n in range(1000)])
            assert len([p async for p in pipeline]) == 1000
            # It had its turn between packets.
            assert beats > 2
            tasks.cancel_scope.cancel()

    run(backend, main)


class Plain(rm.Node):
    """A plain function, on a thread."""

    def process(self, data: str) -> str:
        assert threading.current_thread() is not threading.main_thread()
        return data + "p"


class Sleeps(rm.Node):
    """Several at a time, which end in another order."""

    max_in_flight = 4

    def __init__(self) -> None:
        super().__init__()
        self.open = self.most = 0

    async def process(self, data: str) -> str:
        assert threading.current_thread() is threading.main_thread()
        self.open += 1
        self.most = max(self.most, self.open)
        await anyio.sleep(0.001 * (int(data[0]) % 3))
        self.open -= 1
        return data


@pytest.mark.parametrize("backend", BACKENDS)
def test_nodes_that_overtake_each_other_keep_the_order(backend: Any) -> None:
    async def main() -> None:
        node = Sleeps()
        async with rm.AsyncPipeline(node, Plain()) as pipeline, anyio.create_task_group() as tasks:
            tasks.start_soon(pipeline.feed, [str(n % 10) for n in range(100)])
            assert [p.text async for p in pipeline] == [f"{n % 10}p" for n in range(100)]
        assert node.most > 1

    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_of_a_node_reaches_who_pulls_with_its_cause(backend: Any) -> None:
    class Fails(rm.Node):
        async def process(self, data: str) -> str:
            raise KeyError(data)

    async def main() -> None:
        pipeline = await rm.AsyncPipeline(Fails()).open()
        await pipeline.push("x")
        with pytest.raises(rm.NodeError) as told:
            await pipeline.pull()
        assert told.value.node == "Fails"
        assert isinstance(told.value.__cause__, KeyError)
        with pytest.raises(rm.NodeError):
            await pipeline.close()

    run(backend, main)


def test_a_node_that_blocks_its_thread_holds_up_neither_the_loop_nor_other_nodes() -> None:
    go = threading.Event()

    class Blocks(rm.Node):
        def process(self, data: str) -> str:
            assert go.wait(HANGS)
            return data

    async def main() -> None:
        async with rm.AsyncPipeline(Blocks()) as slow, rm.AsyncPipeline(Plain()) as quick:
            await slow.push("a")
            await quick.push("b")
            packet = await quick.pull()
            assert packet is not None
            assert packet.text == "bp"
            go.set()
            packet = await slow.pull()
            assert packet is not None
            assert packet.text == "a"

    asyncio.run(main())


def test_a_node_gets_the_whole_stream() -> None:
    class Pairs(rm.Node):
        is_streaming = True

        async def process(self, stream: Any) -> Any:
            before = None
            async for item in stream:
                if before is not None:
                    yield before + item
                before = item
            yield "end"

    async def main() -> None:
        async with rm.AsyncPipeline(Pairs()) as pipeline, asyncio.TaskGroup() as tasks:
            tasks.create_task(pipeline.feed(["a", "b", "c"]))
            assert [p.text async for p in pipeline] == ["ab", "bc", "end"]

    asyncio.run(main())


def test_two_loops_in_two_threads() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        async def main() -> None:
            async with rm.AsyncPipeline(Plain2()) as pipeline, asyncio.TaskGroup() as tasks:
                tasks.create_task(pipeline.feed([str(n) for n in range(200)]))
                assert [p.text async for p in pipeline] == [f"{n}!" for n in range(200)]

        try:
            asyncio.run(main())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS)
    assert not failures


class Plain2(rm.Node):
    """Something plain, wherever."""

    def process(self, data: str) -> str:
        return data + "!"


def test_leaving_early_stops_the_pipeline_and_cleans_up() -> None:
    cleaned: list[str] = []

    class Cleans(rm.Node):
        async def process(self, data: str) -> str:
            await asyncio.sleep(0)
            return data

        async def cleanup(self) -> None:
            cleaned.append("yes")

    pipeline = rm.AsyncPipeline(Cleans())

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with pipeline:
                await pipeline.push("a")
                await pipeline.push("b")
                async for _ in pipeline:
                    raise ZeroDivisionError

    asyncio.run(main())
    assert pipeline.state == "cancelled"
    assert cleaned == ["yes"]


def test_interrupts_leave_nothing_older_to_pull() -> None:
    async def main() -> None:
        async with rm.AsyncPipeline(PASS) as pipeline:
            for n in range(10):
                await pipeline.push(f"old {n}")
            assert pipeline.interrupt() == 1
            await pipeline.push("new")
            packet = await pipeline.pull()
            assert packet is not None
            assert packet.text == "new"

    asyncio.run(main())


def test_fifty_pipelines_on_one_loop() -> None:
    manifest = {
        "version": "v1",
        "placement": "thread",
        "nodes": [{"id": "r", "node_type": "AudioResample", "params": {"target_rate": 16_000}}],
    }
    second = np.zeros(48_000, np.float32)

    async def one() -> int:
        async with rm.AsyncPipeline(manifest) as pipeline, asyncio.TaskGroup() as tasks:
            blocks = (second[n : n + 960] for n in range(0, 48_000, 960))
            tasks.create_task(pipeline.feed(blocks, rate=48_000))
            return sum([p.frames async for p in pipeline])

    async def main() -> None:
        assert await asyncio.gather(*(one() for _ in range(50))) == [16_000] * 50

    asyncio.run(main())


class Counts(rm.AsyncPipeline):
    """Counts how often it waits."""

    waits = 0

    async def _wait(self, deadline: float | None) -> bool:
        self.waits += 1
        return await super()._wait(deadline)


def test_a_pull_that_waits_is_woken_once_and_does_not_turn() -> None:
    async def main() -> None:
        async with Counts(THREAD) as pipeline:
            task = asyncio.create_task(pipeline.pull())
            for _ in range(100):
                await asyncio.sleep(0.001)
            waited = pipeline.waits
            await pipeline.push("x")
            packet = await task
            assert packet is not None
        assert waited <= 2

    asyncio.run(main())
