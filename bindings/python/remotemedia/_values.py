"""What comes out of a packet, and what the forms in which people give data mean."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np

    from ._native import Packet

#: Names by which a dict with one item stands for what a pipeline with one input takes.
_STAND_INS = ("audio", "video", "text", "json", "data", "input", "in")


@dataclass(frozen=True)
class Item:
    """One thing to push: data, and what `push` is told beside it."""

    data: Any
    options: dict[str, Any]
    port: str | None = None


def numpy() -> Any:
    """NumPy, which is imported when it is first needed."""
    try:
        import numpy as np
    except ImportError as error:
        message = "this needs NumPy: pip install 'remotemedia[numpy]'"
        raise ImportError(message) from error
    return np


def value(packet: Packet) -> Any:
    """What a packet holds, as Python has it.

    text: str; json and record: the value; bytes: bytes; tensor: a read-only array over the packet's
    memory; file: its path; audio, video and encoded: the packet itself, which is an array to NumPy.
    """
    match packet.kind:
        case "text" | "file":
            return packet.text
        case "json" | "record":
            return packet.json()
        case "bytes":
            return packet.tobytes()
        case "tensor":
            return numpy().asarray(packet)
        case _:
            return packet


def is_audio_dict(data: object) -> bool:
    """Whether it is `{"type": "audio", "samples": …, "sample_rate": …, "channels": …}`."""
    if not isinstance(data, Mapping):
        return False
    audio = cast("Mapping[str, Any]", data)
    return audio.get("type") == "audio" and "samples" in audio


def audio_dict_to_numpy(audio: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The samples of an audio dict: float32, (samples,) for one channel, else (frames,
    channels)."""
    np = numpy()
    channels = int(audio.get("channels", 1))
    samples = np.asarray(audio["samples"], dtype=np.float32)
    if channels < 1:
        raise ValueError(f"an audio dict has {channels} channels; there is at least one")
    if samples.ndim == 2:
        if samples.shape[1] != channels:
            raise ValueError(f"samples of shape {samples.shape} have not {channels} channels")
        return samples[:, 0] if channels == 1 else samples
    if samples.ndim != 1 or samples.size % channels:
        raise ValueError(
            f"samples of shape {samples.shape} are no whole frames of {channels} channels"
        )
    return samples if channels == 1 else samples.reshape(-1, channels)


def numpy_to_audio_dict(
    arr: np.ndarray[Any, Any], sample_rate: int, channels: int
) -> dict[str, Any]:
    """An audio dict `{type, samples, sample_rate, channels}` of samples.

    `arr`: (samples,), interleaved where there are several channels, or (frames, channels). Samples
    that are integers of 16 or 32 bits, or unsigned of 8, become floats of full scale ±1.
    """
    np = numpy()
    samples = np.asarray(_floats(np.asarray(arr)), dtype=np.float32)
    if samples.ndim == 2 and samples.shape[1] != channels:
        raise ValueError(f"an array of shape {samples.shape} has not {channels} channels")
    if samples.ndim > 2 or samples.size % channels:
        raise ValueError(f"an array of shape {samples.shape} is no audio of {channels} channels")
    return {
        "type": "audio",
        "samples": samples.reshape(-1).tolist(),
        "sample_rate": int(sample_rate),
        "channels": int(channels),
    }


def with_rate(data: Any) -> tuple[Any, int] | None:
    """Samples and their rate, if it is `(array, rate)`."""
    if not isinstance(data, tuple):
        return None
    pair = cast("tuple[Any, ...]", data)
    if len(pair) != 2 or not is_array(pair[0]):
        return None
    rate = pair[1]
    if isinstance(rate, float) and rate.is_integer():
        rate = int(rate)
    return (pair[0], int(rate)) if isinstance(rate, Integral) else None


def is_array(data: Any) -> bool:
    """Whether it is an array of some sort, and no bytes."""
    if isinstance(data, (memoryview, array)):
        return True
    return hasattr(data, "__array__") or hasattr(data, "__dlpack__")


def item(data: Any, port: str | None = None) -> Item:
    """What to push for something that somebody gives."""
    if isinstance(data, Item):
        return data
    if is_audio_dict(data):
        rate = data.get("sample_rate")
        options = {"kind": "audio", **({"rate": int(rate)} if rate else {})}
        return Item(audio_dict_to_numpy(data), options, port)
    if (pair := with_rate(data)) is not None:
        return Item(pair[0], {"rate": pair[1]}, port)
    if isinstance(data, Mapping):
        kind = cast("Any", data).get("type")
        if kind == "text" and "data" in data:
            return Item(cast("Any", data)["data"], {"kind": "text"}, port)
    return Item(data, {}, port)


