"""Sample rate conversion of a stream: any chunking in, equal samples out.

Output frame n is the input at time n · from / to: the filter's delay is trimmed at the start, and
`drain` gives the rest, so that the output lasts as long as the input, rounded to the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import fft
from .fir import Fir, Ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Resampler:
    """Converts (frames, channels) of float32 from one rate to another, both in Hz.

    `quality`: low, medium, high, vhq; `latency`: low, auto, offline; as AudioResample has them.
    """

    def __init__(
        self, came: int, to: int, channels: int, quality: str = "medium", latency: str = "auto"
    ) -> None:
        self._ratio = Ratio.of(came, to)
        lengths = fft.block(self._ratio, quality) if latency == "offline" else None
        self._engine: Fir | fft.Fft
        if lengths is None:
            self._engine = Fir(came, self._ratio, channels, quality, latency)
        else:
            self._engine = fft.Fft(lengths, channels)
        self._taken = 0
        self._given = 0

    def process(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Takes (frames, channels) and gives what is sure by then. What is no number, infinite or
        beyond 10^18 counts as silence."""
        good = np.abs(table) < np.float32(1e18)
        out = self._engine.process(np.where(good, table, np.float32(0)))
        self._taken += table.shape[0]
        self._given += out.shape[0]
        return out

    def drain(self) -> NDArray[np.float32]:
        """Gives the rest, and is as new."""
        out = self._engine.finish(self._ratio.scale(self._taken) - self._given)
        self._engine.reset()
        self._taken = self._given = 0
        return out
