"""Audio and video as plain values: samples and pixels that know their format and time.

They are what `remotemedia.serialization` makes of packets, and what packets can be made of:
`AudioFrame.of(packet)`, `frame.packet()`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from . import _values
from .errors import FormatError, SerializationError

if TYPE_CHECKING:
    from ._native import Packet

__all__ = ["AudioFrame", "VideoFrame"]

#: Types of samples, by their name in JSON.
FORMATS = {"f32": "float32", "i16": "int16", "i32": "int32", "u8": "uint8"}
#: Pixel formats, and the last size of their arrays; 0: two dimensions.
PIXELS = {"rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4, "gray8": 0, "i420": 0, "nv12": 0}
MAX_RATE, MAX_CHANNELS = 768_000, 64
_NS = 1_000_000_000


def _check_time(pts_ns: object) -> None:
    if pts_ns is None:
        return
    if type(pts_ns) is not int or not -(2**63) <= pts_ns < 2**63:
        raise FormatError(f"pts_ns is {_shown(pts_ns)}: give nanoseconds as an int, or None")


def _shown(value: object) -> str:
    """A value in a message, short; not all ints can be printed."""
    return (
        str(value)[:40]
        if isinstance(value, (int, float)) and abs(value) < 2**64
        else (f"a {type(value).__name__}")
    )


def _same(one: Any, other: Any) -> bool:
    """Whether arrays have the same type, shape and bits; NaN is itself."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bool(one.tobytes() == other.tobytes())


