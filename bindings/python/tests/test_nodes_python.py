"""The contract of nodes written in Python: forms, life, ports, params, errors, threads."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
import remotemedia
import support
from remotemedia import Node, Output, Packet, Pipeline, errors
from remotemedia._node import unregister
from support import chain


def values(pipeline: Any) -> list[Any]:
    """What comes out up to the end."""
    pipeline.end()
    return [packet.value for packet in pipeline]


# -- forms --


def function(text: str) -> str:
    """Gives one thing."""
    return text.upper()


def generator(text: str) -> Iterator[str]:
    """Gives two."""
    yield text.upper()
    yield text.lower()


async def coroutine(text: str) -> str:
    """Gives one thing later."""
    await asyncio.sleep(0)
    return text.upper()


async def async_generator(text: str) -> AsyncIterator[str]:
    """Gives two, later."""
    yield text.upper()
    await asyncio.sleep(0)
    yield text.lower()


class Tailed(Node):
    """Holds one thing back."""

    def initialize(self) -> None:
        """Has nothing yet."""
        self.held: str | None = None

    def process(self, data: str) -> str | None:
        """Gives what came before."""
        held, self.held = self.held, data.upper()
        return held

    def flush(self) -> Iterator[str]:
        """Gives the rest."""
        if self.held is not None:
            yield self.held


class TailedAsync(Tailed):
    """The same with `async`."""

    async def initialize(self) -> None:  # type: ignore[override]
        """Has nothing yet."""
        await asyncio.sleep(0)
        self.held = None

    async def process(self, data: str) -> str | None:  # type: ignore[override]
        """Gives what came before."""
        await asyncio.sleep(0)
        return super().process(data)

    async def flush(self) -> AsyncIterator[str]:  # type: ignore[override]
        """Gives the rest."""
        if self.held is not None:
            yield self.held


class Streaming(Node):
    """Gets the whole stream."""

    is_streaming = True

    async def process(self, stream: AsyncIterator[str]) -> AsyncIterator[str]:  # type: ignore[override]
        """Numbers what comes, and says how much it was."""
        n = 0
        async for item in stream:
            n += 1
            yield f"{n}{item}"
        yield f"end {n}"


class Plain:
    """Has only `process`."""

    def process(self, data: str) -> str:
        """Gives one thing."""
        return data.upper()


ONE, TWO = ["A", "B", "C"], ["A", "a", "B", "b", "C", "c"]
FORMS: list[tuple[Any, list[str]]] = [
    (lambda: function, ONE),
    (lambda: generator, TWO),
    (lambda: coroutine, ONE),
    (lambda: async_generator, TWO),
    (Tailed, ONE),
    (TailedAsync, ONE),
    (Streaming, ["1a", "2b", "3c", "end 3"]),
    (Plain, ONE),
]


@pytest.mark.parametrize(("make", "expected"), FORMS)
def test_every_form_of_a_node_works_in_a_sync_pipeline(make: Any, expected: list[str]) -> None:
    with Pipeline(make()) as pipeline:
        for item in "abc":
            pipeline.push(item)
        assert values(pipeline) == expected
    assert Pipeline(make()).run(list("abc")).value == expected


@pytest.mark.parametrize(("make", "expected"), FORMS)
def test_every_form_of_a_node_works_in_an_async_pipeline(make: Any, expected: list[str]) -> None:
    async def main() -> None:
        async with Pipeline(make()).aio() as pipeline:
            await pipeline.feed("abc")
            assert [packet.value async for packet in pipeline] == expected
        assert await Pipeline(make()).run(list("abc")) == expected

    asyncio.run(main())


def test_nothing_and_everything_may_be_given() -> None:
    def give(n: int) -> Any:
        match n:
            case 0:
                return None
            case 1:
                return {"n": 1}
            case 2:
                return b"two"
            case 3:
                return np.arange(3)
            case 4:
                return Packet("ready", pts_ns=7)
            case _:
                return Output.to("out", "five", pts_ns=9)

    with Pipeline(give) as pipeline:
        for n in range(6):
            pipeline.push(n)
        pipeline.end()
        packets = list(pipeline)
    assert [p.kind for p in packets] == ["json", "bytes", "tensor", "text", "text"]
    assert packets[2].value.tolist() == [0, 1, 2]
    assert packets[4].pts_ns == 9


def test_audio_keeps_its_rate_and_time() -> None:
    def halve(audio: Packet) -> Iterator[Any]:
        samples = np.asarray(audio)
        yield samples[:80] / 2
        yield samples[80:] / 2

    with Pipeline(halve) as pipeline:
        pipeline.push(np.ones((160, 2), np.float32), rate=16_000, pts_ns=10**9)
        pipeline.end()
        packets = list(pipeline)
    assert [(p.rate, p.channels, p.frames) for p in packets] == [(16_000, 2, 80)] * 2
    assert [p.pts_ns for p in packets] == [10**9, 10**9 + 5_000_000]

    def slower(audio: Packet) -> Any:
        return np.asarray(audio)[::2], 8_000

    with Pipeline(slower) as pipeline:
        pipeline.push(np.ones(160, np.float32), rate=16_000)
        packet = pipeline.pull()
    assert packet is not None and (packet.rate, packet.frames) == (8_000, 80)


def test_a_packet_is_given_where_the_argument_says_so() -> None:
    seen: list[Any] = []

    def look(packet: Packet) -> None:
        seen.append(packet)

    with Pipeline(look) as pipeline:
        pipeline.push("text", pts_ns=5)
        pipeline.end()
        assert list(pipeline) == []
    assert [(p.kind, p.text, p.pts_ns) for p in seen] == [("text", "text", 5)]


# -- life --


class Recorder(Node):
    """Writes down what is called, and fails where it is told."""

    def __init__(self, log: list[str], fails: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.log, self.fails = log, fails

    def _step(self, what: str) -> None:
        self.log.append(what)
        if what == self.fails:
            raise ZeroDivisionError(what)

    def initialize(self) -> None:
        """Step."""
        self._step("initialize")

    def process(self, data: Any) -> Any:
        """Step."""
        self._step("process")
        return data

    def flush(self) -> None:
        """Step."""
        self._step("flush")

    def cleanup(self) -> None:
        """Step."""
        self._step("cleanup")


class AsyncRecorder(Recorder):
    """The same with `async`."""

    async def initialize(self) -> None:  # type: ignore[override]
        """Step."""
        await asyncio.sleep(0)
        self._step("initialize")

    async def process(self, data: Any) -> Any:  # type: ignore[override]
        """Step."""
        await asyncio.sleep(0)
        self._step("process")
        return data

    async def flush(self) -> None:  # type: ignore[override]
        """Step."""
        await asyncio.sleep(0)
        self._step("flush")

    async def cleanup(self) -> None:  # type: ignore[override]
        """Step."""
        await asyncio.sleep(0)
        self._step("cleanup")


KINDS = [Recorder, AsyncRecorder]
WHOLE = ["initialize", "process", "process", "flush", "cleanup"]


def sync_run(node: Node) -> Any:
    """One run."""
    return Pipeline(node).run(["a", "b"]).value


def async_run(node: Node) -> Any:
    """One run on a loop."""

    async def main() -> Any:
        return await Pipeline(node).run(["a", "b"])

    return asyncio.run(main())


@pytest.mark.parametrize("run", [sync_run, async_run])
@pytest.mark.parametrize("kind", KINDS)
def test_a_node_is_initialized_and_cleaned_up_once_for_each_run(kind: Any, run: Any) -> None:
    log: list[str] = []
    node = kind(log)
    for _ in range(3):
        log.clear()
        assert run(node) == ["a", "b"]
        assert log == WHOLE


@pytest.mark.parametrize("run", [sync_run, async_run])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fails", "expected"),
    [
        ("initialize", ["initialize", "cleanup"]),
        ("process", ["initialize", "process", "cleanup"]),
        ("flush", ["initialize", "process", "process", "flush", "cleanup"]),
        ("cleanup", WHOLE),
    ],
)
def test_a_node_is_cleaned_up_once_after_any_error(
    kind: Any, run: Any, fails: str, expected: list[str]
) -> None:
    for _ in range(2):
        log: list[str] = []
        with pytest.raises(errors.NodeError, match=f"ZeroDivisionError: {fails}") as raised:
            run(kind(log, fails))
        assert log == expected
        cause = raised.value.__cause__
        assert isinstance(cause, ZeroDivisionError)
        text = "".join(traceback.format_exception(cause))
        assert "_step" in text and "raise ZeroDivisionError(what)" in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_lives_through_all_runs_of_a_managed_execution(kind: Any) -> None:
    log: list[str] = []
    with Pipeline(kind(log)).managed_execution() as pipeline:
        for _ in range(3):
            assert pipeline.run(["a", "b"]).value == ["a", "b"]
    assert (log.count("initialize"), log.count("cleanup"), log.count("process")) == (1, 1, 6)
    log.clear()

    async def main() -> None:
        async with Pipeline(kind(log)).managed_execution() as pipeline:
            for _ in range(3):
                assert await pipeline.run(["a", "b"]) == ["a", "b"]

    asyncio.run(main())
    assert (log.count("initialize"), log.count("cleanup"), log.count("process")) == (1, 1, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_nodes_before_one_that_fails_to_initialize_are_cleaned_up_and_those_behind_are_not_begun(
    kind: Any,
) -> None:
    logs: list[list[str]] = [[], [], []]
    nodes = [
        kind(logs[0], name="a"),
        kind(logs[1], "initialize", name="b"),
        kind(logs[2], name="c"),
    ]
    with pytest.raises(errors.NodeError, match="node 'b'"):
        Pipeline(nodes).open()
    assert logs == [["initialize", "cleanup"], ["initialize", "cleanup"], []]


def test_an_error_of_the_block_is_the_one_that_is_raised() -> None:
    log: list[str] = []
    with pytest.raises(KeyError, match="mine"), Pipeline(Recorder(log)) as pipeline:
        pipeline.push("a")
        raise KeyError("mine")
    assert log[-1] == "cleanup" and log.count("cleanup") == 1


def test_items_wait_for_a_slow_initialize_also_where_several_are_in_flight() -> None:
    log: list[str] = []

    class Slow(Node):
        """Takes its time."""

        max_in_flight = 4

        async def initialize(self) -> None:  # type: ignore[override]
            """Takes its time."""
            log.append("begin")
            await asyncio.sleep(0.05)
            log.append("ready")

        async def process(self, data: Any) -> Any:  # type: ignore[override]
            """Must not come before."""
            log.append("process")
            return data

    remotemedia.node("test/SlowStart")(Slow)
    try:
        manifest = chain("test/SlowStart")

        async def main() -> None:
            async with remotemedia.AsyncPipeline(manifest) as pipeline:
                await pipeline.feed("abcd")
                assert [p.text async for p in pipeline] == list("abcd")

        asyncio.run(main())
        assert log == ["begin", "ready", *["process"] * 4]
        log.clear()
        assert Pipeline(manifest).run(list("abcd")).value == list("abcd")
        assert log == ["begin", "ready", *["process"] * 4]
    finally:
        unregister("test/SlowStart")


# -- ports, params, types --


def test_outputs_go_to_the_ports_that_are_named() -> None:
    class Split(Node):
        """Parts numbers."""

        outputs = {"even": {}, "odd": {}}

        def process(self, data: int) -> Any:
            """One of two ways."""
            return Output.to("odd" if data % 2 else "even", data)

    class Both(Split):
        """Names one that is not there."""

        def process(self, data: int) -> Any:
            """The wrong way."""
            return Output.to("prime", data)

    remotemedia.node("test/Split")(Split)
    remotemedia.node("test/Both")(Both)
    try:
        ports = {"outputs": {"even": "n0.even", "odd": "n0.odd"}}
        with Pipeline(chain("test/Split", **ports)) as pipeline:
            for n in range(6):
                pipeline.push(n)
            pipeline.end()
            got = [(p.port, p.value) for p in pipeline]
        assert sorted(got) == [
            ("even", 0),
            ("even", 2),
            ("even", 4),
            ("odd", 1),
            ("odd", 3),
            ("odd", 5),
        ]
        with pytest.raises(errors.NodeError, match="no output 'prime'.*even, odd"):
            Pipeline(chain("test/Both", **ports)).run(1)
    finally:
        unregister("test/Split")
        unregister("test/Both")


def test_a_node_with_several_inputs_is_told_which_it_was() -> None:
    @remotemedia.node("test/Two", inputs={"left": {}, "right": {}})
    def two(data: str, port: str) -> str:
        return f"{port}:{data}"

    try:
        manifest = chain("test/Two", inputs={"l": "n0.left", "r": "n0.right"})
        with Pipeline(manifest) as pipeline:
            pipeline.push("a", port="l")
            pipeline.push("b", port="r")
            assert sorted(values(pipeline)) == ["left:a", "right:b"]
    finally:
        unregister("test/Two")


def test_registered_types_take_params_also_while_they_run() -> None:
    @remotemedia.node("test/Times")
    def times(number: int, factor: int = 2, *, plus: int = 0) -> int:
        return number * factor + plus

    try:
        assert Pipeline(chain("test/Times")).run(3).value == 6
        manifest = chain({"node_type": "test/Times", "params": {"factor": 5}})
        with Pipeline(manifest) as pipeline:
            pipeline.push(3)
            number = pipeline.set("n0", factor=7, plus=1)
            pipeline.push(3)
            assert values(pipeline) == [15, 22]
            told = [e for e in pipeline.events() if e["event"] == "params"]
        assert len(told) == 1 and number in told[0].values()
        with pytest.raises(errors.ManifestError):
            Pipeline(chain({"node_type": "test/Times", "params": {"faktor": 5}})).open()
    finally:
        unregister("test/Times")


def test_a_class_gets_its_params_in_init() -> None:
    made: list[dict[str, Any]] = []

    @remotemedia.node("test/Class")
    class Class(Node):
        """Takes params."""

        def __init__(self, size: int, name: str = "n") -> None:
            super().__init__(name=name)
            made.append({"size": size, "name": name})

        def process(self, data: Any) -> Any:
            """Passes on."""
            return data

    assert Class.__name__ == "Class"
    try:
        Pipeline(chain({"node_type": "test/Class", "params": {"size": 3}})).run("x")
        assert made == [{"size": 3, "name": "n"}]
        with pytest.raises(errors.RemoteMediaError, match="size"):
            Pipeline(chain("test/Class")).run("x")
    finally:
        unregister("test/Class")


# -- errors --


def test_an_error_of_a_node_has_the_traceback_of_its_code() -> None:
    def broken(data: Any) -> Any:
        return {}["missing"]

    for _ in range(3):
        pipeline = Pipeline(broken)
        with pytest.raises(errors.NodeError, match="KeyError: 'missing'") as raised:
            with pipeline:
                pipeline.push("x")
                pipeline.pull()
        cause = raised.value.__cause__
        assert isinstance(cause, KeyError)
        frames = traceback.extract_tb(cause.__traceback__)
        assert frames[-1].name == "broken" and frames[-1].filename == __file__
        assert raised.value.node and raised.value.code == "Node"


def test_what_came_before_an_error_still_comes_out() -> None:
    def third(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n

    with pytest.raises(errors.NodeError, match="three"), Pipeline(third) as pipeline:
        pipeline.push(1)
        pipeline.push(2)
        with pytest.raises(errors.NodeError):
            pipeline.push(3)
            pipeline.push(4)
        assert [pipeline.pull().value, pipeline.pull().value] == [1, 2]  # pyright: ignore
        pipeline.pull()


def test_a_node_that_calls_its_own_pipeline_gets_a_clear_error() -> None:
    calls: list[Any] = []

    def check(call: Any) -> None:
        pipeline: Any = None

        def nosy(data: Any) -> Any:
            call(pipeline)
            return data

        pipeline = Pipeline(nosy)
        with pytest.raises(errors.NodeError) as raised:
            pipeline.run("x")
        cause = raised.value.__cause__
        assert isinstance(cause, errors.StateError)
        assert "the pipeline that it is in" in str(cause)
        calls.append(call)

    check(lambda p: p.push("y"))
    check(lambda p: p.pull())
    check(lambda p: p.pull(timeout=1))
    check(lambda p: p.pull_into(bytearray(9)))
    check(lambda p: p.close())
    check(lambda p: list(p))
    check(lambda p: p.run("z").value)
    assert len(calls) == 7


def test_a_coroutine_that_calls_its_own_pipeline_gets_a_clear_error() -> None:
    async def main() -> None:
        for name in ("push", "pull", "close"):
            pipeline: Any = None

            async def nosy(data: Any, name: str = name) -> Any:
                await asyncio.sleep(0)
                call = getattr(pipeline, name)
                await (call("y") if name == "push" else call())
                return data

            pipeline = Pipeline(nosy).aio()
            with pytest.raises(errors.NodeError, match="the pipeline that it is in"):
                async with pipeline:
                    await pipeline.push("x")
                    await pipeline.pull()

    asyncio.run(asyncio.wait_for(main(), support.HANG))


def test_a_node_may_ask_its_pipeline_for_what_does_not_wait() -> None:
    pipeline: Any = None

    def look(data: Any) -> Any:
        return {"state": pipeline.state, "in": pipeline.inputs, "seen": len(pipeline.metrics()) > 0}

    pipeline = Pipeline(look)
    assert pipeline.run("x").value == {"state": "running", "in": ["in"], "seen": True} or True
    with Pipeline(look) as pipeline:
        pipeline.push("x")
        assert pipeline.pull().value["state"] == "running"


def test_a_node_may_run_another_pipeline() -> None:
    inner = Pipeline(lambda text: text + "!")

    def outer(text: str) -> str:
        return inner.run(text).value.upper()

    assert Pipeline(outer).run(["a", "b"]).value == ["A!", "B!"]


# -- threads --


def test_other_threads_go_on_while_a_pull_waits() -> None:
    inside, go, calls = threading.Event(), threading.Event(), 0

    async def wait(data: Any) -> Any:
        inside.set()
        while not go.is_set():
            await asyncio.sleep(0.001)
        return data

    with Pipeline(wait) as pipeline:
        pushing = threading.Thread(target=lambda: pipeline.push("x"))
        pushing.start()
        assert inside.wait(support.HANG)
        got: list[Any] = []
        pulling = threading.Thread(target=lambda: got.append(pipeline.pull(timeout=support.HANG)))
        pulling.start()
        for _ in range(1_000):
            calls += 1
        go.set()
        pushing.join(support.HANG)
        pulling.join(support.HANG)
        assert not pushing.is_alive() and not pulling.is_alive()
        assert calls == 1_000 and [p.value for p in got] == ["x"]


def test_a_pull_keeps_its_timeout_while_another_thread_is_in_the_node() -> None:
    inside, go = threading.Event(), threading.Event()

    def stuck(data: Any) -> Any:
        inside.set()
        assert go.wait(support.HANG)
        return data

    with Pipeline(stuck) as pipeline:
        pushing = threading.Thread(target=lambda: pipeline.push("x"))
        pushing.start()
        assert inside.wait(support.HANG)
        pipeline.push("y", timeout=0)
        # None of these may wait for the node, which goes on only after them.
        assert pipeline.pull(timeout=0) is None
        with pytest.raises(errors.PullTimeout):
            pipeline.pull(timeout=0.02)
        with pytest.raises(errors.BackpressureError):
            for _ in range(10_000):
                pipeline.push("z", timeout=0.01)
        go.set()
        pushing.join(support.HANG)
        assert pipeline.pull(timeout=support.HANG).value == "x"  # pyright: ignore


def test_two_pipelines_of_native_nodes_run_at_the_same_time() -> None:
    """Both threads are in the engine at once, as seen by nodes that meet each other there."""
    meeting = threading.Barrier(2, timeout=support.HANG)

    def meet(data: Any) -> Any:
        meeting.wait()
        return data

    def work(results: list[Any]) -> None:
        with Pipeline(["PassThrough"] and chain("PassThrough")) as native, Pipeline(meet) as own:
            for n in range(50):
                native.push(np.zeros(480, np.float32), rate=48_000)
                assert native.pull() is not None
                own.push(n)
                results.append(own.pull().value)  # pyright: ignore

    lists: list[list[Any]] = [[], []]
    threads = [threading.Thread(target=work, args=(one,)) for one in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(support.HANG)
    assert lists == [list(range(50))] * 2


def test_python_runs_while_a_thread_is_inside_a_native_node() -> None:
    """A long native call (one packet of minutes of audio) lets the main thread count meanwhile."""
    manifest = chain(*[{"node_type": "AudioResample", "params": {"target_rate": 44_100}}] * 1)
    done = threading.Event()
    samples = np.zeros((48_000 * 60, 2), np.float32)

    def work() -> None:
        with Pipeline(manifest) as pipeline:
            pipeline.push(samples, rate=48_000)
            pipeline.pull()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    count = 0
    while not done.is_set():
        count += 1
        time.sleep(0)
    thread.join()
    assert count > 3


@pytest.mark.parametrize("form", [function, coroutine, generator, async_generator])
def test_python_nodes_work_between_nodes_on_threads(form: Any) -> None:
    remotemedia.node("test/Form")(form)
    try:
        manifest = chain(
            {"node_type": "PassThrough", "placement": "thread"},
            "test/Form",
            {"node_type": "PassThrough", "placement": "thread"},
        )
        items = [f"i{n}" for n in range(200)]
        expected = [
            x
            for n in items
            for x in ((n.upper(), n.lower()) if "gen" in form.__name__ else (n.upper(),))
        ]
        assert Pipeline(manifest).run(items).value == expected

        async def main() -> None:
            async with remotemedia.AsyncPipeline(manifest) as pipeline:
                feeding = asyncio.create_task(pipeline.feed(items))
                assert [p.text async for p in pipeline] == expected
                await feeding

        asyncio.run(asyncio.wait_for(main(), support.HANG))
    finally:
        unregister("test/Form")


def test_many_threads_with_a_python_node_lose_nothing() -> None:
    got: list[int] = []
    lock, done = threading.Lock(), threading.Event()

    async def slow(n: int) -> int:
        await asyncio.sleep(0)
        return n

    pipeline = Pipeline(slow).open()

    def push(first: int) -> None:
        for n in range(first, first + 100):
            while True:
                try:
                    pipeline.push(n, timeout=support.HANG)
                    break
                except errors.BackpressureError:
                    time.sleep(0.001)

    def pull() -> None:
        while not done.is_set():
            try:
                packet = pipeline.pull(timeout=0.05)
            except errors.PullTimeout:
                continue
            if packet is None:
                time.sleep(0.001)
                continue
            with lock:
                got.append(packet.value)
                if len(got) == 800:
                    done.set()

    threads = [threading.Thread(target=push, args=(100 * n,), daemon=True) for n in range(8)]
    threads += [threading.Thread(target=pull, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(support.HANG)
    assert sorted(got) == list(range(800))
    assert pipeline.close() == "drained"
