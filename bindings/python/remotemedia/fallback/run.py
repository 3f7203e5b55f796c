"""Runs a chain of nodes, item by item, in the caller's thread."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import caps, manifest
from .audio import AudioAdapter
from .clock import Input
from .errors import FallbackError, unfit
from .values import Audio, Item, Result, Stream, admitted, kind, result, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .caps import Caps
    from .node import Node

#: What comes out: the name of the output, and the item.
Outputs = list[tuple[str, Result]]


class _Slot:
    """A node in its place: told of formats and breaks as the engine tells it, and counted."""

    def __init__(
        self,
        name: str,
        node_type: str,
        node: Node,
        takes: Caps,
        outputs: int,
        next_port: int | None,
    ) -> None:
        self.id = name
        self.node_type = node_type
        #: Names of the pipeline's outputs, by output port.
        self.names: dict[int, str] = {}
        self.next_port = next_port
        self.done = 0
        self.failed = 0
        self.nanos = 0
        self._node = node
        self._takes = takes
        self._stream: Stream | None = None
        #: Whether nothing can be inside, so that a break needs no drain.
        self._clean = True
        #: Outputs whose next item comes behind a break.
        self._broken: set[int] = set()
        self._outputs = outputs

    def process(self, item: Item) -> list[tuple[int, Item]]:
        """What the node gives for an item, after what a break or a change of format brings out."""
        begin = time.perf_counter_ns()
        try:
            out = self._border(item)
            self._clean = False
            out += self._marked(self._node.process(item))
        except FallbackError as error:
            self.failed += 1
            raise error.at(self.id) from None
        finally:
            self.nanos += time.perf_counter_ns() - begin
        self.done += 1
        return out

    def drain(self) -> list[tuple[int, Item]]:
        """What is still inside the node."""
        begin = time.perf_counter_ns()
        out = self._marked(self._node.drain())
        self._clean = True
        self.nanos += time.perf_counter_ns() - begin
        return out

    def check(self, item: Item) -> None:
        """Refuses what the node does not take."""
        fits = self._takes.kinds is None or kind(item) in self._takes.kinds
        if not fits:
            raise unfit(f"it takes {self._takes}, not {kind(item)}", "push what it takes", self.id)
        if isinstance(item, Audio) and not self._takes.audio.contains(item.format):
            nearest = self._takes.audio.nearest(item.format)
            hint = f"convert it, for example to {nearest}, or leave auto_negotiate out"
            raise unfit(f"it does not take audio of {item.format}", hint, self.id)

    def _border(self, item: Item) -> list[tuple[int, Item]]:
        """Makes the node ready for a stream that breaks or changes its format."""
        came, broken = stream(item), item.discont
        if not broken and came == self._stream:
            return []
        out = [] if self._clean else self._marked(self._node.drain())
        self._clean = True
        if broken or (self._stream is not None and came != self._stream):
            self._broken = set(range(self._outputs))
        if came != self._stream:
            self.check(item)
            self._stream = came
            self._node.configure(came)
        return out

    def _marked(self, out: list[tuple[int, Item]]) -> list[tuple[int, Item]]:
        """The items, the first of each output behind a break marked so."""
        if not self._broken:
            return out
        seen: list[tuple[int, Item]] = []
        for port, item in out:
            seen.append((port, replace(item, discont=True) if port in self._broken else item))
            self._broken.discard(port)
        return seen


class LinearPipeline:
    """A manifest's chain of nodes.

    `push` takes an item (Audio, str, bytes, or what JSON can say) and gives what comes out, as
    (name of the output, item), at once; `end` gives the rest. An item that the input does not take
    is refused and changes nothing; after an error of a node the pipeline has failed, as in the
    engine. Not for several threads at once.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        """From a manifest. Raises `FallbackError` for whatever the fallback can't do."""
        chain = manifest.read(document)
        self._input = Input(chain.input_name, chain.late)
        self._slots = _slots(chain)
        self._ended = False
        self._failed = False
        #: Name of the pipeline, "" without one.
        self.name = chain.name
        self.input_name = chain.input_name
        self.output_names = list(chain.output_names)

    def push(self, item: object) -> Outputs:
        """Takes an item, and gives what comes out for it: (name of the output, item)."""
        self._alive()
        good = admitted(item)
        self._slots[0].check(good)
        placed = self._input.place(good) if isinstance(good, Audio) else good
        if placed is None:
            return []
        return self._guarded(lambda out: self._into(0, placed, out))

    def end(self) -> Outputs:
        """Ends the input, and gives what is still inside: (name of the output, item)."""
        self._alive()
        self._ended = True

        def drain(out: Outputs) -> None:
            for index, slot in enumerate(self._slots):
                self._deliver(index, slot.drain(), out)

        return self._guarded(drain)

    def node_metrics(self) -> list[dict[str, Any]]:
        """For each node, adapters included, in the order in which they run: node_id, node_type,
        execution_count, success_count, error_count (items), total_duration_us."""
        return [
            {
                "node_id": slot.id,
                "node_type": slot.node_type,
                "execution_count": slot.done + slot.failed,
                "success_count": slot.done,
                "error_count": slot.failed,
                "total_duration_us": round(slot.nanos / 1000, 3),
            }
            for slot in self._slots
        ]

    def _alive(self) -> None:
        if self._failed:
            raise FallbackError("the pipeline has failed", hint="make a new one")
        if self._ended:
            raise FallbackError("the pipeline has ended", hint="make a new one")

    def _guarded(self, work: Callable[[Outputs], None]) -> Outputs:
        out: Outputs = []
        try:
            work(out)
        except BaseException:
            self._failed = True
            raise
        return out

    def _into(self, index: int, item: Item, out: Outputs) -> None:
        self._deliver(index, self._slots[index].process(item), out)

    def _deliver(self, index: int, emissions: list[tuple[int, Item]], out: Outputs) -> None:
        slot = self._slots[index]
        for port, item in emissions:
            if port in slot.names:
                out.append((slot.names[port], result(item)))
            if port == slot.next_port:
                self._into(index + 1, item, out)


