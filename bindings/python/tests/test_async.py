"""Pipelines on event loops: asyncio, uvloop, trio, and anyio over the first and the last."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import support
from remotemedia import AsyncPipeline, Node, Pipeline, errors
from support import PASS, THREADED, chain

SEED = 20261127


# -- the loops --


def on_asyncio(main: Callable[[], Awaitable[Any]]) -> Any:
    """asyncio."""

    async def timed() -> Any:
        return await asyncio.wait_for(main(), support.HANG)

    return asyncio.run(timed())


def on_uvloop(main: Callable[[], Awaitable[Any]]) -> Any:
    """uvloop."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")

    async def timed() -> Any:
        return await asyncio.wait_for(main(), support.HANG)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(timed())


def on_trio(main: Callable[[], Awaitable[Any]]) -> Any:
    """trio."""
    trio = pytest.importorskip("trio", reason="trio is not installed")

    async def timed() -> Any:
        with trio.fail_after(support.HANG):
            return await main()

    return trio.run(timed)


LOOPS = [on_asyncio, on_uvloop, on_trio]
ASYNCIO = [on_asyncio, on_uvloop]
each_loop = pytest.mark.parametrize("on", LOOPS)
anyio = pytest.importorskip(
    "anyio", reason="anyio, with which these tests speak to all loops, is not installed"
)


async def together(*works: Callable[[], Awaitable[Any]]) -> None:
    """Runs them at the same time."""
    async with anyio.create_task_group() as tasks:
        for work in works:
            tasks.start_soon(work)


def slow_node(text: str) -> str:
    """Holds up its thread."""
    time.sleep(0.002)
    return text.upper()


async def later(text: str) -> str:
    """Takes its time."""
    await anyio.sleep(0.001)
    return text


# -- flow --


@each_loop
@pytest.mark.parametrize("manifest", [PASS, THREADED])
def test_what_is_fed_comes_out_in_order(on: Any, manifest: Any) -> None:
    got: list[Any] = []

    async def main() -> None:
        async with AsyncPipeline(manifest) as pipeline:

            async def pull() -> None:
                got.extend([packet.value async for packet in pipeline])

            await together(lambda: pipeline.feed(range(1_000)), pull)
            assert pipeline.ended

    on(main)
    assert got == list(range(1_000))


@each_loop
def test_an_async_source_feeds_too(on: Any) -> None:
    async def source() -> AsyncIterator[Any]:
        for n in range(100):
            await anyio.sleep(0)
            yield np.full(160, n, np.int16)

    async def main() -> list[int]:
        got: list[int] = []
        async with AsyncPipeline(THREADED) as pipeline:

            async def pull() -> None:
                async for packet in pipeline:
                    got.append(int(np.asarray(packet)[0]))

            await together(lambda: pipeline.feed(source(), rate=16_000), pull)
        return got

    assert on(main) == list(range(100))


@each_loop
@pytest.mark.parametrize("node", [None, slow_node, later], ids=["native", "plain", "coroutine"])
def test_a_heartbeat_goes_on_while_packets_flow(on: Any, node: Any) -> None:
    """No call of the pipeline takes the loop for long: the other task runs in between."""
    count = 1_000 if node is None else 200

    async def main() -> tuple[int, int]:
        beats = got = 0
        done = False
        pipeline = AsyncPipeline(THREADED) if node is None else Pipeline(node).aio()
        async with pipeline:

            async def beat() -> None:
                nonlocal beats
                while not done:
                    await anyio.sleep(0)
                    beats += 1

            async def pull() -> None:
                nonlocal got, done
                async for _ in pipeline:
                    got += 1
                done = True

            await together(beat, lambda: pipeline.feed(str(n) for n in range(count)), pull)
        return beats, got

    beats, got = on(main)
    assert got == count
    assert beats > 20


