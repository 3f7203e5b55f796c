"""Nodes written in Python: what they may be, what they get, what they give, how they live."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
import remotemedia as rm
from remotemedia import _node


def one(text: str) -> str:
    return text + "1"


def many(text: str) -> Iterator[str]:
    yield text + "1"
    yield text + "2"


async def one_later(text: str) -> str:
    await asyncio.sleep(0)
    return text + "1"


async def many_later(text: str) -> AsyncIterator[str]:
    yield text + "1"
    await asyncio.sleep(0)
    yield text + "2"


FORMS = {"function": one, "generator": many, "coroutine": one_later, "async generator": many_later}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["sync", "async", "awaited run"])
def test_a_node_may_be_a(form: str, way: str) -> None:
    wanted = ["a1", "b1"] if "generator" not in form else ["a1", "a2", "b1", "b2"]
    pipeline = rm.Pipeline(FORMS[form])
    if way == "sync":
        assert pipeline.run(["a", "b"]).value == wanted
    elif way == "async":
        assert asyncio.run(feed(pipeline.aio(), ["a", "b"])) == wanted
    else:

        async def main() -> Any:
            return await pipeline.run(["a", "b"])

        assert asyncio.run(main()) == wanted


async def feed(pipeline: rm.AsyncPipeline, items: list[str]) -> list[str]:
    async with pipeline, asyncio.TaskGroup() as tasks:
        tasks.create_task(pipeline.feed(items))
        return [packet.text async for packet in pipeline]


class Lives(rm.Node):
    """Writes down what is done with it."""

    def __init__(self, *, fails: str = "") -> None:
        super().__init__()
        self.seen: list[str] = []
        self.fails = fails
        self.held = ""

    def _at(self, what: str) -> None:
        self.seen.append(what)
        if what == self.fails:
            raise OSError(f"{what} is broken")

    def initialize(self) -> None:
        self._at("initialize")

    def process(self, text: str) -> None:
        self._at("process")
        self.held += text

    def flush(self) -> str:
        self._at("flush")
        return self.held

    def cleanup(self) -> None:
        self._at("cleanup")


class LivesLater(Lives):
    """The same with coroutines."""

    async def initialize(self) -> None:
        await super_later()
        self._at("initialize")

    async def process(self, text: str) -> None:
        await asyncio.sleep(0)
        self._at("process")
        self.held += text

    async def flush(self) -> str:
        self._at("flush")
        return self.held

    async def cleanup(self) -> None:
        self._at("cleanup")


async def super_later() -> None:
    # What the seeds' nodes write: the base class can be awaited.
    await rm.Node.initialize(Lives())


@pytest.mark.parametrize("kind", [Lives, LivesLater])
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_node_is_initialized_and_cleaned_up_once_a_run(kind: type[Lives], way: str) -> None:
    node = kind()
    if way == "sync":
        assert rm.Pipeline(node).run(["a", "b"]).value == "ab"
    else:
        assert asyncio.run(feed(rm.AsyncPipeline(node), ["a", "b"])) == ["ab"]
    assert node.seen == ["initialize", "process", "process", "flush", "cleanup"]


@pytest.mark.parametrize("kind", [Lives, LivesLater])
def test_in_managed_execution_it_lives_over_all_runs(kind: type[Lives]) -> None:
    node = kind()
    with rm.Pipeline(node).managed_execution() as pipeline:
        pipeline.run("a")
        pipeline.run("b")
    assert [*node.seen].count("initialize") == 1
    assert node.seen[-1] == "cleanup"
    assert node.seen.count("cleanup") == 1

    async def main() -> None:
        async with rm.Pipeline(other).managed_execution() as pipeline:
            assert await pipeline.run("a") == "a"
            await pipeline.run("b")

    other = kind()
    asyncio.run(main())
    assert (other.seen.count("initialize"), other.seen.count("cleanup")) == (1, 1)


@pytest.mark.parametrize("fails", ["initialize", "process", "flush", "cleanup"])
@pytest.mark.parametrize("kind", [Lives, LivesLater])
def test_a_failure_is_told_with_its_cause_and_the_node_is_cleaned_up(
    kind: type[Lives], fails: str
) -> None:
    node = kind(fails=fails)
    with pytest.raises(rm.NodeError, match=f"{fails} is broken") as told:
        rm.Pipeline(node).run(["a", "b"])
    assert isinstance(told.value.__cause__, OSError)
    # The traceback leads to the line of the node.
    lines = "".join(traceback.format_exception(told.value))
    assert "self._at(" in lines
    assert node.seen.count("cleanup") == 1


def test_what_it_gets_is_what_the_packet_holds() -> None:
    got: list[Any] = []

    def note(data: Any) -> None:
        got.append(data)

    tensor = np.arange(6).reshape(2, 3)
    pipeline = rm.Pipeline(note)
    with pipeline:
        for each in ("text", {"a": 1}, b"bytes", tensor):
            pipeline.push(each)
        pipeline.push(np.zeros((4, 2), np.float32), rate=8_000, pts_ns=7)
    assert got[:3] == ["text", {"a": 1}, b"bytes"]
    np.testing.assert_array_equal(got[3], tensor)
    assert (got[4].rate, got[4].channels, got[4].frames, got[4].pts_ns) == (8_000, 2, 4, 7)


def test_audio_that_it_gives_has_the_rate_and_time_of_what_it_got() -> None:
    def halves(packet: rm.Packet) -> Any:
        samples = np.asarray(packet)
        yield samples[:5]
        yield samples[5:]

    def other_rate(packet: rm.Packet) -> Any:
        return np.asarray(packet)[::2], packet.rate // 2

    with rm.Pipeline(halves) as pipeline:
        pipeline.push(np.zeros(10, np.float32), rate=1_000, pts_ns=3_000_000)
        assert [(p.rate, p.pts_ns) for p in pipeline] == [(1_000, 3_000_000), (1_000, 8_000_000)]
    with rm.Pipeline(other_rate) as pipeline:
        pipeline.push(np.zeros(10, np.float32), rate=1_000)
        (packet,) = pipeline
        assert (packet.rate, packet.frames) == (500, 5)


def test_outputs_by_name() -> None:
    class Splits(rm.Node):
        outputs: ClassVar = {"out": {}, "levels": {}}

        def process(self, data: Any) -> Any:
            yield data
            yield rm.Output.to("levels", {"level": len(data)})

    class Lost(rm.Node):
        def process(self, data: Any) -> Any:
            return rm.Output.to("nowhere", data)

    rm.node("test/Splits")(Splits)
    try:
        manifest = {
            "version": "v1",
            "nodes": [{"id": "s", "node_type": "test/Splits"}],
            "outputs": {"text": "s.out", "levels": "s.levels"},
        }
        assert rm.Pipeline(manifest).run("abc").value == {"text": "abc", "levels": {"level": 3}}
    finally:
        _node.unregister("test/Splits")
    with pytest.raises(rm.NodeError, match="there is no output 'nowhere'; the node declares out"):
        rm.Pipeline(Lost()).run("x")


def test_several_inputs() -> None:
    @rm.node("test/Names", inputs={"a": {}, "b": {}})
    def names(data: str, port: str) -> str:
        return f"{port}:{data}"

    manifest = {
        "version": "v1",
        "nodes": [{"id": "n", "node_type": "test/Names"}],
        "inputs": {"left": "n.a", "right": "n.b"},
    }
    try:
        run = rm.Pipeline(manifest).run({"left": ["1", "2"], "right": "3"})
        assert sorted(run.value) == ["a:1", "a:2", "b:3"]
    finally:
        _node.unregister("test/Names")


def test_a_registered_type_has_params_that_are_checked_and_may_change() -> None:
    @rm.node("test/Times", kind="audio", samples="f32", summary="Multiplies samples.")
    def times(packet: rm.Packet, factor: float = 1.0) -> Any:
        return np.asarray(packet) * np.float32(factor)

    def manifest(**params: Any) -> dict[str, Any]:
        return {
            "version": "v1",
            "nodes": [{"id": "t", "node_type": "test/Times", "params": params}],
        }

    try:
        with pytest.raises(rm.ManifestError) as told:
            rm.Pipeline(manifest(faktor=2)).open()
        assert told.value.problems[0].pointer == "/nodes/0/params/faktor"
        with rm.Pipeline(manifest(factor=2.0)) as pipeline:
            # 16-bit samples are adapted to what the type takes.
            pipeline.push(np.full(4, 8192, np.int16), rate=8_000)
            packet = pipeline.pull()
            np.testing.assert_array_equal(np.asarray(packet), np.full(4, 0.5))
            number = pipeline.set("t", factor=4.0)
            pipeline.push(np.full(4, 8192, np.int16), rate=8_000)
            np.testing.assert_array_equal(np.asarray(pipeline.pull()), np.full(4, 1.0))
            done = [e for e in pipeline.events() if e["event"] == "params"]
            assert [(e["seq"], e["outcome"]) for e in done] == [(number, "applied")]
        summaries = {kind["node_type"]: kind["summary"] for kind in rm.node_types()}
        assert summaries["test/Times"] == "Multiplies samples."
    finally:
        _node.unregister("test/Times")


def test_a_name_that_is_nearly_right_is_told() -> None:
    @rm.node("test/Shout")
    def shout(text: str) -> str:
        return text.upper()

    try:
        with pytest.raises(rm.ManifestError, match="did you mean 'Shout'"):
            rm.Pipeline({"version": "v1", "nodes": [{"id": "s", "node_type": "Shuot"}]}).open()
    finally:
        _node.unregister("test/Shout")


def test_python_is_let_go_of_while_a_call_waits() -> None:
    manifest = {
        "version": "v1",
        "placement": "thread",
        "nodes": [{"id": "n", "node_type": "PassThrough"}],
    }
    with rm.Pipeline(manifest) as pipeline:
        pulled: list[Any] = []
        thread = threading.Thread(target=lambda: pulled.append(pipeline.pull()))
        # A pull that held Python would never let this thread push.
        pipeline.push("x")
        thread.start()
        thread.join(60)
        assert pulled[0].text == "x"


def test_a_coroutine_in_a_sync_pipeline_inside_a_loop() -> None:
    async def main() -> None:
        # A call that blocks, in a loop: the coroutine runs on another thread's loop meanwhile.
        with rm.Pipeline(one_later) as pipeline:
            pipeline.push("a")
            packet = pipeline.pull()
            assert packet is not None
            assert packet.text == "a1"

    asyncio.run(main())


def test_state_of_sessions_is_kept_apart_and_bounded() -> None:
    node = rm.Node(max_sessions=2)
    node.get_session_state("a").set("n", 1)
    node.get_session_state("b")["n"] = 2
    assert node.get_session_state("a").get("n") == 1
    node.get_session_state("c")
    assert "n" not in node.get_session_state("b")
    with pytest.raises(rm.ConfigurationError, match="enable_state"):
        rm.Node(enable_state=False).get_session_state("a")


def test_what_is_no_node_is_refused_with_words() -> None:
    with pytest.raises(rm.PipelineError, match=r"the class Lives is no node.*make an instance"):
        rm.Pipeline(Lives, Lives)
    with pytest.raises(rm.PipelineError, match="a int is no node"):
        rm.Pipeline([5])
    with pytest.raises(rm.PipelineError, match="has no nodes"):
        rm.Pipeline().run()
    with pytest.raises(rm.ConfigurationError, match="must be an async generator"):

        class Streams(rm.Node):
            is_streaming = True

            def process(self, data: Any) -> Any:
                return "x"

        try:
            rm.Pipeline(Streams()).run("x")
        except rm.NodeError as error:
            assert error.__cause__ is not None
            raise error.__cause__ from None
