"""From values to their binary form, which `remotemedia.serialization` describes."""

from __future__ import annotations

import datetime
import re
import reprlib
import struct
import sys
from typing import Any, Protocol, cast

from . import _values
from .errors import SerializationError
from .frames import PIXELS, AudioFrame, VideoFrame

MAGIC = b"RMSV\x01"
MAX_DEPTH = 100
MAX_SIZE = 1 << 30
MAX_DIMENSIONS = 32

U32, F64, I64 = struct.Struct("<I"), struct.Struct("<d"), struct.Struct("<q")
#: Types of arrays, in the order of their kinds: b bool, i u ints, f c floats, m M times, S U texts.
#: 16-byte floats differ between machines.
DTYPE = re.compile(
    r"\|b1|\|[iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(?:8|16)|\|S[1-9]\d{0,8}|[<>]U[1-9]\d{0,8}"
    r"|[<>][mM]8(?:\[(?:[1-9]\d{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
)
PIXEL_FORMATS = tuple(PIXELS)


class _Has(Protocol):
    """What `type` gives for arrays and packets."""

    __name__: str
    __module__: str


def _name(value: object) -> str:
    kind = cast("_Has", type(value))
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _refused(value: object, hint: str) -> Refused:
    return Refused(f"a {_name(value)} can't be serialized: {hint}")