@each_loop
def test_calls_that_never_have_to_wait_let_other_tasks_run(on: Any) -> None:
    async def main() -> int:
        beats, done = 0, False
        async with AsyncPipeline(PASS) as pipeline:

            async def beat() -> None:
                nonlocal beats
                while not done:
                    await anyio.sleep(0)
                    beats += 1

            async def turn() -> None:
                nonlocal done
                for n in range(500):
                    await pipeline.push(n)
                    assert (await pipeline.pull()).value == n  # pyright: ignore
                done = True

            await together(beat, turn)
        return beats

    assert on(main) >= 20


@each_loop
def test_a_slow_plain_node_does_not_hold_up_the_loop(on: Any) -> None:
    inside, go = threading.Event(), threading.Event()

    def stuck(text: str) -> str:
        inside.set()
        assert go.wait(support.HANG)
        return text

    async def main() -> int:
        turns = 0
        async with Pipeline(stuck).aio() as pipeline:
            await pipeline.push("x")
            while not inside.is_set():
                await anyio.sleep(0.001)
            for _ in range(100):
                await anyio.sleep(0)
                turns += 1
            # Only now, after the loop has gone on, does the node.
            go.set()
            assert (await pipeline.pull()).text == "x"  # pyright: ignore
        return turns

    assert on(main) == 100


@each_loop
def test_the_loop_sleeps_while_a_node_works_on_a_thread(on: Any) -> None:
    """Descriptors that stay readable would have it turn all the time."""
    looks = 0

    def slow(text: str) -> str:
        time.sleep(0.3)
        return text

    async def main() -> None:
        nonlocal looks
        async with Pipeline(slow).aio() as pipeline:
            host: Any = pipeline._host
            take = host.take

            def counted() -> Any:
                nonlocal looks
                looks += 1
                return take()

            host.take = counted
            await pipeline.push("x")
            assert (await pipeline.pull()).text == "x"  # pyright: ignore

    on(main)
    assert looks < 50, looks


@each_loop
def test_a_node_with_several_in_flight_keeps_the_order(on: Any) -> None:
    most = now = 0

    class Several(Node):
        """Works on four at a time, each for another time."""

        max_in_flight = 4

        async def process(self, data: int) -> int:
            """Comes back after a while."""
            nonlocal most, now
            now += 1
            most = max(most, now)
            await anyio.sleep(0.001 * ((data * 7) % 5))
            now -= 1
            return data

    async def main() -> list[int]:
        got: list[int] = []
        async with Pipeline(Several()).aio() as pipeline:

            async def pull() -> None:
                got.extend([packet.value async for packet in pipeline])

            await together(lambda: pipeline.feed(range(100)), pull)
        return got

    assert on(main) == list(range(100))
    assert 2 <= most <= 4


@each_loop
def test_a_streaming_node_runs_on_every_loop(on: Any) -> None:
    class Pairs(Node):
        """Joins two each."""

        is_streaming = True

        async def process(self, stream: Any) -> AsyncIterator[str]:  # type: ignore[override]
            """Gets all of it."""
            held: str | None = None
            async for item in stream:
                await anyio.sleep(0)
                if held is None:
                    held = item
                else:
                    yield held + item
                    held = None
            if held is not None:
                yield held

    async def main() -> list[str]:
        async with Pipeline(Pairs()).aio() as pipeline:
            await pipeline.feed("abcde")
            return [packet.text async for packet in pipeline]

    assert on(main) == ["ab", "cd", "e"]


# -- cancellation and time --


