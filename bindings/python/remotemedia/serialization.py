"""Values as bytes, and back: exactly, and safely for bytes from anywhere.

    data = remotemedia.serialization.dumps({"audio": AudioFrame(samples, 16_000), "n": 3})
    value = remotemedia.serialization.loads(data)

`dumps` takes None, bool, int of any size, float (with NaN and infinities), str, bytes, datetime
(naive or with a fixed offset), list, tuple, dict, set, frozenset, NumPy arrays and numbers,
`AudioFrame`, `VideoFrame`, and packets, which become frames or values. Everything comes back with
its type, bit by bit; arrays with type, byte order, shape and C or Fortran order, writable. What
else there is, also subclasses of these, is refused rather than changed. No code is ever run by
`loads`.

The form, version 1; numbers are little-endian:

| bytes | value |
|---|---|
| `RMSV` 0x01, a value | all of it; nothing follows |
| `N`, `T`, `F` | None, True, False |
| `i` u32 n, n bytes | int, two's complement, as short as it goes |
| `f` f64 | float |
| `s` / `b` u32 n, n bytes | str in UTF-8 / bytes |
| `y` / `Y`, a str | datetime in ISO form; `Y`: the second of two times (fold) |
| `l` / `t` u32 n, n values | list / tuple |
| `d` u32 n, n times key and value | dict, in its order |
| `e` / `z` u32 n, n values | set / frozenset, in the order of their bytes |
| `a` u8 n, n bytes, u8 f, u8 d, d times i64, data | array: NumPy's type (`<f4`), Fortran order |
| | or not, shape, elements |
| `g`, an array without dimensions | NumPy number |
| `A` u32 rate, int or None, an array | AudioFrame: its pts_ns, its samples |
| `V` u8 n, int or None, an array | VideoFrame: format n of rgb24 bgr24 rgba bgra gray8 i420 nv12 |

Values are at most 100 deep, 1 GiB long (`max_size`), arrays have at most 32 dimensions. Lengths are
checked against the bytes that are there before anything is made: what `loads` takes is a small
multiple of what it is given. It does not defend against dicts whose int keys were chosen to
collide: who takes megabytes from strangers gives a smaller `max_size`.

`JSONSerializer` and `PickleSerializer` are for those who need these forms.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterable
from typing import Any, Protocol, cast

from ._decode import Decoder
from ._encode import MAX_SIZE, Encoder, Refused
from .errors import SerializationError
from .frames import AudioFrame, VideoFrame

__all__ = [
    "AudioFrame",
    "JSONSerializer",
    "PickleSerializer",
    "SerializationError",
    "Serializer",
    "VideoFrame",
    "dumps",
    "loads",
]


def dumps(value: Any, *, max_size: int = MAX_SIZE) -> bytes:
    """The bytes of a value. SerializationError: it, or something in it, can't be serialized, or it
    takes more than `max_size` bytes."""
    encoder = Encoder(max_size)
    try:
        encoder.value(value, 0)
    except Refused as refused:
        where = "".join(reversed(refused.steps))
        message = f"value{where}: {refused}" if where else str(refused)
        raise SerializationError(message) from None
    except RecursionError:
        raise SerializationError("the stack is too deep to serialize the value here") from None
    return bytes(encoder.out)


def loads(data: bytes | bytearray | memoryview, *, max_size: int = MAX_SIZE) -> Any:
    """The value of bytes. SerializationError: they are none, or more than `max_size`."""
    view = memoryview(data)
    if view.nbytes > max_size:
        raise SerializationError(f"{view.nbytes} bytes are more than max_size={max_size}")
    if not view.c_contiguous:
        view = memoryview(bytes(view))
    try:
        return Decoder(view.cast("B")).whole()
    except RecursionError:
        raise SerializationError("the stack is too deep to read the value here") from None


class Serializer(Protocol):
    """Makes bytes of values, and values of bytes."""

    def serialize(self, value: Any) -> bytes:
        """The bytes of a value. SerializationError: there are none."""
        ...

    def deserialize(self, data: bytes) -> Any:
        """The value of bytes. SerializationError: they are none."""
        ...


class JSONSerializer:
    """Values as JSON in UTF-8: None, bool, int, finite float, str, list, dict with str keys, and
    frames.

    A tuple becomes a list. An AudioFrame becomes an audio dict with its "format", which comes back
    as an AudioFrame, a VideoFrame its JSON, too; audio dicts without "format" stay dicts.
    """

    def serialize(self, value: Any) -> bytes:
        """The JSON of a value."""
        try:
            text = json.dumps(_jsonable(value, 0), ensure_ascii=False, allow_nan=False)
            return text.encode()
        except (ValueError, RecursionError) as error:
            raise SerializationError(f"the value is no JSON: {error}") from error

    def deserialize(self, data: bytes | str) -> Any:
        """The value of JSON."""
        try:
            return json.loads(data, object_hook=_framed, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise SerializationError(f"this is no JSON: {error}") from error


def _jsonable(value: Any, depth: int) -> Any:
    if depth > 100:
        raise SerializationError("the value is nested more than 100 deep, or in itself")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (list, tuple):
        return [_jsonable(each, depth + 1) for each in value]
    if type(value) is dict:
        named = cast("dict[Any, Any]", value)
        if not all(type(key) is str for key in named):
            raise SerializationError("JSON has only text as keys: use dumps() of this module")
        return {key: _jsonable(each, depth + 1) for key, each in named.items()}
    if isinstance(value, (AudioFrame, VideoFrame)):
        return value.to_json()
    raise SerializationError(
        f"a {type(value).__name__} is no JSON: make a list, dict or frame of it, or use dumps() of "
        "this module"
    )


def _framed(value: dict[str, Any]) -> Any:
    if value.get("type") == "audio" and "samples" in value and "format" in value:
        return AudioFrame.from_json(value)
    if value.get("type") == "video" and "pixels" in value and "pixel_format" in value:
        return VideoFrame.from_json(value)
    return value


def _no_constant(name: str) -> Any:
    raise SerializationError(f"this is no JSON: {name} is no number of it")


class PickleSerializer:
    """Values as pickles, for classes that are listed: `PickleSerializer(allow=[Point])`.

    Without `allow` there are only None, bool, int, float, str, bytes, bytearray, list, tuple, dict,
    set and frozenset. Anything else is refused, on both ways. An allowed class is called with what
    the pickle says, so allow only classes for which that is harmless, and read only pickles of
    people who may use up memory: for others there is `loads`. `np.ndarray` in `allow` is for arrays
    of numbers.
    """

    def __init__(self, allow: Iterable[type] = ()) -> None:
        self._allowed: dict[tuple[str, str], Any] = {}
        for kind in allow:
            if not isinstance(cast("Any", kind), type):
                raise TypeError(f"allow lists classes; {kind!r} is none")
            for each in _needed(kind):
                self._allowed[each.__module__, each.__qualname__] = each

    def serialize(self, value: Any) -> bytes:
        """The pickle of a value."""
        allowed, out = self._allowed, io.BytesIO()

        class Listed(pickle.Pickler):
            def reducer_override(self, obj: Any) -> Any:
                kind = obj if isinstance(obj, type) or callable(obj) else type(obj)
                if kind not in allowed.values():
                    raise SerializationError(_not_listed(_full_name(kind)))
                return NotImplemented

        try:
            Listed(out, protocol=5).dump(value)
        except SerializationError:
            raise
        except Exception as error:
            raise SerializationError(f"the value can't be pickled: {error}") from error
        return out.getvalue()

    def deserialize(self, data: bytes) -> Any:
        """The value of a pickle."""
        allowed = self._allowed

        class Listed(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                try:
                    return allowed[module, name]
                except KeyError:
                    raise SerializationError(_not_listed(f"{module}.{name}")) from None

        try:
            return Listed(io.BytesIO(data)).load()
        except SerializationError:
            raise
        except Exception as error:
            raise SerializationError(f"these bytes are no pickle: {error}") from error


def _full_name(kind: Any) -> str:
    return f"{kind.__module__}.{getattr(kind, '__qualname__', kind)}"


def _not_listed(name: str) -> str:
    return f"{name} is not allowed in pickles: list its class, PickleSerializer(allow=[…])"


def _needed(kind: type) -> list[Any]:
    """What a pickle of instances of a class names: it, and what makes NumPy's arrays."""
    if (kind.__module__, kind.__name__) != ("numpy", "ndarray"):
        return [kind]
    import numpy as np

    made: set[Any] = {kind, np.dtype}
    for order in ("C", "F"):
        array: Any = np.zeros((2, 2), order=order)
        made |= {array.__reduce__()[0], array.__reduce_ex__(5)[0]}
    return [*made, *{type(np.dtype(code)) for code in "?bhilqBHILQefdFD"}]