def _is_many(data: Any) -> bool:
    """Whether it is a series of items, and no item."""
    if isinstance(data, (list, Iterator)):
        return True
    return isinstance(data, Iterable) and hasattr(cast("Any", data), "__next__")


def by_input(data: Any, inputs: Sequence[str]) -> dict[str, Iterator[Item]] | None:
    """What to push into each input, if it is a dict that names inputs."""
    if not isinstance(data, Mapping) or is_audio_dict(cast("Any", data)):
        return None
    named = cast("Mapping[str, Any]", data)
    if not named or not all(key in inputs for key in named):
        return None
    found: dict[str, Iterator[Item]] = {}
    for port, each in named.items():
        many = cast("Iterable[Any]", each if _is_many(each) else (each,))
        found[port] = map(partial(item, port=port), many)
    return found


def items(data: Any, inputs: Sequence[str]) -> Iterator[Item]:
    """What to push for what `run` is given. None: nothing; a list or an iterator: its items; a dict
    that names inputs: what is for each of them; else one item."""
    if data is None:
        return
    if (named := by_input(data, inputs)) is not None:
        for each in named.values():
            yield from each
        return
    if isinstance(data, Mapping) and not is_audio_dict(cast("Any", data)):
        named = cast("Mapping[str, Any]", data)
        if len(named) == 1 and len(inputs) == 1:
            ((key, only),) = named.items()
            if key in _STAND_INS:
                yield from items(only, inputs)
                return
    if _is_many(data):
        yield from (item(one) for one in cast("Iterable[Any]", data))
        return
    yield item(data)


def is_async(data: object) -> bool:
    """Whether its items come one after the other, awaited."""
    return isinstance(data, AsyncIterable)


class Results:
    """Collects what comes out of a run: by output, with packets of audio that follow each other as
    one array."""

    def __init__(self, outputs: Sequence[str], dicts: bool = False) -> None:
        self._packets: dict[str, list[Packet]] = {name: [] for name in outputs}
        self._dicts = dicts

    def add(self, packet: Packet) -> None:
        """One more."""
        self._packets.setdefault(packet.port or "", []).append(packet)

    def value(self) -> Any:
        """None, the only result, or all of them as a list; by name where there are several
        outputs."""
        if len(self._packets) == 1:
            return bare(self.listed(next(iter(self._packets))))
        return {name: bare(self.listed(name)) for name in self._packets}

    def listed(self, name: str) -> list[Any]:
        """The results of an output."""
        out: list[Any] = []
        stretch: list[Packet] = []
        for packet in self._packets[name]:
            if stretch and not _follows(stretch[-1], packet):
                out.append(self._audio(stretch))
                stretch = []
            if packet.kind == "audio":
                stretch.append(packet)
            elif packet.kind == "video":
                out.append(numpy().asarray(packet))
            else:
                out.append(value(packet))
        if stretch:
            out.append(self._audio(stretch))
        return out

    def _audio(self, stretch: list[Packet]) -> Any:
        np = numpy()
        arrays = [np.asarray(packet) for packet in stretch]
        whole = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        if self._dicts:
            return numpy_to_audio_dict(_floats(whole), stretch[0].rate, stretch[0].channels)
        return whole


def _floats(samples: Any) -> Any:
    """Samples of any type as float32, full scale ±1."""
    np = numpy()
    scale = {"int16": 2.0**15, "int32": 2.0**31}.get(str(samples.dtype))
    if scale is not None:
        return (samples / scale).astype(np.float32)
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float32) - 128.0) / 128.0).astype(np.float32)
    return samples


def _follows(last: Packet, packet: Packet) -> bool:
    """Whether a packet of audio goes on where the last one ends."""
    if packet.kind != "audio" or packet.discont:
        return False
    formats = [(p.rate, p.channels, p.sample_format) for p in (last, packet)]
    if formats[0] != formats[1]:
        return False
    if last.pts_ns is None or packet.pts_ns is None:
        return True
    return abs(last.pts_ns + last.duration_ns - packet.pts_ns) <= 1_000_000_000 // last.rate


def bare(results: list[Any]) -> Any:
    """None, the only result, or all of them."""
    if not results:
        return None
    return results[0] if len(results) == 1 else results
