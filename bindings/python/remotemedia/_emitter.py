"""Packets of what a node written in Python gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ._native import Job, Packet
from ._node import Output
from ._passed import Passed
from ._values import is_array, with_rate
from .errors import ConfigurationError

if TYPE_CHECKING:
    from ._hosted import Hosted

_NS = 1_000_000_000


class Emitter:
    """Makes packets of what a node gives, and hands them over."""

    def __init__(self, job: Job) -> None:
        self._job = job
        #: What the outputs are like, where they don't say it themselves.
        self._source: Packet | Passed | None = job.packet
        self._next_pts = self._source.pts_ns if self._source is not None else None
        self._ports: list[str] = ["out"]
        self._passed: Passed | None = None
        self._emitted = False

    def belongs_to(self, hosted: Hosted) -> None:
        """Whose outputs they are."""
        self._ports, self._passed = hosted.outputs, hosted.passed
        if isinstance(self._source, Packet):
            hosted.passed.see(self._source)
        elif hosted.passed.kind:
            # Its tail: there is no packet that it comes from.
            self._source, self._next_pts = hosted.passed, hosted.passed.pts_ns

    def __call__(self, given: Any) -> None:
        if given is None:
            return
        if isinstance(given, Output):
            self._put(given.value, given.port, dict(given.options))
        else:
            self._put(given, None, {})

    def _put(self, given: Any, port: str | None, options: dict[str, Any]) -> None:
        if port is None:
            index = 0
        elif port in self._ports:
            index = self._ports.index(port)
        else:
            raise ConfigurationError(
                f"there is no output '{port}'; the node declares {', '.join(self._ports)}: "
                "name it in `outputs`"
            )
        packet = given if isinstance(given, Packet) else self._packet(given, options)
        self._job.emit(index, packet)

    def _packet(self, given: Any, options: dict[str, Any]) -> Packet:
        if (pair := with_rate(given)) is not None:
            given, options = pair[0], {"rate": pair[1], **options}
        source = self._source
        if _is_array(given) and source is not None and "kind" not in options:
            if source.kind == "audio" and "rate" not in options:
                options["rate"] = source.rate
                options.setdefault("discont", source.discont and not self._emitted)
            elif source.kind == "video" and str(getattr(given, "dtype", "")) == "uint8":
                options["kind"] = "video"
                shape = cast("tuple[int, ...]", given.shape)
                if len(shape) == 3 and "pixel_format" not in options:
                    options["pixel_format"] = _like(source.pixel_format, shape[2])
        if "pts_ns" not in options and self._next_pts is not None:
            options["pts_ns"] = self._next_pts
        packet = Packet(given, **options)
        self._emitted = True
        if packet.kind == "audio" and packet.pts_ns is not None:
            # What follows in the same call goes on where this ends.
            self._next_pts = packet.pts_ns + packet.frames * _NS // packet.rate
            if self._passed is not None:
                self._passed.pts_ns = self._next_pts
        return packet


def _is_array(given: Any) -> bool:
    return is_array(given) and getattr(given, "ndim", 1) > 0


def _like(pixel_format: str, channels: int) -> str:
    """The pixel format of a picture that was made of another."""
    names = {3: ("rgb24", "bgr24"), 4: ("rgba", "bgra")}.get(channels)
    if names is None:
        return pixel_format
    return names[1] if pixel_format.startswith("bgr") else names[0]
