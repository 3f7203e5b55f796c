"""Rate conversion by a bank of polyphase filters: a sinc under a Kaiser window.

Every output frame is one dot product of the input around its time with the row of the bank that
belongs to its phase. Where the phases are too many, a row lies on a straight line between two
neighbours. Coefficients are float32; products are added up in the engine's order, in float32.

Measured against the engine: equal in every bit. Promised: an error below -120 dB of full scale
(numpy's sine may differ in the last place from machine to machine).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Most coefficients of a bank with a row for every phase.
_MOST_EXACT = 1 << 19
#: Rows of an interpolated bank for a full-band filter.
_ROWS = 2048.0
#: Rows are a multiple of this long.
_LANES = 8
#: Output frames that are worked on at a time: bounds the memory.
_BLOCK = 2048

#: Rejection in dB and width of the transition, as a part of the lower Nyquist frequency.
_SHARPNESS = {
    "low": (80.0, 0.15),
    "medium": (100.0, 0.15),
    "high": (120.0, 0.09),
    "vhq": (140.0, 0.05),
}
#: Longest lag in seconds.
_LAG = {"low": 0.003, "auto": 0.020, "offline": math.inf}


@dataclass(frozen=True)
class Ratio:
    """Output rate : input rate in lowest terms."""

    up: int
    down: int

    @staticmethod
    def of(came: int, to: int) -> Ratio:
        """From two rates in Hz."""
        common = math.gcd(came, to)
        return Ratio(to // common, came // common)

    def scale(self, frames: int) -> int:
        """What so many input frames come to, rounded to the nearest."""
        return (2 * frames * self.up + self.down) // (2 * self.down)

    @property
    def band(self) -> float:
        """Share of the input's band that the output holds."""
        return min(self.up / self.down, 1.0)


