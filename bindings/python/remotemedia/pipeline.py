"""Pipelines for code that may wait."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Self

from . import _values
from ._async import Async
from ._native import Packet
from ._place import fill, place
from ._run import Managed, Run
from .errors import PipelineError


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
        # Its jobs are an event loop's.
        time.sleep(min(seconds, 0.002))
        return False

    def open(self) -> Self:
        """Opens it now: validates the manifest and makes all nodes."""
        if not self.is_initialized:
            self._open_now()
        return self

    def _start(self) -> None:
        # Called where something needs it open: only a new one opens by itself.
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
        try:
            return self._closed_before() or self._close(timeout)
        finally:
            self._shut()

    def _shut(self) -> None:
        """Keeps what is to be seen, and cleans the nodes up."""
        self._before_end()
        self._end_nodes()

    def _end_nodes(self, quiet: bool = False) -> None:
        host, self._host = self._host, None
        if host is None:
            return
        try:
            host.stop()
        except Exception:
            if not quiet:
                raise

    cleanup = close

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.cancel()
            self._shut()

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
        results = self._begin_run()
        try:
            for item in _values.items(input_data, self.inputs):
                self._push_and_pull(item, options, results)
            self.end()
            for packet in self:
                results.add(packet)
            return results.value()
        finally:
            self._finish_run()

    async def _run_async(self, input_data: Any, options: dict[str, Any], use_rust: bool) -> Any:
        if not use_rust:
            return self._twin().calculate(input_data, options)
        await self._open_async(again=True)
        results = self._results()
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
            return results.value()
        finally:
            if self._held and self.ended:
                self.rewind()
            elif not self._held:
                self.cancel() if not self.ended else self._close(0)
                await self._shut_async()

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

    def _begin_run(self) -> _values.Results:
        self._enter()
        if not self.is_initialized:
            self._open_now()
        return self._results()

    def _results(self) -> _values.Results:
        """What collects the results of a run."""
        return _values.Results(self.outputs)

    def _push_and_pull(
        self, item: _values.Item, options: dict[str, Any], results: _values.Results
    ) -> None:
        packet = self._packet(item.data, item.port, **{**options, **item.options})
        while True:
            reason = self._offer(packet, item.port)
            if reason is None:
                self._serve(0.0)
                return
            if reason == "host":
                self._serve(0.05)
            pulled = self.pull(timeout=0.0 if reason == "full" else 0.05)
            if pulled is not None:
                results.add(pulled)

    def _finish_run(self) -> None:
        if self._held and self.ended:
            self.rewind()
            return
        if self.is_initialized and not self._held:
            self.cancel() if not self.ended else self._close(0)
        if not self._held:
            self._shut()

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