@each_loop
@pytest.mark.parametrize("node", [None, later, "thread"], ids=["native", "coroutine", "thread"])
@pytest.mark.parametrize("seed", range(3))
def test_pulls_that_are_cancelled_at_any_moment_lose_nothing(on: Any, node: Any, seed: int) -> None:
    chance = random.Random(SEED + seed)
    count = 300

    async def main() -> tuple[list[str], int]:
        got: list[str] = []
        cancelled = 0
        made = {None: PASS, "thread": THREADED}.get(node) if not callable(node) else None
        pipeline = AsyncPipeline(made) if made else Pipeline(node).aio()
        async with pipeline:

            async def feed() -> None:
                for n in range(count):
                    await pipeline.push(str(n))
                    for _ in range(chance.randrange(3)):
                        await anyio.sleep(0)
                pipeline.end()

            async def pull() -> None:
                nonlocal cancelled
                ended = False
                while not ended:
                    with anyio.CancelScope() as scope:
                        turns = chance.randrange(4)

                        async def cancel(turns: int = turns, scope: Any = scope) -> None:
                            for _ in range(turns):
                                await anyio.sleep(0)
                            scope.cancel()

                        async with anyio.create_task_group() as tasks:
                            tasks.start_soon(cancel)
                            packet = await pipeline.pull()
                            if packet is None:
                                ended = True
                            else:
                                got.append(packet.text)
                    cancelled += scope.cancelled_caught

            await together(feed, pull)
        return got, cancelled

    got, cancelled = on(main)
    assert got == [str(n) for n in range(count)]
    assert cancelled > 0 or node is not later


@pytest.mark.parametrize("on", ASYNCIO)
@pytest.mark.parametrize("node", [None, later])
def test_tasks_of_pull_and_push_that_are_cancelled_lose_nothing(on: Any, node: Any) -> None:
    chance = random.Random(SEED)
    count = 400

    async def main() -> None:
        got: list[str] = []
        pipeline = AsyncPipeline(PASS) if node is None else Pipeline(node).aio()
        async with pipeline:
            sent = 0
            while len(got) < count:
                if sent < count:
                    push = asyncio.create_task(pipeline.push(str(sent)))
                    for _ in range(chance.randrange(5)):
                        await asyncio.sleep(0)
                    push.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await push
                        sent += 1
                pull = asyncio.create_task(pipeline.pull())
                for _ in range(chance.randrange(5)):
                    await asyncio.sleep(0)
                pull.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    got.append((await pull).text)  # pyright: ignore
        assert got == [str(n) for n in range(count)]

    on(main)


@pytest.mark.parametrize("on", ASYNCIO)
def test_wait_for_with_any_time_loses_nothing(on: Any) -> None:
    chance = random.Random(SEED)

    async def main() -> None:
        got: list[str] = []
        async with Pipeline(later).aio() as pipeline:
            feeding = asyncio.create_task(pipeline.feed(str(n) for n in range(200)))
            while len(got) < 200:
                try:
                    packet = await asyncio.wait_for(pipeline.pull(), chance.random() * 0.003)
                except TimeoutError:
                    continue
                assert packet is not None
                got.append(packet.text)
            await feeding
        assert got == [str(n) for n in range(200)]

    on(main)


@each_loop
def test_timeouts_of_pull_and_push(on: Any) -> None:
    async def main() -> None:
        async with AsyncPipeline(PASS) as pipeline:
            assert await pipeline.pull(timeout=0) is None
            with pytest.raises(errors.PullTimeout):
                await pipeline.pull(timeout=0.01)
            with pytest.raises(TimeoutError):
                await pipeline.pull(timeout=0.01)
            with pytest.raises(errors.BackpressureError, match="full"):
                for n in range(1_000):
                    await pipeline.push(n, timeout=0.01)
            got = 0
            while await pipeline.pull(timeout=0) is not None:
                got += 1
            assert got == n
            await pipeline.push("more")
            assert (await pipeline.pull(timeout=support.HANG)).text == "more"  # pyright: ignore

    on(main)


@each_loop
def test_a_loop_that_breaks_early_leaves_the_rest(on: Any) -> None:
    async def main() -> None:
        async with AsyncPipeline(PASS) as pipeline:
            await pipeline.feed(range(10))
            async for packet in pipeline:
                if packet.value == 3:
                    break
            assert [packet.value async for packet in pipeline] == [4, 5, 6, 7, 8, 9]
        assert pipeline.state == "closed"
        with pytest.raises(errors.StateError, match="closed"):
            pipeline.end()

    on(main)


