"""From bytes, which may be any bytes, to the values that `remotemedia.serialization` describes."""

from __future__ import annotations

import datetime
import math
from typing import Any

from . import _values
from ._encode import DTYPE, F64, I64, MAGIC, MAX_DEPTH, MAX_DIMENSIONS, PIXEL_FORMATS, U32
from .errors import FormatError, SerializationError
from .frames import AudioFrame, VideoFrame


class Decoder:
    """Reads a value from bytes, which may be any bytes."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def failed(self, why: str) -> SerializationError:
        """That the bytes are no value, and where."""
        return SerializationError(f"these bytes are no value: {why} (byte {self._at})")

    def take(self, size: int) -> memoryview:
        """The next bytes."""
        end = self._at + size
        if end > len(self._data):
            left = len(self._data) - self._at
            raise self.failed(f"{size} bytes were to come, and {left} are there")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def whole(self) -> Any:
        """The value that all of the bytes are."""
        if bytes(self.take(min(len(MAGIC), len(self._data)))) != MAGIC:
            self._at = 0
            raise self.failed("they don't begin as one, or are of another version")
        value = self.value(0)
        if self._at != len(self._data):
            raise self.failed("there are bytes behind it")
        return value

    def count(self) -> int:
        """A length; what it counts takes at least a byte each."""
        (count,) = U32.unpack(self.take(4))
        if count > len(self._data) - self._at:
            raise self.failed(
                f"{count} were to come, and {len(self._data) - self._at} bytes are there"
            )
        return count

    def value(self, depth: int) -> Any:
        """The next value."""
        tag = bytes(self.take(1))
        match tag:
            case b"N":
                return None
            case b"T":
                return True
            case b"F":
                return False
            case b"i":
                return self._int()
            case b"f":
                return F64.unpack(self.take(8))[0]
            case b"s":
                return self._text()
            case b"b":
                return bytes(self.take(self.count()))
            case b"y" | b"Y":
                return self._time(tag == b"Y")
            case b"a":
                return self._array()
            case b"g":
                return self._number()
            case b"A" | b"V":
                return self._frame(tag)
            case b"l" | b"t" | b"d" | b"e" | b"z":
                return self._container(tag, depth)
            case _:
                self._at -= 1
                raise self.failed(f"there is no kind {tag!r}")

    def _int(self) -> int:
        size = self.count()
        value = int.from_bytes(self.take(size), "little", signed=True)
        if size != value.bit_length() // 8 + 1:
            raise self.failed("an int is not in its shortest form")
        return value

    def _text(self) -> str:
        try:
            return str(self.take(self.count()), "utf-8")
        except UnicodeDecodeError:
            raise self.failed("a text is not UTF-8") from None

    def _container(self, tag: bytes, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            raise self.failed(f"it is nested more than {MAX_DEPTH} deep")
        count = self.count()
        if tag in b"lt":
            items = [self.value(depth + 1) for _ in range(count)]
            return items if tag == b"l" else tuple(items)
        try:
            if tag == b"d":
                made: dict[Any, Any] = {}
                for _ in range(count):
                    key = self.value(depth + 1)
                    made[key] = self.value(depth + 1)
            else:
                made = dict.fromkeys(self._ordered(count, depth))
        except (TypeError, ValueError):
            raise self.failed("a key or an item of a set has no hash") from None
        if len(made) != count:
            raise self.failed("a key is there twice")
        if tag == b"d":
            return made
        return set(made) if tag == b"e" else frozenset(made)

    def _ordered(self, count: int, depth: int) -> list[Any]:
        items: list[Any] = []
        last = b""
        for _ in range(count):
            begin = self._at
            items.append(self.value(depth + 1))
            this = bytes(self._data[begin : self._at])
            if this < last:
                raise self.failed("the items of a set are not in the order of their bytes")
            last = this
        return items

    def _time(self, fold: bool) -> datetime.datetime:
        if bytes(self.take(1)) != b"s":
            raise self.failed("a time is a text")
        text = self._text()
        try:
            value = datetime.datetime.fromisoformat(text)
            if value.isoformat() == text:
                return value.replace(fold=int(fold))
        except ValueError:
            pass
        raise self.failed("a time is not in ISO form")

    def _number(self) -> Any:
        if bytes(self.take(1)) != b"a":
            raise self.failed("a NumPy number is an array")
        array = self._array()
        if array.ndim != 0 or array.dtype.kind in "SU":
            raise self.failed("a NumPy number has no dimensions, and is no text")
        return array[()]

    def _time_ns(self) -> int | None:
        tag = bytes(self.take(1))
        if tag not in (b"N", b"i"):
            raise self.failed("the time of a frame is an int or None")
        return self._int() if tag == b"i" else None

    def _frame(self, tag: bytes) -> AudioFrame | VideoFrame:
        head = self.take(4 if tag == b"A" else 1)
        time = self._time_ns()
        if bytes(self.take(1)) != b"a":
            raise self.failed("a frame has an array")
        array = self._array()
        try:
            if tag == b"A":
                return AudioFrame(array, U32.unpack(head)[0], time)
            if head[0] >= len(PIXEL_FORMATS):
                raise self.failed("there is no such pixel format")
            return VideoFrame(array, PIXEL_FORMATS[head[0]], time)
        except FormatError as error:
            raise self.failed(str(error)) from None

    def _array(self) -> Any:
        np = _values.numpy()
        name = bytes(self.take(self.take(1)[0])).decode("latin-1")
        fortran, dimensions = self.take(2)
        if DTYPE.fullmatch(name) is None or fortran > 1 or dimensions > MAX_DIMENSIONS:
            raise self.failed("an array has no type, order or dimensions that there are")
        shape = tuple(I64.unpack(self.take(8))[0] for _ in range(dimensions))
        if any(size < 0 for size in shape):
            raise self.failed("an array has a negative size")
        try:
            dtype = np.dtype(name)
            if dtype.str != name:
                raise ValueError(name)
            data = self.take(math.prod(shape) * dtype.itemsize)
            array = np.frombuffer(data, dtype) if data else np.zeros(0, dtype)
            array = array.reshape(shape, order="F" if fortran else "C")
        except (TypeError, ValueError, OverflowError):
            raise self.failed("an array's type or shape can't be") from None
        if bool(array.flags.f_contiguous and not array.flags.c_contiguous) != bool(fortran):
            raise self.failed("an array's order is not that of its shape")
        if dtype.kind == "b" and data and max(data) > 1:
            raise self.failed("a bool is neither 0 nor 1")
        if dtype.kind == "U" and data and int(np.frombuffer(data, f"{name[0]}u4").max()) > 0x10FFFF:
            raise self.failed("a text has a character that there is not")
        return array.copy("K")
