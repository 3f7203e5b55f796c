"""Pipelines for code that may wait."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Self

from . import _values
from ._async import Async
from ._log import LOG
from ._native import Packet
from ._place import fill, place
from ._run import Managed, Run
from .errors import BackpressureError, PipelineError, StateError


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
                for item in _values.items(input_data, self.inputs):
                    self._push_and_pull(item, options, results)
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
                        item = _values.item(each)
                        await self._push_and_pull_async(item, options, results)
                else:
                    for item in _values.items(input_data, self.inputs):
                        await self._push_and_pull_async(item, options, results)
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

    async def _push_and_pull_async(
        self, item: _values.Item, options: dict[str, Any], results: _values.Results
    ) -> None:
        packet = self._packet(item.data, item.port, **{**options, **item.options})
        while (reason := self._offer(packet, item.port)) is not None:
            taken = self._take()
            if isinstance(taken, Packet):
                results.add(taken)
            elif reason != "full":
                await self._wait(None)
        # Where nothing has to be waited for, other tasks have their turn, too.
        await self._loop_here().sleep(0)

    def _twin(self) -> Any:
        """The same in the NumPy fallback."""
        from . import _fallback

        return _fallback.twin(self)

    def _results(self) -> _values.Results:
        """What collects the results of a run."""
        return _values.Results(self.outputs)

    def _push_and_pull(
        self, item: _values.Item, options: dict[str, Any], results: _values.Results
    ) -> None:
        packet = self._packet(item.data, item.port, **{**options, **item.options})
        while True:
            try:
                return self.push(packet, item.port)
            except BackpressureError:
                pulled = self.pull(timeout=0)
            if pulled is not None:
                results.add(pulled)

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
