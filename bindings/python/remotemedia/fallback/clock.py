"""Media time: whole nanoseconds, counted by frames, and the place in time of what comes in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import FallbackError

if TYPE_CHECKING:
    from .values import Audio

SECOND = 1_000_000_000
#: Times within this of the count are jitter; beyond it the stream has jumped. In nanoseconds.
JITTER = 40_000_000


def span(frames: int, rate: int) -> int:
    """Nanoseconds that `frames` last at `rate` Hz, rounded to the nearest (halves up)."""
    return (frames * SECOND + rate // 2) // rate


def whole_frames(ms: float, rate: int) -> int:
    """Frames at `rate` Hz in `ms` milliseconds, rounded to the nearest by way of nanoseconds."""
    exact = ms / 1e3 * 1e9
    low = math.floor(exact)
    nanos = low + (exact - low >= 0.5)
    return (nanos * rate + SECOND // 2) // SECOND


@dataclass
class SampleClock:
    """Time by counting frames from an anchor, so that rounding never adds up."""

    #: Nanoseconds.
    anchor: int
    #: Frames a second.
    rate: int
    #: Frames counted.
    frames: int = 0

    def at(self, frames: int) -> int:
        """The time so many frames after where the clock stands, in nanoseconds."""
        return self.anchor + span(self.frames + frames, self.rate)

    def advance(self, frames: int) -> int:
        """Counts frames on, and gives the time at which they began, in nanoseconds."""
        begin = self.at(0)
        self.frames += frames
        return begin


class Input:
    """Gives what is pushed its place in time, by the engine's rules.

    Audio without a time follows what came before. A time within 40 ms of the count is jitter and
    taken out; a later one is a jump, and the stream breaks there; an earlier one is late: refused,
    moved (`clamp`) or dropped (`drop`) as the manifest says.
    """

    def __init__(self, name: str, late: str) -> None:
        self.name = name
        self.late = late
        self.clock: SampleClock | None = None

    def place(self, item: Audio) -> Audio | None:
        """The block at its time, or None where it came too late and is dropped."""
        clock, pts, discont = self.clock, item.pts_ns, item.discont
        if clock is None:
            self.clock = SampleClock(pts or 0, item.rate)
            return replace(item, pts_ns=self.clock.advance(item.frames), discont=False)
        now = clock.at(0)
        jumped = False
        anchor = now if discont or clock.rate != item.rate else None
        if pts is not None:
            far = abs(pts - now) > JITTER
            if pts < now and (far or discont):
                if self.late == "drop":
                    return None
                if self.late == "error":
                    raise FallbackError(
                        f"audio at {pts / 1e9:.3f} s on input '{self.name}' lies before "
                        f"{now / 1e9:.3f} s, which has passed",
                        hint="push in order of time, or set late: clamp or late: drop on the input",
                    )
            elif far:
                jumped, anchor = True, pts
            elif discont:
                anchor = pts
        if anchor is not None:
            self.clock = clock = SampleClock(anchor, item.rate)
        return replace(item, pts_ns=clock.advance(item.frames), discont=discont or jumped)
