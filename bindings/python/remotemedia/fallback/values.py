"""What flows through a pipeline: audio, text, JSON values, bytes, and records of findings."""

# Unions are written as Python 3.9 can read them.
# ruff: noqa: UP007
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np

from .errors import FallbackError, unfit, unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A JSON value. In a pipeline a bare `str` is text, as in the engine's text packets.
Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]

#: Names of the sample formats by numpy's type. i24 has none.
SAMPLE_NAMES = {"float32": "f32", "int16": "i16", "int32": "i32", "uint8": "u8"}
DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(dtype) for dtype, name in SAMPLE_NAMES.items()}
MAX_RATE = 768_000
MAX_CHANNELS = 64
#: Deepest nesting of a JSON value, as in the engine.
MAX_DEPTH = 127


@dataclass(frozen=True)
class Format:
    """What has to be known to read samples. Channels are at the usual places for their number."""

    #: Frames a second.
    rate: int
    channels: int
    #: f32, i16, i32 or u8.
    sample: str

    def __str__(self) -> str:
        return f"{self.sample} {self.rate} Hz {self.channels} ch"


@dataclass(frozen=True, eq=False)
class Audio:
    """A block of samples: (frames, channels), or (frames,) for mono.

    float32 has full scale at ±1, int16 and int32 at their range, uint8 its silence at 128. The
    array is taken as it is, without a copy: don't change it afterwards.
    """

    samples: NDArray[Any]
    #: Frames a second, 1 … 768,000.
    rate: int
    #: Time of the first frame in nanoseconds; None: right behind the block before, or 0.
    pts_ns: int | None = None
    #: The stream breaks before this block: filters begin anew.
    discont: bool = False

    def __post_init__(self) -> None:
        shape, name = self.samples.shape, str(self.samples.dtype)
        if name not in SAMPLE_NAMES:
            raise unfit(
                f"samples of type {name}; audio has {', '.join(SAMPLE_NAMES)}",
                "convert them, for example with samples.astype(np.float32)",
            )
        if len(shape) not in (1, 2) or (len(shape) == 2 and not 1 <= shape[1] <= MAX_CHANNELS):
            raise unfit(
                f"samples of shape {shape}; audio is (frames,) or (frames, 1 … {MAX_CHANNELS})",
                "one row for each frame, one column for each channel",
            )
        if not 1 <= self.rate <= MAX_RATE:
            raise unfit(f"sample rate {self.rate} is not between 1 and {MAX_RATE}", "give it in Hz")

    @property
    def frames(self) -> int:
        """Samples of each channel."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """Channels."""
        return 1 if self.samples.ndim == 1 else int(self.samples.shape[1])

    @property
    def format(self) -> Format:
        """Rate, channels and sample format."""
        return Format(self.rate, self.channels, SAMPLE_NAMES[str(self.samples.dtype)])

    @property
    def table(self) -> NDArray[Any]:
        """The samples as (frames, channels), also for mono."""
        return self.samples.reshape(self.frames, self.channels)

    def holding(self, samples: NDArray[Any]) -> Audio:
        """The same place in time with other samples. One column becomes (frames,)."""
        return replace(self, samples=flat(samples))

    def slice(self, begin: int, end: int) -> Audio:
        """Frames `begin` to `end`, without a copy and without a time."""
        return Audio(self.samples[begin:end], self.rate)


@dataclass(frozen=True)
class Record:
    """A finding of a node, with its fields as in the engine's records."""

    #: What it is, for example "vad".
    schema: str
    fields: dict[str, Json]
    #: The time that it is about, in nanoseconds.
    pts_ns: int | None = None
    discont: bool = False


@dataclass(frozen=True)
class Value:
    """Text, bytes or a JSON value on its way; outside it stands for itself."""

    kind: str
    payload: Union[Json, bytes]
    discont: bool = False


#: What flows from node to node.
Item = Union[Audio, Record, Value]
#: What comes out of a pipeline.
Result = Union[Audio, Record, Json, bytes]
#: What a node is told of a stream: an audio format, or the kind of everything else.
Stream = Union[Format, str]


def flat(table: NDArray[Any]) -> NDArray[Any]:
    """(frames, 1) as (frames,); anything else as it is."""
    return table[:, 0] if table.ndim == 2 and table.shape[1] == 1 else table


def kind(item: Item) -> str:
    """The engine's name for the kind of an item: audio, record, text, bytes or json."""
    if isinstance(item, Value):
        return item.kind
    return "audio" if isinstance(item, Audio) else "record"


def stream(item: Item) -> Stream:
    """Format of audio, kind of anything else."""
    return item.format if isinstance(item, Audio) else kind(item)


def result(item: Item) -> Result:
    """The item as it leaves the pipeline."""
    return item.payload if isinstance(item, Value) else item


def admitted(item: object) -> Item:
    """The item that a caller gave, checked through: what is no item is refused, not guessed."""
    if isinstance(item, Audio):
        return item
    if isinstance(item, (bytes, bytearray, memoryview)):
        return Value("bytes", bytes(cast("bytes", item)))
    if isinstance(item, np.ndarray):
        raise unfit("a bare array has no sample rate", "wrap it: Audio(samples, rate)")
    if isinstance(item, Record):
        raise unsupported("pushing records")
    return Value("text" if isinstance(item, str) else "json", json_value(item))


def json_value(value: object, depth: int = 0) -> Json:
    """The value with whole numbers as the engine holds them: 64 bits, larger ones as floats."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        try:
            return value if -(2**63) <= value < 2**64 else float(value)
        except OverflowError:
            raise unfit("a whole number that is too large for JSON", "give a smaller one") from None
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        raise unfit(f"{value} is no JSON number", "give a finite number, or None")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise unfit("text with half a surrogate pair", "give valid Unicode") from None
        return value
    if depth == MAX_DEPTH:
        raise unfit(f"a value nested deeper than {MAX_DEPTH} levels", "give a flatter one")
    if isinstance(value, list):
        return [json_value(v, depth + 1) for v in cast("list[object]", value)]
    if isinstance(value, dict):
        found: dict[str, Json] = {}
        for key, inner in cast("dict[object, object]", value).items():
            if not isinstance(key, str):
                raise unfit(f"an object with the key {key!r}", "JSON's keys are text")
            json_value(key)
            found[key] = json_value(inner, depth + 1)
        return found
    raise FallbackError(
        f"a {type(value).__name__} is no item",
        hint="push Audio, str, bytes or what JSON can say (None, bool, int, float, list, dict)",
    )
