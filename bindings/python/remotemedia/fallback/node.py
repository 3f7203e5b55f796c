"""What a node of the fallback is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .errors import FallbackError, unfit
from .values import Audio, Item, Stream, kind

#: What a node gives: the index of its output port, and the item.
Emissions = list[tuple[int, Item]]


class Node(ABC):
    """A node, with the engine's life: `configure` when the format or kind of its stream is there or
    changes (after a `drain`), `process` for each item, `drain` where the stream breaks or ends."""

    def configure(self, stream: Stream) -> None:  # noqa: B027 (most need not know)
        """Takes the format of what will come."""

    @abstractmethod
    def process(self, item: Item) -> Emissions:
        """Works on an item."""

    def drain(self) -> Emissions:
        """Gives what is still inside; afterwards the node is as new."""
        return []


def audio(item: Item) -> Audio:
    """The item, which is audio."""
    if isinstance(item, Audio):
        return item
    raise FallbackError(f"the node takes audio, not {kind(item)}", hint="push Audio")


def expect(param: str, wanted: int | None, found: int, unit: str) -> None:
    """Refuses a stream that is not as a param says."""
    if wanted is not None and wanted != found:
        raise unfit(
            f"the stream has {found} {unit}, but {param} says {wanted}",
            f"leave {param} out: the stream says what it has",
        )
