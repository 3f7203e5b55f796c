"""Arrays of somebody's into which packets are put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .errors import ArgumentError, FormatError

if TYPE_CHECKING:
    from ._native import Packet


def place(out: Any) -> memoryview:
    """The place that an array gives; checked before a packet is pulled for it."""
    try:
        target = memoryview(out)
    except TypeError:
        kind = type(out).__name__
        message = f"a {kind} is no array to put samples into: give a NumPy array"
        raise ArgumentError(message) from None
    if target.readonly or not target.c_contiguous:
        why = "it is read-only" if target.readonly else "its elements have gaps"
        raise ArgumentError(f"an array of shape {target.shape} can't be filled: {why}")
    return target


def _element(array: memoryview) -> str:
    """The type of the elements, where one has several names."""
    code = array.format.lstrip("@=<")
    return {"l": "q" if array.itemsize == 8 else "i"}.get(code, code)


def fill(target: memoryview, packet: Packet) -> int:
    """Copies a packet to the beginning of a place. How many frames, or elements of the first size,
    these are. A flat place takes elements of any shape, row by row. Where it does not fit, the
    error has the packet, which was taken out of its pipeline, as `packet`."""
    try:
        source = memoryview(packet)
        sizes, room = cast("tuple[int, ...]", source.shape), cast("tuple[int, ...]", target.shape)
        fits = len(room) == 1 or sizes[1:] == room[1:]
        if _element(source) != _element(target) or not fits or source.nbytes > target.nbytes:
            raise FormatError(
                f"a packet of {packet.dtype} of shape {sizes} does not fit into an array of format "
                f"{target.format!r} and shape {room}; it is this error's `packet`"
            )
    except Exception as error:
        error.packet = packet  # pyright: ignore[reportAttributeAccessIssue]
        raise
    if source.nbytes:
        data = source.cast("B") if source.c_contiguous else packet.tobytes()
        target.cast("B")[: source.nbytes] = data
    return sizes[0] if sizes else 1
