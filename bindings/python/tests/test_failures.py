"""What goes wrong in runs, closes and nodes: it is told as it is, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import support
from remotemedia import AsyncPipeline, Node, Pipeline, _native, errors
from support import PASS, THREADED


class Echo(Node):
    """Gives what it gets, and says what is done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def initialize(self) -> None:
        self.log.append("initialize")

    def process(self, data: Any) -> Any:
        return data

    def cleanup(self) -> None:
        self.log.append("cleanup")


class Later(Echo):
    """The same, as a coroutine."""

    async def process(self, data: Any) -> Any:
        await asyncio.sleep(0)
        return data


class Held(Echo):
    """Holds what it gets until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.go = threading.Event(), threading.Event()

    def process(self, data: Any) -> Any:
        self.inside.set()
        assert self.go.wait(support.HANG)
        return data


class Unusual(BaseException):
    """No Exception."""


# -- runs --


def test_a_second_run_at_the_same_time_is_refused_and_the_first_ends_right() -> None:
    node, values = Held(), list[Any]()
    pipeline = Pipeline(node)
    thread = threading.Thread(target=lambda: values.append(pipeline.run("a").value))
    thread.start()
    assert node.inside.wait(support.HANG)
    with pytest.raises(errors.StateError, match="a run of this pipeline is under way"):
        pipeline.run("b")
    node.go.set()
    thread.join(support.HANG)
    assert values == ["a"]
    assert pipeline.run("c").value == "c"


def test_a_second_task_that_runs_the_pipeline_is_refused() -> None:
    async def main() -> None:
        pipeline = Pipeline(Later())
        done = await asyncio.gather(
            pipeline.run(["a", "b"]), pipeline.run(["c"]), return_exceptions=True
        )
        assert done[0] == ["a", "b"]
        assert isinstance(done[1], errors.StateError)

    asyncio.run(main())


def test_a_managed_run_that_fails_leaves_nothing_to_the_next() -> None:
    def first(data: str) -> Iterator[str]:
        yield data + "1"
        if data == "bad":
            raise KeyError(data)
        yield data + "2"

    with Pipeline(first).managed_execution() as pipeline:
        assert pipeline.run("a").value == ["a1", "a2"]
        with pytest.raises(errors.NodeError):
            pipeline.run(["good", "bad", "never"])
        assert pipeline.run("b").value == ["b1", "b2"]

    async def main() -> None:
        async with Pipeline(first).managed_execution() as pipeline:
            with pytest.raises(errors.NodeError):
                await pipeline.run(["good", "bad", "never"])
            assert await pipeline.run("b") == ["b1", "b2"]

    asyncio.run(main())


def test_nodes_that_were_opened_without_a_loop_go_on_on_one() -> None:
    node = Later()
    pipeline = Pipeline(node).open()
    assert node.log == ["initialize"]

    async def main() -> None:
        assert await pipeline.run(["a", "b"]) == ["a", "b"]

    asyncio.run(main())
    assert node.log == ["initialize", "cleanup"]


def test_a_streaming_node_that_returns_early_has_ended_its_output() -> None:
    class First(Node):
        is_streaming = True

        async def process(self, stream: AsyncIterator[str]) -> AsyncIterator[str]:  # type: ignore[override]
            async for item in stream:
                yield item
                return

    with Pipeline(First()).managed_execution() as pipeline:
        assert pipeline.run(["a", "b", "c"]).value == "a"
        # Another run is another stream.
        assert pipeline.run(["d", "e"]).value == "d"


# -- what nodes raise --


@pytest.mark.parametrize("error", [Unusual("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_is_no_exception_ends_the_call_as_it_is(error: BaseException) -> None:
    class Raises(Echo):
        def process(self, data: Any) -> Any:
            raise error

    class RaisesLater(Echo):
        async def process(self, data: Any) -> Any:
            await asyncio.sleep(0)
            raise error

    for made in (Raises, RaisesLater):
        node = made()
        pipeline = Pipeline(node)
        with pytest.raises(type(error)):
            pipeline.run("x")
        pipeline.cancel()
        pipeline.close()
        assert node.log == ["initialize", "cleanup"], made


def test_errors_have_the_cause_that_is_theirs() -> None:
    def node(data: str) -> str:
        raise ValueError(data)

    for text in ("bad", "bad luck", "ba"):
        with pytest.raises(errors.NodeError) as told:
            Pipeline(node).run(text)
        assert isinstance(told.value.__cause__, ValueError)
        assert told.value.__cause__.args == (text,)


def test_a_cleanup_that_fails_does_not_hide_why_the_run_has_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Bad(Echo):
        def process(self, data: Any) -> Any:
            if data == "bad":
                raise ValueError("the run")
            return data

        def cleanup(self) -> None:
            super().cleanup()
            raise OSError("the cleanup")

    nodes = (Echo(), Bad(), Echo())
    with caplog.at_level(logging.WARNING, "remotemedia"):
        with pytest.raises(errors.NodeError, match="the run"):
            Pipeline(*nodes).run("bad")
    assert "the cleanup" in caplog.text
    with pytest.raises(errors.NodeError, match="the cleanup"):
        Pipeline(*nodes).run("good")
    assert [node.log for node in nodes] == [["initialize", "cleanup"] * 2] * 3


# -- closes --


def test_a_close_that_is_cancelled_is_over_and_closing_again_does_not_wait() -> None:
    node = Held()

    async def main() -> None:
        pipeline = AsyncPipeline(node)
        await pipeline.push("x")
        while not node.inside.is_set():
            await asyncio.sleep(0.001)
        close = asyncio.create_task(pipeline.close())
        await asyncio.sleep(0)
        close.cancel()
        # No node is cleaned up while it is at work.
        await asyncio.sleep(0.01)
        assert node.log == ["initialize"]
        node.go.set()
        with pytest.raises(asyncio.CancelledError):
            await close
        assert node.log == ["initialize", "cleanup"]
        assert await asyncio.wait_for(pipeline.close(), support.HANG) == "cut"

    asyncio.run(main())
    assert node.log == ["initialize", "cleanup"]


@pytest.mark.parametrize("timeout", [float("nan"), -float("nan")])
def test_a_timeout_that_is_no_number_is_refused(timeout: float) -> None:
    with Pipeline(PASS) as pipeline:
        for call in (
            lambda: pipeline.push("x", timeout=timeout),
            lambda: pipeline.pull(timeout=timeout),
            lambda: pipeline.close(timeout=timeout),
            lambda: _native.Engine().next_job(timeout),
        ):
            with pytest.raises(ValueError, match="not a number"):
                call()

    async def main() -> None:
        async with AsyncPipeline(THREADED) as pipeline:
            for call in (
                lambda: pipeline.push("x", timeout=timeout),
                lambda: pipeline.pull(timeout=timeout),
            ):
                with pytest.raises(ValueError, match="not a number"):
                    await call()

    asyncio.run(main())


def test_negative_timeouts_do_not_wait() -> None:
    with Pipeline(PASS) as pipeline:
        assert pipeline.pull(timeout=-1) is None
        pipeline.push("x", timeout=-1)
        assert pipeline.close(timeout=-1) in ("drained", "cut")


# -- nodes and pipelines --


def test_a_node_is_at_work_in_one_pipeline_at_a_time() -> None:
    node = Echo()
    first, second = Pipeline(node).open(), Pipeline(node)
    with pytest.raises(errors.StateError, match="the node 'Echo' is at work in another pipeline"):
        second.run("x")
    first.close()
    assert second.run("x").value == "x"
    assert node.log == ["initialize", "cleanup"] * 2
    forgotten = Pipeline(node).open()
    del forgotten
    gc.collect()
    assert Pipeline(node).run("y").value == "y"


def test_a_pipeline_without_inputs_says_so() -> None:
    path = str(Path(__file__).resolve().parents[3] / "media" / "speech.mp3")
    reader = {"id": "read", "node_type": "MediaReader", "params": {"path": path}}
    with Pipeline({"version": "v1", "nodes": [reader]}) as pipeline:
        with pytest.raises(errors.RemoteMediaError, match="has no input") as told:
            pipeline.push("x")
        assert told.value.hint == "pull from it, or run it"


@pytest.mark.parametrize("on_thread", [False, True])
def test_an_async_pipeline_that_is_forgotten_while_its_loop_runs_is_gone(on_thread: bool) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def main() -> None:
        before, open_before = support.live(), descriptors()
        for make in (
            lambda: AsyncPipeline(THREADED),
            lambda: AsyncPipeline(Later()),
            lambda: AsyncPipeline(Echo()),
        ):
            pipeline = make()
            if pipeline.nodes:
                pipeline.nodes[0].pipeline = pipeline  # type: ignore[attr-defined]
            await pipeline.push("x")
            packet = await pipeline.pull()
            assert packet is not None
            gone, held = weakref.ref(pipeline), [pipeline]
            del pipeline, packet

            def forget(held: list[Any] = held) -> None:
                held.clear()
                gc.collect()

            if on_thread:
                await asyncio.to_thread(forget)
            else:
                forget()
            assert gone() is None
            # What other threads left to the loop.
            for _ in range(1000):
                if descriptors() <= open_before + 1 and support.live() == before:
                    break
                await asyncio.sleep(0.001)
        assert support.live() == before
        # A thread pool of the test's own may have some.
        assert descriptors() <= open_before + 1

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system has no /proc")
    asyncio.run(main())


# -- data --


def test_an_array_larger_than_memory_is_an_error_and_the_pipeline_goes_on() -> None:
    huge = np.broadcast_to(np.float32(0), (1 << 44,))
    with Pipeline(PASS) as pipeline:
        with pytest.raises((MemoryError, errors.RemoteMediaError)):
            pipeline.push(huge, rate=48_000)
        pipeline.push("x")
        packet = pipeline.pull()
        assert packet is not None
        assert packet.text == "x"


def test_a_warning_names_the_line_of_the_caller() -> None:
    samples = np.zeros(480, np.float32)
    manifest = support.chain({"node_type": "Gain"})
    with Pipeline(manifest) as pipeline, pytest.warns(errors.RateAssumedWarning) as told:
        pipeline.push(samples)
    assert told[0].filename == __file__
    with pytest.warns(errors.RateAssumedWarning) as told:
        Pipeline(manifest).run(samples)
    assert told[0].filename == __file__

    async def main() -> None:
        await Pipeline(manifest).run(samples)

    with pytest.warns(errors.RateAssumedWarning) as told:
        asyncio.run(main())
    assert told[0].filename == __file__
