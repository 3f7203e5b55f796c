"""What a run pushes: the items of each input, those of several inputs in turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import _values
from .errors import PipelineError

if TYPE_CHECKING:
    from ._base import Base
    from ._native import Packet


class Feed:
    """What is for one input, packet by packet."""

    def __init__(self, port: str | None, items: Iterator[_values.Item]) -> None:
        self.port = port
        self._items = items
        self._next: tuple[Packet, str | None] | None = None

    def peek(self, pipeline: Base, options: dict[str, Any]) -> tuple[Packet, str | None] | None:
        """The next packet and its input; None: there are no more."""
        if self._next is None and (item := next(self._items, None)) is not None:
            packet = pipeline._packet(  # pyright: ignore[reportPrivateUsage]
                item.data, item.port, **{**options, **item.options}
            )
            self._next = (packet, item.port)
        return self._next

    def taken(self) -> None:
        """It has been pushed."""
        self._next = None


def feeds(data: Any, inputs: Sequence[str]) -> list[Feed]:
    """What to push for what `run` is given."""
    named = _values.by_input(data, inputs)
    if named is None:
        return [Feed(None, _values.items(data, inputs))]
    return [Feed(port, items) for port, items in named.items()]


def stuck(waiting: Sequence[Feed]) -> PipelineError:
    """Nothing can be pushed, and nothing more comes without a push."""
    names = [f"'{feed.port}'" for feed in waiting if feed.port is not None]
    who = f"the inputs {', '.join(names)} wait" if len(names) > 1 else "what is given waits"
    return PipelineError(
        f"{who} for packets that are not there: the pipeline needs others before it has room for "
        "what comes next; give what belongs together at the same time"
    )