@dataclass(frozen=True, eq=False)
class AudioFrame:
    """A stretch of audio.

    `samples`: float32 (full scale ±1), int16, int32 or uint8, (frames,) for one channel or
    (frames, channels). `rate`: in Hz, 1 to 768000. `pts_ns`: its time in nanoseconds, if it has
    one. FormatError: it is none of that. Frames are equal where samples, bit by bit, rate and time
    are.
    """

    samples: Any
    rate: int
    pts_ns: int | None = None

    def __post_init__(self) -> None:
        dtype, shape = getattr(self.samples, "dtype", None), getattr(self.samples, "shape", ())
        if str(dtype) not in FORMATS.values() or len(shape) not in (1, 2):
            raise FormatError(
                f"samples are a {type(self.samples).__name__} of {dtype}, shape {shape}: give a "
                "NumPy array of float32, int16, int32 or uint8, (frames,) or (frames, channels)"
            )
        if len(shape) == 2 and not 1 <= shape[1] <= MAX_CHANNELS:
            raise FormatError(
                f"samples of shape {shape} have {shape[1]} channels: the shape is (frames, "
                f"channels), with 1 to {MAX_CHANNELS} channels"
            )
        if type(self.rate) is not int or not 1 <= self.rate <= MAX_RATE:
            raise FormatError(f"rate is {_shown(self.rate)}: give Hz as an int, 1 to {MAX_RATE}")
        _check_time(self.pts_ns)

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return int(self.samples.shape[1]) if self.samples.ndim == 2 else 1

    @property
    def duration_ns(self) -> int:
        """How long it lasts, in nanoseconds."""
        return len(self.samples) * _NS // self.rate

    @classmethod
    def of(cls, packet: Packet) -> AudioFrame:
        """The frame of a packet of audio; its samples share the packet's memory, read-only."""
        if packet.kind != "audio":
            raise FormatError(f"a packet of kind {packet.kind} is no audio")
        return cls(_values.numpy().asarray(packet), packet.rate, packet.pts_ns)

    def packet(self) -> Packet:
        """A packet of it."""
        from ._native import Packet

        return Packet(self.samples, kind="audio", rate=self.rate, pts_ns=self.pts_ns)

    def to_json(self) -> dict[str, Any]:
        """`{"type": "audio", "samples": […], "sample_rate", "channels", "format", "pts_ns"}`,
        samples interleaved: an audio dict of pipelines, with the samples' format (f32, i16, i32,
        u8)."""
        form = next(form for form, name in FORMATS.items() if name == str(self.samples.dtype))
        return {
            "type": "audio",
            "samples": self.samples.reshape(-1).tolist(),
            "sample_rate": self.rate,
            "channels": self.channels,
            "format": form,
            "pts_ns": self.pts_ns,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AudioFrame:
        """From what `to_json` gives; "format" (f32), "channels" (1) and "pts_ns" may be absent.

        SerializationError: it is none.
        """
        np = _values.numpy()
        try:
            form, channels = data.get("format", "f32"), data.get("channels", 1)
            samples: Any = np.asarray(data["samples"])
            exact = samples.astype(np.dtype(FORMATS[form]))
            if samples.ndim != 1 or type(channels) is not int or channels < 1:
                raise ValueError("samples are a list of numbers, channels a number from 1")
            if form != "f32" and not np.array_equal(samples, exact):
                raise ValueError(f"samples of {form} are whole numbers within its range")
            shaped = exact if channels == 1 else exact.reshape(-1, channels)
            return cls(shaped, data["sample_rate"], data.get("pts_ns"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SerializationError(_wrong("audio", error)) from error

    def __eq__(self, other: object) -> bool:
        if type(other) is not AudioFrame:
            return NotImplemented
        rest = (self.rate, self.pts_ns) == (other.rate, other.pts_ns)
        return rest and _same(self.samples, other.samples)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """A picture.

    `pixels`: uint8, (height, width, 3) for rgb24 and bgr24, (height, width, 4) for rgba and bgra,
    (height, width) for gray8, (3/2 height, width) for i420 and nv12. `pts_ns`: its time in
    nanoseconds, if it has one. FormatError: it is none of that. Frames are equal where pixels,
    format and time are.
    """

    pixels: Any
    pixel_format: str = "rgb24"
    pts_ns: int | None = None

    def __post_init__(self) -> None:
        last = PIXELS.get(self.pixel_format) if type(self.pixel_format) is str else None
        if last is None:
            raise FormatError(f"the pixel format is none of {', '.join(PIXELS)}")
        dtype = getattr(self.pixels, "dtype", None)
        shape = cast("tuple[int, ...]", getattr(self.pixels, "shape", ()))
        planes = self.pixel_format in ("i420", "nv12")
        fits = len(shape) == 3 and shape[2] == last if last else len(shape) == 2
        if str(dtype) != "uint8" or not fits or (planes and (shape[0] % 3 or shape[1] % 2)):
            wanted = f"(height, width, {last})" if last else "(height, width)"
            wanted = "(3/2 height, width), both even" if planes else wanted
            raise FormatError(
                f"pixels of {dtype}, shape {shape}: {self.pixel_format} is a NumPy array of uint8, "
                f"shape {wanted}"
            )
        _check_time(self.pts_ns)

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        rows = int(self.pixels.shape[0])
        return rows * 2 // 3 if self.pixel_format in ("i420", "nv12") else rows

    @classmethod
    def of(cls, packet: Packet) -> VideoFrame:
        """The frame of a packet of video; its pixels share the packet's memory, read-only."""
        if packet.kind != "video":
            raise FormatError(f"a packet of kind {packet.kind} is no video")
        return cls(_values.numpy().asarray(packet), packet.pixel_format, packet.pts_ns)

    def packet(self) -> Packet:
        """A packet of it."""
        from ._native import Packet

        form, time = self.pixel_format, self.pts_ns
        return Packet(self.pixels, kind="video", pixel_format=form, pts_ns=time)

    def to_json(self) -> dict[str, Any]:
        """`{"type": "video", "pixels": base64 of the rows, "width", "height", "pixel_format",
        "pts_ns"}`; sizes in pixels."""
        return {
            "type": "video",
            "pixels": base64.b64encode(self.pixels.tobytes()).decode("ascii"),
            "width": self.width,
            "height": self.height,
            "pixel_format": self.pixel_format,
            "pts_ns": self.pts_ns,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> VideoFrame:
        """From what `to_json` gives. SerializationError: it is none."""
        np = _values.numpy()
        try:
            width, height, form = data["width"], data["height"], data["pixel_format"]
            last = PIXELS[form]
            rows = height * 3 // 2 if form in ("i420", "nv12") else height
            pixels = np.frombuffer(base64.b64decode(data["pixels"], validate=True), np.uint8)
            shaped = pixels.reshape((rows, width, last) if last else (rows, width)).copy()
            made = cls(shaped, form, data.get("pts_ns"))
            if (made.width, made.height) != (width, height):
                raise ValueError("width and height are positive")
            return made
        except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
            raise SerializationError(_wrong("video", error)) from error

    def __eq__(self, other: object) -> bool:
        if type(other) is not VideoFrame:
            return NotImplemented
        rest = (self.pixel_format, self.pts_ns) == (other.pixel_format, other.pts_ns)
        return rest and _same(self.pixels, other.pixels)

    __hash__ = None  # type: ignore[assignment]


def _wrong(what: str, error: Exception) -> str:
    why = f"{error} is missing or unknown" if isinstance(error, KeyError) else str(error)
    return f"this JSON is no {what} frame: {why[:200]}"