@each_loop
def test_an_interrupt_drops_what_came_before(on: Any) -> None:
    async def main() -> None:
        async with AsyncPipeline(THREADED) as pipeline:
            for n in range(10):
                await pipeline.push(f"old {n}")
            pipeline.interrupt()
            await pipeline.push("new")
            assert (await pipeline.pull()).text == "new"  # pyright: ignore

    on(main)


@each_loop
def test_a_pull_from_one_port_leaves_the_others_to_other_tasks(on: Any) -> None:
    router = {"rules": [{"kind": "text", "to": "a"}]}
    manifest = chain(
        {"node_type": "Router", "params": router}, outputs={"texts": "n0.a", "rest": "n0.out"}
    )

    async def main() -> tuple[list[Any], list[Any]]:
        texts: list[Any] = []
        rest: list[Any] = []
        async with AsyncPipeline(manifest) as pipeline:

            async def pull(port: str, into: list[Any], pause: float) -> None:
                while (packet := await pipeline.pull(port)) is not None:
                    assert packet.port == port
                    into.append(packet.value)
                    await anyio.sleep(pause)

            def items() -> Any:
                for n in range(300):
                    yield n
                    yield str(n)

            await together(
                lambda: pipeline.feed(items()),
                lambda: pull("texts", texts, 0.001),
                lambda: pull("rest", rest, 0),
            )
        return texts, rest

    texts, rest = on(main)
    assert texts == [str(n) for n in range(300)] and rest == list(range(300))


# -- errors, ends --


@each_loop
@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_in_a_node_reaches_the_puller_with_its_cause(on: Any, is_async: bool) -> None:
    def broken(text: str) -> str:
        return {}[text]

    async def broken_later(text: str) -> str:
        await anyio.sleep(0)
        return {}[text]

    async def main() -> None:
        with pytest.raises(errors.NodeError, match="KeyError") as raised:
            async with Pipeline(broken_later if is_async else broken).aio() as pipeline:
                await pipeline.push("x")
                await pipeline.pull()
        assert isinstance(raised.value.__cause__, KeyError)

    on(main)


@each_loop
def test_closing_waits_for_open_jobs_and_cleans_up_after_them(on: Any) -> None:
    log: list[str] = []

    class Slow(Node):
        """Takes its time."""

        async def process(self, data: str) -> str:
            """Takes its time."""
            await anyio.sleep(0.02)
            log.append(data)
            return data

        async def cleanup(self) -> None:  # type: ignore[override]
            """Must be last."""
            await anyio.sleep(0.001)
            log.append("cleanup")

    async def main() -> None:
        pipeline = Pipeline(Slow()).aio()
        for item in "abc":
            await pipeline.push(item)
        assert await pipeline.close() == "drained"
        assert log == ["a", "b", "c", "cleanup"]
        log.clear()
        await pipeline.open()
        for item in "abc":
            await pipeline.push(item)
        assert await pipeline.close(timeout=0) == "cut"
        assert log[-1] == "cleanup" and log.count("cleanup") == 1

    on(main)


@each_loop
def test_a_block_that_is_cancelled_still_cleans_its_nodes_up(on: Any) -> None:
    log: list[str] = []

    class Slow(Node):
        """Takes its time to end."""

        async def process(self, data: str) -> str:
            """Never ends."""
            await anyio.sleep(support.HANG)
            return data

        async def cleanup(self) -> None:  # type: ignore[override]
            """Ends in several steps."""
            for _ in range(3):
                await anyio.sleep(0.001)
            log.append("cleanup")

    async def main() -> None:
        with anyio.move_on_after(0.05):
            async with Pipeline(Slow()).aio() as pipeline:
                await pipeline.push("x")
                await pipeline.pull()
        assert log == ["cleanup"]
        with anyio.move_on_after(0.05) as scope:
            async with Pipeline(Slow()).aio() as pipeline:
                await pipeline.push("x")
        assert scope.cancelled_caught and log == ["cleanup"] * 2

    on(main)