class Refused(SerializationError):
    """That a value can't be serialized; `steps` lead to it, the innermost first."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.steps: list[str] = []


class Encoder:
    """Makes bytes of a value."""

    def __init__(self, max_size: int) -> None:
        self.out = bytearray(MAGIC)
        self._max_size = max_size

    def put(self, *parts: bytes) -> None:
        """Adds bytes."""
        self.out += b"".join(parts)
        if len(self.out) > self._max_size:
            raise Refused(f"the value takes more than {self._max_size} bytes")

    def sized(self, tag: bytes, data: bytes) -> None:
        """Adds a tag, a length and so many bytes."""
        self.room(len(data))
        self.put(tag, U32.pack(len(data)), data)

    def room(self, size: int) -> None:
        """Refuses what would be too large, before it is copied."""
        if len(self.out) + size > self._max_size or size >= 2**32:
            raise Refused(f"the value takes more than {self._max_size} bytes")

    def value(self, value: Any, depth: int) -> None:
        """Adds a value."""
        kind = cast("type[Any]", type(value))
        if value is None:
            self.put(b"N")
        elif kind is bool:
            self.put(b"T" if value else b"F")
        elif kind is int:
            self.sized(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
        elif kind is float:
            self.put(b"f", F64.pack(value))
        elif kind is str:
            try:
                self.sized(b"s", value.encode())
            except UnicodeEncodeError:
                raise _refused(value, "it has a lone surrogate, which is no text") from None
        elif kind is bytes:
            self.sized(b"b", value)
        elif kind in (list, tuple, dict, set, frozenset):
            self._container(kind, value, depth)
        elif kind is datetime.datetime:
            self._time(value)
        else:
            self._media(value, depth)

    def _container(self, kind: type, value: Any, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise Refused(f"the value is nested more than {MAX_DEPTH} deep, or in itself")
        self.room(len(value))
        step: Any = None
        try:
            if kind is dict:
                self.put(b"d", U32.pack(len(value)))
                for key, each in value.items():
                    step = key
                    self.value(key, depth + 1)
                    self.value(each, depth + 1)
            elif kind is list or kind is tuple:
                self.put(b"l" if kind is list else b"t", U32.pack(len(value)))
                for n, each in enumerate(value):
                    step = n
                    self.value(each, depth + 1)
            else:
                self._set(b"e" if kind is set else b"z", value, depth)
        except Refused as refused:
            if kind in (list, tuple, dict):
                refused.steps.append(f"[{_short(step)}]")
            raise

    def _set(self, tag: bytes, items: Any, depth: int) -> None:
        """In the order of their bytes, so that equal sets are equal bytes."""
        parts: list[bytes] = []
        for each in items:
            part = Encoder(self._max_size)
            part.out.clear()
            part.value(each, depth + 1)
            parts.append(bytes(part.out))
            self.room(len(part.out))
        self.put(tag, U32.pack(len(parts)), *sorted(parts))

    def _time(self, value: datetime.datetime) -> None:
        if value.tzinfo is not None and type(value.tzinfo) is not datetime.timezone:
            raise _refused(value, "its time zone is no fixed offset: use .astimezone(timezone.utc)")
        self.put(b"Y" if value.fold else b"y")
        self.sized(b"s", value.isoformat().encode())

    def _media(self, value: Any, depth: int) -> None:
        kind = _name(value)
        if type(value) is AudioFrame:
            self.put(b"A", U32.pack(value.rate))
            self.value(value.pts_ns, depth)
            self._array(value.samples)
        elif type(value) is VideoFrame:
            self.put(b"V", bytes([PIXEL_FORMATS.index(value.pixel_format)]))
            self.value(value.pts_ns, depth)
            self._array(value.pixels)
        elif kind == "numpy.ndarray":
            self._array(value)
        elif (
            kind.startswith("numpy.") and hasattr(value, "dtype") and not hasattr(value, "__len__")
        ):
            self.put(b"g")
            self._array(_values.numpy().asarray(value))
        elif kind.startswith("numpy.") and cast("Any", type(value)).__name__ in ("str_", "bytes_"):
            raise _refused(value, "use .item()")
        elif _is_packet(value):
            self._packet(value, depth)
        elif kind in ("bytearray", "memoryview"):
            raise _refused(value, "use bytes(value)")
        elif _values_array(value):
            raise _refused(value, "use numpy.asarray(value)")
        else:
            raise _refused(
                value,
                "there are None, bool, int, float, str, bytes, datetime, list, tuple, dict, set, "
                "frozenset, NumPy arrays and numbers, AudioFrame, VideoFrame and Packet, and no "
                "classes of their kinds: make one of these of it",
            )

    def _packet(self, packet: Any, depth: int) -> None:
        match packet.kind:
            case "audio" if str(packet.dtype) in ("float32", "int16", "int32", "uint8"):
                self.value(AudioFrame.of(packet), depth)
            case "video":
                self.value(VideoFrame.of(packet), depth)
            case "text" | "json" | "record" | "bytes" | "tensor":
                self.value(_values.value(packet), depth)
            case kind:
                message = f"a packet of kind {kind} can't be serialized"
                raise Refused(f"{message}: take what you need of it, e.g. tobytes()")

    def _array(self, array: Any) -> None:
        name = str(array.dtype.str)
        if DTYPE.fullmatch(name) is None or array.dtype.names is not None:
            raise Refused(
                f"an array of {array.dtype} can't be serialized: its elements are bools, numbers "
                "of up to 8 bytes (complex: 16), times, or texts of a fixed length"
            )
        if array.ndim > MAX_DIMENSIONS:
            raise Refused(f"an array has {array.ndim} dimensions; {MAX_DIMENSIONS} go")
        flags = array.flags
        fortran = bool(flags.f_contiguous and not flags.c_contiguous)
        self.room(array.nbytes)
        self.put(
            b"a",
            bytes([len(name), *name.encode("ascii"), fortran, array.ndim]),
            b"".join(I64.pack(size) for size in array.shape),
            array.tobytes("F" if fortran else "C"),
        )


def _is_packet(value: object) -> bool:
    # Who has one has loaded the native module.
    native = sys.modules.get("remotemedia._native")
    return native is not None and type(value) is native.Packet


def _values_array(value: Any) -> bool:
    return hasattr(value, "__array_interface__") or hasattr(value, "__array__")


def _short(key: object) -> str:
    try:
        return reprlib.repr(key)
    except Exception:
        return _name(key)
