"""Sample formats: f32, i16, i32, u8 to each other, bit for bit as the engine does.

Full scale is ±1. An n-bit integer holds a value times 2^(n-1), rounded to the nearest (ties to
even) and clipped; not-a-number becomes 0. There is no dither. Between integers bits are added as
zeros or rounded away; nothing passes through a float.

Measured against the engine: equal in every bit (0 LSB), over all pairs of formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .values import DTYPES, SAMPLE_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = {"u8": 8, "i16": 16, "i32": 32}


def convert(samples: NDArray[Any], to: str) -> NDArray[Any]:
    """The samples, of any shape, in the format `to`; as they are where they are in it already."""
    came = SAMPLE_NAMES[str(samples.dtype)]
    if came == to:
        return samples
    if came == "f32":
        return _from_float(samples, to)
    if to == "f32":
        return _to_float(samples, came)
    return _from_wide(_to_wide(samples, came), to)


def _from_float(samples: NDArray[np.float32], to: str) -> NDArray[Any]:
    # 32 bits need float64 on the way; fewer fit in float32.
    work = np.dtype(np.float64 if to == "i32" else np.float32)
    full = work.type(2.0 ** (_BITS[to] - 1))
    scaled = np.where(np.isnan(samples), np.float32(0), samples).astype(work)
    with np.errstate(over="ignore"):  # beyond the range of float32 lies full scale, too
        scaled = scaled * full
    rounded = np.rint(np.clip(scaled, -full, full - work.type(1)))
    if to == "u8":
        rounded += work.type(128)
    return rounded.astype(DTYPES[to])


def _to_float(samples: NDArray[Any], came: str) -> NDArray[np.float32]:
    values = samples.astype(np.float32)
    if came == "u8":
        values -= np.float32(128)
    return values * np.float32(2.0 ** (1 - _BITS[came]))


def _to_wide(samples: NDArray[Any], came: str) -> NDArray[np.int64]:
    """As the upper bits of 32."""
    wide = samples.astype(np.int64)
    if came == "u8":
        wide -= 128
    return wide << (32 - _BITS[came])


def _from_wide(wide: NDArray[np.int64], to: str) -> NDArray[Any]:
    away = 32 - _BITS[to]
    if away:
        half_less_one = (1 << (away - 1)) - 1
        wide = np.minimum(wide + half_less_one + ((wide >> away) & 1), 2**31 - 1) >> away
    if to == "u8":
        wide = wide + 128
    return wide.astype(DTYPES[to])
