"""Pipelines for code that may wait."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from . import _values
from ._async import Async
from ._feed import Feed, feeds, stuck
from ._log import LOG
from ._native import Packet
from ._place import fill, place
from ._run import Managed, Run
from .errors import ArgumentError, BackpressureError, PipelineError, PullTimeout, StateError

#: Seconds that a run waits at a time for what others may bring.
_PATIENCE = 1.0


class Pipeline(Async):
    """A pipeline: made of a manifest (dict, JSON or YAML text, path of a file) or of nodes.

        with Pipeline("voice.yaml") as pipeline:
            pipeline.push(samples, rate=48_000)
            pipeline.end()
            for packet in pipeline:
                print(packet, np.asarray(packet))

    Made of nodes it is a chain: `Pipeline(NodeA(), NodeB())`, or `Pipeline([NodeA(), NodeB()])`.

    It opens at its first use. Nodes of the engine run in these calls, unless the manifest places
    them on threads, without holding Python's lock; nodes written in Python run in these calls,
    too. Any thread may call any method at any time. For asyncio, trio and anyio there is `aio()`.
    """

    def _open_now(self) -> None:
        self._end_nodes(quiet=True)
        self._make()
        if self._host is not None:
            try:
                self._host.start()
            except BaseException:
                self.cancel()
                self._end_nodes(quiet=True)
                raise

    def _serve(self, seconds: float) -> bool:
        if self._host is not None and self._server is None:
            return self._host.serve(seconds)
        if seconds > 0 and self._on is not None and self._on.is_here():
            raise StateError(
                "the pipeline's Python nodes run on this event loop, which this call holds up: "
                "await the pipeline's async calls"
            )
        # Its jobs are an event loop's.
        time.sleep(min(seconds, 0.002))
        return False

    def open(self) -> Self:
        """Opens it now: validates the manifest and makes all nodes."""
        with self._opening:
            if not self.is_initialized:
                self._open_now()
        return self

    def _start(self) -> None:
        # Called where something needs it open: only a new one opens by itself.
        with self._opening:
            if not self._is_open:
                self._open_now()

    initialize = open

    def __iter__(self) -> Iterator[Packet]:
        """Packets as they come, until the pipeline needs input or has ended."""
        while (packet := self.pull()) is not None:
            yield packet

    def pull_into(
        self, out: Any, port: str | None = None, timeout: float | None = None
    ) -> int | None:
        """Pulls a packet and copies it into the beginning of an array of its type; how many frames
        it had. None as for `pull`. Where it does not fit, the FormatError has it as `packet`."""
        target = place(out)
        packet = self.pull(port, timeout)
        return None if packet is None else fill(target, packet)

    def close(self, timeout: float | None = None) -> str:
        """Ends all inputs and works everything off, within `timeout` seconds (None: as long as it
        takes). What nobody has pulled is dropped; to get it, `end()` and pull first. "drained", or
        "cut" when time was up. Closing again does nothing."""
        self._enter()
        self._leave_loop()
        try:
            return self._closed_before() or self._close(timeout)
        finally:
            self._shut()

    def _shut(self, quiet: bool = False) -> None:
        """Keeps what is to be seen, and cleans the nodes up."""
        self._before_end()
        self._leave_loop()
        self._end_nodes(quiet)

    def _end_nodes(self, quiet: bool = False) -> None:
        host, self._host = self._host, None
        if host is None:
            return
        try:
            host.stop()
        except Exception as error:
            if not quiet:
                raise
            # Another failure is on its way to the caller.
            LOG.warning("%s: %s", self.name, error)

    cleanup = close

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.cancel()
            self._shut(quiet=True)

    # -- the whole way at once --

    def run(self, input_data: Any = None, use_rust: bool = True, **options: Any) -> Run:
        """Runs a whole input through: pushes it, ends, pulls everything.

        `input_data`: None where the pipeline reads by itself; one item; a list or an iterator of
        items; a dict of what is for each input, or `{"audio": …}` for the only one. Items: arrays
        (`rate=` in `options`), `(array, rate)`, audio dicts, text, bytes, JSON values, packets.

        Where an event loop runs in this thread, `await` the result. Where none does, everything has
        been done when this returns: the value is `.value`; awaiting the result gives it, too, so
        that `asyncio.run(pipeline.run(x))` works: the work was then done before the loop began.

        The value: None, the only result, or the list of results; a dict by name where there are
        several outputs. Audio that follows on each other is one array; text is str, json its value.
        """
        return Run(self, input_data, use_rust, options)

    def _run_now(self, input_data: Any, options: dict[str, Any], use_rust: bool) -> Any:
        if not use_rust:
            return self._twin().run(input_data, **options).value
        with self._one_run():
            self.open()
            results, done = self._results(), False
            try:
                if _values.is_async(input_data):
                    raise ArgumentError(
                        "what comes asynchronously is waited for on a loop: await the run there"
                    )
                self._feed_all(feeds(input_data, self.inputs), options, results)
                self.end()
                for packet in self:
                    results.add(packet)
                value, done = results.value(), True
            finally:
                if not self._goes_on(done):
                    self._shut(quiet=not done)
            return value

    async def _run_async(self, input_data: Any, options: dict[str, Any], use_rust: bool) -> Any:
        if not use_rust:
            return self._twin().calculate(input_data, options)
        with self._one_run():
            await self._open_async(again=True)
            results, done = self._results(), False
            try:
                if _values.is_async(input_data):
                    async for each in input_data:
                        given = [Feed(None, iter([_values.item(each)]))]
                        await self._feed_all_async(given, options, results)
                else:
                    given = feeds(input_data, self.inputs)
                    await self._feed_all_async(given, options, results)
                self.end()
                while (packet := await self._pull_async(None, None)) is not None:
                    results.add(packet)
                    await self._loop_here().sleep(0)
                value, done = results.value(), True
            finally:
                if not self._goes_on(done):
                    await self._shut_async(quiet=not done)
            return value

    @contextmanager
    def _one_run(self) -> Generator[None]:
        """The time of a run: a second one meanwhile would get the results of the first."""
        self._enter()
        if not self._run_lock.acquire(blocking=False):
            raise StateError(
                "a run of this pipeline is under way: wait for it, or make a pipeline for each"
            )
        try:
            yield
        finally:
            self._run_lock.release()

    def _goes_on(self, done: bool) -> bool:
        """Makes ready for the next run what lives over several; ends what does not."""
        if self._held and done:
            self.rewind()
            return True
        if self.is_initialized:
            # What a run that failed has left inside is nobody's.
            self._close(0) if done else self.cancel()
        return False

    async def _feed_all_async(
        self, waiting: list[Feed], options: dict[str, Any], results: _values.Results
    ) -> None:
        """As `_feed_all`."""
        while waiting:
            moved, full = self._feed_each(waiting, options)
            while isinstance(taken := self._take(), Packet):
                results.add(taken)
                moved = True
                await self._loop_here().sleep(0)
            # Where nothing has to be waited for, other tasks have their turn, too.
            await self._loop_here().sleep(0)
            if moved or not waiting:
                continue
            if full and taken[0] == "need_input":
                raise stuck(waiting)
            await self._wait(None)

    def _twin(self) -> Any:
        """The same in the NumPy fallback."""
        from . import _fallback

        return _fallback.twin(self)

    def _results(self) -> _values.Results:
        """What collects the results of a run."""
        return _values.Results(self.outputs)

    def _feed_all(
        self, waiting: list[Feed], options: dict[str, Any], results: _values.Results
    ) -> None:
        """Pushes into each input what it has room for, and pulls in between."""
        while waiting:
            moved, _ = self._feed_each(waiting, options)
            while (packet := self.pull(timeout=0)) is not None:
                results.add(packet)
                moved = True
            if moved or not waiting:
                continue
            # Waits for as long as somebody else can make room.
            given = waiting[0].peek(self, options)
            with suppress(BackpressureError):
                if given is not None:
                    self.push(*given)
                    waiting[0].taken()
                    continue
            with suppress(PullTimeout):
                if (packet := self.pull(timeout=_PATIENCE)) is not None:
                    results.add(packet)
                elif not self._feed_each(waiting, options)[0]:
                    raise stuck(waiting)

    def _feed_each(self, waiting: list[Feed], options: dict[str, Any]) -> tuple[bool, bool]:
        """Pushes what each input has room for, those of several inputs in turns. Whether something
        was pushed, and whether only pulls would make room."""
        moved, full, several = False, True, len(waiting) > 1
        for feed in tuple(waiting):
            while (given := feed.peek(self, options)) is not None:
                packet, port = given
                if (reason := self._offer(packet, port)) is not None:
                    full = full and reason in ("full", "need_input")
                    break
                feed.taken()
                moved = True
                if several:
                    break
            else:
                waiting.remove(feed)
                moved = True
                if several and feed.port is not None:
                    # The others need not wait for what does not come.
                    self.end(feed.port)
        return moved, full

    #: In `managed_execution`.
    _held = False

    def managed_execution(self) -> Managed:
        """A context, sync or async, in which nodes are initialized once for all runs."""
        return Managed(self)

    # -- other ways to make one --

    @classmethod
    def from_file(cls, path: Any, **options: Any) -> Pipeline:
        """From a manifest's file: .json, .yaml or .yml."""
        import pathlib

        return cls(pathlib.Path(path), **options)

    @classmethod
    def from_yaml(
        cls, path: Any, enable_metrics: bool = False, runtime_hint: str = "auto"
    ) -> Pipeline:
        """From a manifest's file. `runtime_hint`: "rust" for the native engine; "python" for the
        fallback, which runs a few nodes in NumPy and has only `run`; "auto": the native engine, and
        the fallback, with a warning, where that can't be imported."""
        from . import _fallback

        return _fallback.choose(cls, path, enable_metrics, runtime_hint)

    @classmethod
    async def from_definition(cls, definition: dict[str, Any]) -> Pipeline:
        """From a manifest that is a dict."""
        return cls(definition)

    @classmethod
    def from_json(cls, text: str, **options: Any) -> Pipeline:
        """From a manifest's JSON."""
        return cls(json.loads(text), **options)

    def aio(self) -> Any:
        """The pipeline for asyncio, trio and anyio."""
        from .aio import AsyncPipeline

        if self._is_open:
            raise PipelineError("the pipeline is open: make its async form before")
        return AsyncPipeline._of(self)  # pyright: ignore[reportPrivateUsage]
