"""What has gone through a node: what comes out at its end has that rate, and the time that
follows."""

from __future__ import annotations

from dataclasses import dataclass

from ._native import Packet


@dataclass
class Passed:
    """The last packet that came in, and how far what came out has come."""

    kind: str = ""
    rate: int = 0
    discont: bool = False
    pixel_format: str = ""
    #: Time of the next output: the end of the last one, or, before there was one, the beginning of
    #: what came in.
    pts_ns: int | None = None

    def see(self, packet: Packet) -> None:
        """One more has come in."""
        self.kind = packet.kind
        if packet.kind == "audio":
            self.rate = packet.rate
        elif packet.kind == "video":
            self.pixel_format = packet.pixel_format
        if self.pts_ns is None or packet.discont:
            self.pts_ns = packet.pts_ns

    def forget(self) -> None:
        """The stream breaks."""
        self.kind, self.pts_ns = "", None
