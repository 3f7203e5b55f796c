"""What the tests of the package share: the recordings, and what is in a WAV file."""

from __future__ import annotations

import importlib
import struct
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    #: NumPy, untyped: where the types are checked it may not be there.
    np: Any = importlib.import_module("numpy")
except ImportError as error:
    raise unittest.SkipTest("these tests need numpy") from error
try:
    importlib.import_module("remotemedia._native")
except ImportError as error:
    raise unittest.SkipTest(f"the native module can't be imported: {error}") from error

ROOT = Path(__file__).resolve().parents[3]
MEDIA = ROOT / "media"
_TYPES = {(1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4", (1, 8): "u1"}


@dataclass
class Wav:
    """A WAV file, read without the package: rate in Hz, samples (frames, channels) of its type."""

    rate: int
    channels: int
    samples: Any

    @property
    def frames(self) -> int:
        """Its length."""
        return len(self.samples)

    @property
    def rms(self) -> float:
        """Its level; full scale of a float is 1."""
        return float(np.sqrt(np.mean(np.square(self.samples.astype(np.float64)))))


def read_wav(path: Path) -> Wav:
    """Reads a WAV file of plain samples."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE", data[:12]
    at, form, found = 12, (0, 0, 0, 0), b""
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            form = (tag, channels, rate, bits)
        elif name == b"data":
            found = body
        at += 8 + size + size % 2
    tag, channels, rate, bits = form
    samples = np.frombuffer(found, _TYPES[(tag, bits)]).reshape(-1, channels)
    return Wav(rate, channels, samples)