def _slots(chain: manifest.Chain) -> list[_Slot]:
    """The nodes of a chain, with adapters where audio has to be converted."""
    slots: list[_Slot] = []
    given = caps.ANY
    for place, step in enumerate(chain.steps):
        taken = step.ports.takes
        fit = caps.fit(given, taken)
        if fit is None:
            before = chain.steps[place - 1].id
            raise unfit(f"it takes {taken}, but '{before}' gives {given}", node=step.id)
        arrives = fit.arrives
        if fit.adapter and chain.auto_negotiate:
            name = f"{step.id}.in~adapter"
            adapter = AudioAdapter(taken.audio)
            slots.append(_Slot(name, "rmedia/AudioAdapter", adapter, caps.AUDIO, 1, 0))
        elif fit.adapter:
            arrives = _without_adapter(given, taken, step.id, place == 0)
        kind_name = f"rmedia/{step.node_type.name}"
        outputs = len(step.ports.outputs)
        node = step.node_type.make(step.params)
        slots.append(_Slot(step.id, kind_name, node, taken, outputs, step.next_port))
        slots[-1].names = step.outputs
        if step.next_port is not None:
            given = caps.output(step.ports.outputs[step.next_port], arrives)
    return slots


def _without_adapter(given: Caps, taken: Caps, node: str, first: bool) -> Caps:
    """What comes to a node where `auto_negotiate` is false."""
    if given.audio.planar:
        raise FallbackError(
            "planar audio with auto_negotiate: false is not supported by the Python fallback",
            node=node,
            hint="leave planar out, or run the manifest with the native engine",
        )
    differs = given.audio.differs(taken.audio)
    if differs:
        raise unfit(
            f"the {differs} of what comes differs from what it takes, and auto_negotiate is false",
            "put a node that converts between them, or leave auto_negotiate out",
            node,
        )
    return taken if first else caps.meet(given, taken)
