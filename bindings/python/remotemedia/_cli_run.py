"""`remotemedia run`: a manifest over files, in bounded memory."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from . import _fallback, _values
from ._cli_files import Printed, Sink, assign, read, sink
from ._native import Packet
from .cli import Usage
from .errors import BackpressureError, PipelineError, PullTimeout
from .pipeline import Pipeline

#: Seconds to wait for a pipeline that is at work.
_PATIENCE = 0.05

Feeds = dict[str, Iterator[Packet]]
Emit = Callable[[str, Packet], None]


class Runner(Protocol):
    """What runs a manifest."""

    def ports(self) -> tuple[dict[str, str], list[str]]:
        """Inputs with what they take, and outputs."""
        ...

    def drive(self, feeds: Feeds, emit: Emit) -> None:
        """Pushes all, and gives what comes of it."""
        ...

    def metrics(self) -> Any:
        """What the run took."""
        ...

    def stop(self) -> None:
        """Lets go of it."""
        ...


def run(file: str, inputs: list[str], outputs: list[str], metrics: str | None, hint: str) -> int:
    """Runs a manifest's file."""
    pipeline = Pipeline.from_yaml(file, enable_metrics=True, runtime_hint=hint)
    made = cast("Any", pipeline)
    is_fallback = isinstance(made, _fallback.FallbackPipeline)
    runner: Runner = Fallback(made) if is_fallback else Engine(pipeline)
    sinks: dict[str, list[Sink]] = {}
    with contextlib.ExitStack() as stack:
        stack.callback(runner.stop)
        takes, names = runner.ports()
        feeds = _feeds(takes, inputs)
        chosen = assign("output", names, outputs)
        paths = [path for _, path in chosen]
        if len(set(paths)) != len(paths):
            raise Usage("two outputs have the same file")
        for name, path in chosen:
            made = sink(path)
            stack.callback(made.abandon)
            sinks.setdefault(name, []).append(made)
        if not outputs:
            several = len(names) > 1
            sinks = {name: [Printed(name if several else None)] for name in names}
        if lost := [name for name in names if name not in sinks]:
            print(f"remotemedia: note: without a file: {', '.join(lost)}", file=sys.stderr)

        def emit(name: str, packet: Packet) -> None:
            for each in sinks.get(name, ()):
                each.write(packet)

        try:
            runner.drive(feeds, emit)
        finally:
            if metrics is not None:
                Path(metrics).write_text(json.dumps(runner.metrics(), indent=2) + "\n")
        for name in names:
            for each in sinks.get(name, ()):
                each.finish()
    return 0


def _feeds(takes: dict[str, str], inputs: list[str]) -> Feeds:
    chosen = assign("input", takes, inputs)
    given = [name for name, _ in chosen]
    for name in given:
        if given.count(name) > 1:
            raise Usage(f"input '{name}' gets two files")
    if missing := [f"'{name}' ({what})" for name, what in takes.items() if name not in given]:
        form = "-i PATH" if len(takes) == 1 else "-i NAME=PATH"
        raise Usage(f"no file for input {', '.join(missing)}: give it one with {form}")
    return {name: read(path, takes[name]) for name, path in chosen}


class Engine:
    """The native engine."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline.open()

    def ports(self) -> tuple[dict[str, str], list[str]]:
        """From the pipeline's description."""
        described = self._pipeline.describe()
        return described["inputs"], list(described["outputs"])

    def drive(self, feeds: Feeds, emit: Emit) -> None:
        """Pushes into each input what it has room for, and pulls in between."""
        pipeline, pending = self._pipeline, dict[str, Packet]()
        while feeds:
            moved = self._push(feeds, pending)
            while (packet := pipeline.pull(timeout=0)) is not None:
                emit(packet.port or "", packet)
                moved = True
            if moved or not feeds:
                continue
            with contextlib.suppress(PullTimeout):
                if (packet := pipeline.pull(timeout=_PATIENCE)) is None:
                    raise PipelineError(
                        f"the inputs {', '.join(feeds)} wait for each other: none has room, and "
                        "the pipeline needs input"
                    )
                emit(packet.port or "", packet)
        for packet in pipeline:
            emit(packet.port or "", packet)

    def _push(self, feeds: Feeds, pending: dict[str, Packet]) -> bool:
        """Offers a packet to each input. Whether one was taken, or has ended."""
        moved = False
        for name in list(feeds):
            packet = pending.pop(name, None) or next(feeds[name], None)
            if packet is None:
                del feeds[name]
                self._pipeline.end(name)
                moved = True
                continue
            try:
                self._pipeline.push(packet, name, timeout=0)
                moved = True
            except BackpressureError:
                pending[name] = packet
        return moved

    def metrics(self) -> Any:
        """Of the engine."""
        return self._pipeline.get_metrics()

    def stop(self) -> None:
        """Ends it, or cancels it where it is not through."""
        if not self._pipeline.ended:
            self._pipeline.cancel()
        with contextlib.suppress(PipelineError):
            # What was cancelled, or has failed, is known.
            self._pipeline.close(0)


class Fallback:
    """The NumPy fallback, item by item."""

    def __init__(self, pipeline: _fallback.FallbackPipeline) -> None:
        self._pipeline = pipeline
        self._line = pipeline._make()  # pyright: ignore[reportPrivateUsage]

    def ports(self) -> tuple[dict[str, str], list[str]]:
        """It has one input; what it takes it says when something comes."""
        return {self._line.input_name: "any"}, list(self._line.output_names)

    def drive(self, feeds: Feeds, emit: Emit) -> None:
        """Pushes all items."""
        from .fallback.values import Audio

        for packet in next(iter(feeds.values())):
            item = _values.value(packet)
            if packet.kind == "audio":
                item = Audio(_values.numpy().asarray(packet), packet.rate, packet.pts_ns)
            self._emit(self._line.push(item), emit)
        self._emit(self._line.end(), emit)

    def _emit(self, results: list[tuple[str, Any]], emit: Emit) -> None:
        for name, result in results:
            if hasattr(result, "samples"):
                told = {"rate": result.rate, "pts_ns": result.pts_ns, "discont": result.discont}
                emit(name, Packet(result.samples, kind="audio", **told))
            elif isinstance(result, (str, bytes)):
                emit(name, Packet(result))
            else:
                emit(name, Packet(getattr(result, "fields", result), kind="json"))

    def metrics(self) -> Any:
        """Per node."""
        return {"runtime": "python", "node_metrics": self._line.node_metrics()}

    def stop(self) -> None:
        """Nothing is held."""
