"""Programs that are a little odd and that people write all the same: they do what is meant, or say
why not."""

from __future__ import annotations

import array
import asyncio
from typing import Any

import numpy as np
import pytest
import support
from remotemedia import (
    ArgumentError,
    AsyncPipeline,
    ConfigurationError,
    MediaFileError,
    Node,
    NodeError,
    Packet,
    Pipeline,
    PipelineError,
    node,
)
from remotemedia._node import unregister

MIX: dict[str, Any] = {
    "version": "v1",
    "nodes": [
        {"id": "a", "node_type": "PassThrough"},
        {"id": "b", "node_type": "PassThrough"},
        {"id": "mix", "node_type": "Mixer"},
    ],
    "connections": [{"from": "a", "to": "mix"}, {"from": "b", "to": "mix"}],
}


@pytest.mark.parametrize(("there", "here"), [(50, 50), (50, 20), (5, 100)])
def test_what_is_given_for_several_inputs_is_pushed_in_turns(there: int, here: int) -> None:
    blocks = [(np.ones(4800, np.float32), 48_000)] * 100
    given = {"a": blocks[:there], "b": blocks[:here]}
    mixed = Pipeline(MIX).run(given).value
    assert len(mixed) == 4800 * max(there, here)

    async def main() -> Any:
        return await Pipeline(MIX).run(given)

    assert np.array_equal(asyncio.run(main()), mixed)


def test_inputs_that_wait_for_each_other_are_an_error_and_no_hang() -> None:
    blocks = {"a": [(np.ones(4800, np.float32), 48_000)] * 100}
    with pytest.raises(PipelineError, match="wait"):
        Pipeline(MIX).run(blocks)

    async def main() -> None:
        await Pipeline(MIX).run(blocks)

    with pytest.raises(PipelineError, match="wait"):
        asyncio.run(main())


class Unsayable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


@pytest.mark.parametrize("error", [ValueError("no audio in \udcff.wav"), Unsayable()])
@pytest.mark.parametrize("coroutine", [False, True])
def test_an_error_that_no_text_can_say_is_an_error_all_the_same(
    error: Exception, coroutine: bool
) -> None:
    def plain(_: Any) -> None:
        raise error

    async def later(_: Any) -> None:
        raise error

    work = later if coroutine else plain
    with pytest.raises(NodeError, match=type(error).__name__) as caught:
        Pipeline(work).run(1)
    assert caught.value.__cause__ is error

    async def main() -> None:
        await Pipeline(work).run(1)

    with pytest.raises(NodeError, match=type(error).__name__):
        asyncio.run(main())


def test_what_comes_at_the_end_of_audio_is_audio_with_its_rate_and_time() -> None:
    class Delay(Node):
        is_streaming = True

        async def process(self, stream: Any) -> Any:
            last = None
            async for packet in stream:
                if last is not None:
                    yield last
                last = np.array(packet)
            yield last

    class Whole(Node):
        def initialize(self) -> None:
            self.blocks: list[Any] = []

        def process(self, data: Any) -> None:
            self.blocks.append(np.array(data))

        def flush(self) -> Any:
            return np.concatenate(self.blocks)

    for holds, count in ((Delay(), 3), (Whole(), 1)):
        with Pipeline(holds) as pipeline:
            for _ in range(3):
                pipeline.push(np.ones(480, np.float32), rate=16_000)
            pipeline.end()
            packets = list(pipeline)
        assert [packet.rate for packet in packets] == [16_000] * count
        assert sum(packet.frames for packet in packets) == 1440
        first = packets[0].pts_ns
        assert first is not None
        times = [first + n * 30_000_000 for n in range(count)]
        assert [packet.pts_ns for packet in packets] == times


def test_what_a_streaming_node_gives_between_items_comes_with_the_next() -> None:
    class Prefetch(Node):
        is_streaming = True

        async def process(self, stream: Any) -> Any:
            queue: asyncio.Queue[Any] = asyncio.Queue()

            async def read() -> None:
                async for item in stream:
                    await queue.put(item)
                await queue.put(None)

            task = asyncio.create_task(read())
            while (item := await queue.get()) is not None:
                await asyncio.sleep(0.01)
                yield item
            await task

    async def main() -> list[Any]:
        got: list[Any] = []
        async with AsyncPipeline(Prefetch()) as pipeline:

            async def read() -> None:
                async for packet in pipeline:
                    got.append(packet.value)

            reader = asyncio.create_task(read())
            for n in range(5):
                await pipeline.push(n)
                await asyncio.sleep(0.03)
            pipeline.end()
            await reader
        return got

    assert asyncio.run(main()) == list(range(5))


def test_a_function_is_in_a_pipeline_what_it_was_declared_as() -> None:
    @node(kind="audio", rate=16_000, channels=1, samples="f32")
    def declared(packet: Packet) -> list[int]:
        return [packet.rate, packet.channels]

    try:
        found = Pipeline(declared).run((np.ones((4800, 2), np.int16), 48_000)).value
    finally:
        unregister("declared")
    assert found and all(each == [16_000, 1] for each in found)


def test_arrays_of_every_sort_have_a_rate_and_ports_come_by_name() -> None:
    def scaled(data: Any, gain: int = 2, port: str = "in") -> Any:
        assert port == "in"
        return np.asarray(data) * gain

    for samples in (array.array("f", [1, 2]), memoryview(array.array("f", [1, 2]))):
        assert Pipeline(scaled).run((samples, 16_000.0)).value.tolist() == [2, 4]


def test_a_default_that_is_no_json_is_refused_where_it_stands() -> None:
    with pytest.raises(ConfigurationError, match="'callback' of wrong"):

        @node
        def wrong(data: Any, callback: Any = print) -> Any:  # pyright: ignore
            return data


def test_what_looks_like_a_file_is_meant_as_one() -> None:
    for name in ("voice.ymal", "folder/voice", "voice.YAML"):
        with pytest.raises((ArgumentError, MediaFileError)):
            Pipeline(name).open()
    assert Pipeline("a name").name == "a name"


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("coroutine", ["async ", ""])
def test_a_node_that_ends_the_program_ends_it(loop: str, coroutine: str) -> None:
    support.ends_well(
        f"""
import sys, asyncio, trio, remotemedia

{coroutine}def last(item):
    sys.exit(7)

async def main():
    async with remotemedia.AsyncPipeline(last) as pipeline:
        await pipeline.push(1)
        await pipeline.pull()

{loop}.run({"main()" if loop == "asyncio" else "main"})
""",
        expected=7,
    )