class Fir:
    """The stream of one resampler, (frames, channels) at a time."""

    def __init__(self, rate: int, ratio: Ratio, channels: int, quality: str, latency: str) -> None:
        rejection, transition = _SHARPNESS[quality]
        band = ratio.band
        # Kaiser's estimate: length - 1 = (rejection - 7.95) / (2.285 · transition in radians).
        radians = math.pi * band
        wanted = (rejection - 7.95) / (2.285 * radians * transition) + 1.0
        half = math.ceil(wanted / 2.0)
        if math.isfinite(_LAG[latency]):
            half = min(half, math.floor(_LAG[latency] * rate))
        half = max(half, 4)
        transition = (rejection - 7.95) / (2.285 * radians * (2.0 * half - 1.0))
        stop = min(max(0.85 + transition, 1.0), 1.0 + transition / 2.0)
        cutoff = band * (stop - transition / 2.0)
        self._ratio = ratio
        self._channels = channels
        self._half = half
        self._taps = -(-2 * half // _LANES) * _LANES
        self._exact = ratio.up * self._taps <= _MOST_EXACT
        self._rows = ratio.up if self._exact else int(max(math.ceil(_ROWS * band), 16.0))
        self._bank = self._coefficients(cutoff, 0.1102 * (rejection - 8.7))
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        # Silence before the first frame, which the first output frame has in its middle.
        self._history = np.zeros((self._channels, self._taps - self._half - 1), np.float32)
        self._start = 0
        self._phase = 0

    def process(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Takes (frames, channels); gives all output frames whose filter it has filled."""
        self._history = np.concatenate([self._history, table.T], axis=1)
        room = self._history.shape[1] - self._start - self._taps + 1
        count = 0
        if room > 0:
            count = -(-(room * self._ratio.up - self._phase) // self._ratio.down)
        return self._run(count)

    def finish(self, frames: int) -> NDArray[np.float32]:
        """The last frames, with silence after the input. `reset` has to follow."""
        reach = self._start + (self._phase + frames * self._ratio.down) // self._ratio.up
        missing = max(reach + self._taps - self._history.shape[1], 0)
        silence = np.zeros((self._channels, missing), np.float32)
        self._history = np.concatenate([self._history, silence], axis=1)
        return self._run(frames)

    def _run(self, count: int) -> NDArray[np.float32]:
        up, down = self._ratio.up, self._ratio.down
        out = np.empty((count, self._channels), np.float32)
        for begin in range(0, count, _BLOCK):
            places = self._phase + np.arange(begin, min(begin + _BLOCK, count)) * down
            rows = self._filters(places % up)
            starts = self._start + places // up
            for channel in range(self._channels):
                windows = np.lib.stride_tricks.sliding_window_view(
                    self._history[channel], self._taps
                )
                out[begin : begin + _BLOCK, channel] = _dot(rows, windows[starts])
        end = self._phase + count * down
        self._start += end // up
        self._phase = end % up
        # What no output frame will read any more goes.
        gone = min(self._start, self._history.shape[1])
        self._history = self._history[:, gone:].copy()
        self._start -= gone
        return out

    def _filters(self, phases: NDArray[np.int64]) -> NDArray[np.float32]:
        if self._exact:
            return self._bank[phases]
        place = phases * self._rows
        row, up = place // self._ratio.up, self._ratio.up
        part = (place % up).astype(np.float32) / np.float32(up)
        low = self._bank[row]
        between = (self._bank[row + 1] - low) * part[:, None]
        return cast("NDArray[np.float32]", low + between)

    def _coefficients(self, cutoff: float, beta: float) -> NDArray[np.float32]:
        """The bank: (rows, taps), with equal gain for all phases."""
        rows = self._rows + (not self._exact)
        bank = np.empty((rows, self._taps), np.float32)
        taps = np.arange(self._taps, dtype=np.float64) - (self._taps - self._half - 1)
        for begin in range(0, rows, 256):
            phases = np.arange(begin, min(begin + 256, rows)) / self._rows
            row = _windowed_sinc(taps - phases[:, None], cutoff, float(self._half), beta)
            bank[begin : begin + 256] = row / np.cumsum(row, axis=1)[:, -1:]
        return bank


def _dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of products of (n, taps) with (n, taps), row by row, added up in the engine's order: 32
    sums side by side, folded to eight, to four, to one."""
    n, taps = a.shape
    wide = np.zeros((n, 32), np.float32)
    whole = taps // 32 * 32
    product = a * b
    for at in range(0, whole, 32):
        wide += product[:, at : at + 32]
    sums = (wide[:, :8] + wide[:, 8:16]) + (wide[:, 16:24] + wide[:, 24:])
    for at in range(whole, taps, 8):
        sums += product[:, at : at + 8]
    four = sums[:, :4] + sums[:, 4:]
    one = (four[:, 0] + four[:, 2]) + (four[:, 1] + four[:, 3])
    return cast("NDArray[np.float32]", one)


def _windowed_sinc(
    time: NDArray[np.float64], cutoff: float, half: float, beta: float
) -> NDArray[np.float64]:
    """The prototype at `time` (in input frames): cut off at `cutoff` · Nyquist, zero from ±`half`
    on."""
    place = time / half
    angle = np.pi * cutoff * time
    near = np.abs(angle) < 1e-9
    safe = np.where(near, 1.0, angle)
    sinc = np.where(near, 1.0, np.sin(safe) / safe)
    inside = np.abs(place) <= 1.0
    window = _bessel_i0(beta * np.sqrt(np.where(inside, 1.0 - place * place, 0.0)))
    return np.where(inside, sinc * window, 0.0)


def _bessel_i0(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Modified Bessel function of the first kind, order zero, by its power series."""
    total, term, n = np.ones_like(x), np.ones_like(x), 1.0
    while bool(np.any(term > total * 1e-17)):
        term = term * (x / (2.0 * n)) ** 2
        total = total + term
        n += 1.0
    return total
