"""PassThrough, and Buffer, which joins audio to longer blocks and JSON values to lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from .clock import whole_frames
from .errors import unfit
from .node import Emissions, Node
from .values import Audio, Format, Item, Json, Stream, Value

if TYPE_CHECKING:
    from .params import Values


class PassThrough(Node):
    """Hands everything on as it is."""

    def process(self, item: Item) -> Emissions:
        return [(0, item)]


class Buffer(Node):
    """Collects items until there are `buffer_size`, or audio of `buffer_size_samples` frames or
    `duration_ms` ms, whichever is reached first; 10 items where nothing is said. Audio comes out
    joined, JSON as a list, other items one by one."""

    def __init__(self, params: Values) -> None:
        self._items = params.whole("buffer_size")
        self._samples = params.whole("buffer_size_samples")
        self._ms = params.number("duration_ms")
        self._most_items: int | None = None
        self._most_frames: int | None = None
        self._held: list[Item] = []
        self._frames = 0

    def configure(self, stream: Stream) -> None:
        by_length = self._samples is not None or self._ms is not None
        self._most_frames = None
        if isinstance(stream, Format):
            limits = [] if self._samples is None else [self._samples]
            if self._ms is not None:
                limits.append(max(whole_frames(self._ms, stream.rate), 1))
            self._most_frames = min(limits, default=None)
        elif by_length and self._items is None:
            raise unfit(
                f"duration_ms and buffer_size_samples measure audio, not {stream}",
                "give buffer_size, which counts items",
            )
        self._most_items = self._items if self._items is not None or by_length else 10

    def process(self, item: Item) -> Emissions:
        self._held.append(item)
        self._frames += item.frames if isinstance(item, Audio) else 0
        full = self._most_items is not None and len(self._held) >= self._most_items
        if full or (self._most_frames is not None and self._frames >= self._most_frames):
            return self.drain()
        return []

    def drain(self) -> Emissions:
        held, self._held, self._frames = self._held, [], 0
        if not held:
            return []
        first = held[0]
        if isinstance(first, Value) and first.kind == "json":
            values = [cast("Json", item.payload) for item in held if isinstance(item, Value)]
            return [(0, replace(first, payload=values))]
        if isinstance(first, Audio):
            blocks = [item.table for item in held if isinstance(item, Audio)]
            return [(0, first.holding(np.concatenate(blocks)) if len(held) > 1 else first)]
        return [(0, item) for item in held]