@each_loop
@pytest.mark.parametrize("manifest", [PASS, THREADED])
def test_a_pull_that_waits_ends_when_another_task_closes(on: Any, manifest: Any) -> None:
    async def main() -> None:
        ends: list[Any] = []
        pipeline = await AsyncPipeline(manifest).open()

        async def pull() -> None:
            try:
                ends.append(await pipeline.pull())
            except errors.StateError as error:
                ends.append(error)

        async def close() -> None:
            await anyio.sleep(0.01)
            await pipeline.close()

        await together(pull, pull, pull, close)
        assert len(ends) == 3

    on(main)


@each_loop
def test_a_cancel_wakes_who_waits(on: Any) -> None:
    async def main() -> None:
        async with AsyncPipeline(THREADED) as pipeline:

            async def pull() -> None:
                with pytest.raises(errors.PipelineCancelled):
                    await pipeline.pull()

            async def cancel() -> None:
                await anyio.sleep(0.01)
                pipeline.cancel()

            await together(pull, pull, cancel)

    on(main)


@each_loop
def test_two_loops_in_two_threads_do_not_disturb_each_other(on: Any) -> None:
    lists: list[list[str]] = [[], []]
    failures: list[BaseException] = []

    def work(got: list[str]) -> None:
        async def main() -> None:
            async with Pipeline(later).aio() as pipeline:

                async def pull() -> None:
                    got.extend([packet.text async for packet in pipeline])

                await together(lambda: pipeline.feed(str(n) for n in range(100)), pull)

        try:
            on(main)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(got,)) for got in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(support.HANG)
    assert not failures
    assert lists == [[str(n) for n in range(100)]] * 2


def test_a_pipeline_is_not_for_two_loops_that_run() -> None:
    opened, done = threading.Event(), threading.Event()
    pipeline = Pipeline(later).aio()

    def other() -> None:
        async def main() -> None:
            async with pipeline:
                opened.set()
                while not done.is_set():
                    await asyncio.sleep(0.001)

        asyncio.run(main())

    thread = threading.Thread(target=other)
    thread.start()
    assert opened.wait(support.HANG)

    async def main() -> None:
        with pytest.raises(errors.StateError, match="another event loop"):
            await pipeline.pull()
        with pytest.raises(errors.StateError, match="another event loop"):
            await pipeline.push("x")

    asyncio.run(main())
    done.set()
    thread.join(support.HANG)


@pytest.mark.parametrize("on", LOOPS)
@pytest.mark.parametrize("node", [None, later], ids=["native", "coroutine"])
def test_a_pipeline_outlives_its_loop(on: Any, node: Any) -> None:
    pipeline = AsyncPipeline(PASS) if node is None else Pipeline(node).aio()

    async def first() -> None:
        await pipeline.push("a")
        assert (await pipeline.pull()).text == "a"  # pyright: ignore
        with pytest.raises(errors.PullTimeout):
            await pipeline.pull(timeout=0.01)

    async def second() -> None:
        await pipeline.push("b")
        assert (await pipeline.pull()).text == "b"  # pyright: ignore
        assert await pipeline.close() == "drained"

    on(first)
    on(second)


@each_loop
def test_a_pipeline_that_is_left_open_by_a_closed_loop_goes_with_its_last_reference(
    on: Any,
) -> None:
    before = support.live()
    for make in (
        lambda: AsyncPipeline(PASS),
        lambda: AsyncPipeline(THREADED),
        lambda: Pipeline(later).aio(),
    ):

        async def main(make: Any = make) -> None:
            pipeline = make()
            for n in range(5):
                await pipeline.push(str(n))
            await pipeline.pull()

        on(main)
    assert support.settled(before) == before


@pytest.mark.parametrize("on", ASYNCIO)
def test_many_pulls_at_once_share_the_packets(on: Any) -> None:
    async def main() -> None:
        got: list[int] = []
        async with AsyncPipeline(THREADED) as pipeline:

            async def pull() -> None:
                async for packet in pipeline:
                    got.append(packet.value)

            tasks = [asyncio.create_task(pull()) for _ in range(8)]
            await pipeline.feed(range(500))
            await asyncio.gather(*tasks)
        assert sorted(got) == list(range(500))

    on(main)


@each_loop
def test_a_plain_node_that_fails_to_initialize_opens_nothing(on: Any) -> None:
    before = support.live()

    class Bad(Node):
        """Can't."""

        def initialize(self) -> None:
            """Can't."""
            raise OSError("no model")

    async def main() -> None:
        with pytest.raises(errors.NodeError, match="no model"):
            async with Pipeline(Bad()).aio():
                pass

    on(main)
    gc.collect()
    assert support.settled(before) == before


@each_loop
def test_run_is_awaited_on_every_loop(on: Any) -> None:
    async def main() -> Any:
        return await Pipeline(later).run(["a", "b"])

    assert on(main) == ["a", "b"]


def test_leaving_early_stops_the_pipeline_and_cleans_up() -> None:
    cleaned: list[str] = []

    class Cleans(Node):
        """Says when it is cleaned up."""

        async def process(self, data: str) -> str:
            """Gives it back."""
            await asyncio.sleep(0)
            return data

        async def cleanup(self) -> None:
            """Says so."""
            cleaned.append("yes")

    pipeline = AsyncPipeline(Cleans())

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


def test_fifty_pipelines_on_one_loop() -> None:
    manifest = {
        "version": "v1",
        "placement": "thread",
        "nodes": [{"id": "r", "node_type": "AudioResample", "params": {"target_rate": 16_000}}],
    }
    second = np.zeros(48_000, np.float32)

    async def one() -> int:
        async with AsyncPipeline(manifest) as pipeline, asyncio.TaskGroup() as tasks:
            blocks = (second[n : n + 960] for n in range(0, 48_000, 960))
            tasks.create_task(pipeline.feed(blocks, rate=48_000))
            return sum([p.frames async for p in pipeline])

    async def main() -> None:
        assert await asyncio.gather(*(one() for _ in range(50))) == [16_000] * 50

    asyncio.run(main())


class Counts(AsyncPipeline):
    """Counts how often it waits."""

    waits = 0

    async def _wait(self, deadline: float | None) -> bool:
        self.waits += 1
        return await super()._wait(deadline)


def test_a_pull_that_waits_is_woken_once_and_does_not_turn() -> None:
    async def main() -> None:
        async with Counts(THREADED) as pipeline:
            task = asyncio.create_task(pipeline.pull())
            for _ in range(100):
                await asyncio.sleep(0.001)
            waited = pipeline.waits
            await pipeline.push("x")
            packet = await task
            assert packet is not None
        assert waited <= 2

    asyncio.run(main())


def test_a_pull_of_one_output_does_not_turn_while_packets_wait_at_another() -> None:
    router = {"rules": [{"kind": "text", "to": "a"}]}
    manifest = chain(
        {"node_type": "Router", "params": router}, outputs={"texts": "n0.a", "rest": "n0.out"}
    )

    async def main() -> None:
        async with Counts(manifest) as pipeline:
            await pipeline.push(1)
            task = asyncio.create_task(pipeline.pull("texts"))
            for _ in range(100):
                await asyncio.sleep(0.001)
            waited = pipeline.waits
            await pipeline.push("x")
            packet = await task
            assert packet is not None
            assert packet.text == "x"
        assert waited < 100

    asyncio.run(main())
