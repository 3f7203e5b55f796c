"""Runs a manifest over items on the native engine and in the fallback, for the tests to compare."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "remotemedia")]

from remotemedia.fallback import Audio, FallbackError, LinearPipeline, Record  # noqa: E402

import capi  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: An item, or what is made of one.
Thing = Any

_TYPES = {
    capi.RMEDIA_SAMPLE_F32: np.float32,
    capi.RMEDIA_SAMPLE_I16: np.int16,
    capi.RMEDIA_SAMPLE_I32: np.int32,
    capi.RMEDIA_SAMPLE_U8: np.uint8,
}
_NAMES = {"float32": "f32", "int16": "i16", "int32": "i32", "uint8": "u8"}


@dataclass
class Ran:
    """What came of a run."""

    #: By output: what came out, in order.
    outputs: dict[str, list[Any]]
    #: By node: how many items it worked on.
    counts: dict[str, tuple[int, int]]
    #: Whether it was refused or failed: where and how far is not compared, that it did is.
    error: str = ""


def native(library: capi.Library, manifest: Mapping[str, Any], items: Sequence[Any]) -> Ran:
    """A run of the native engine."""
    ran = Ran({}, {})
    try:
        with capi.Pipeline(library, json.dumps(manifest)) as pipeline:

            def pull() -> None:
                while (pulled := pipeline.pull()).packet is not None:
                    with pulled.packet as packet:
                        name = pipeline.output_name(pulled.about)
                        ran.outputs.setdefault(name, []).append(_taken(packet))

            for item in items:
                pipeline.push(_packet(library, item))
                pull()
            pipeline.end()
            pull()
            nodes = pipeline.metrics()["node_metrics"]
            ran.counts = {n["node_id"]: (n["success_count"], n["error_count"]) for n in nodes}
    except capi.Error as error:
        ran.error = str(error)
    return ran


def fallback(manifest: Mapping[str, Any], items: Sequence[Any]) -> Ran:
    """A run of the fallback."""
    ran = Ran({}, {})
    try:
        pipeline = LinearPipeline(manifest)
        came = [out for item in items for out in pipeline.push(item)]
        for name, item in [*came, *pipeline.end()]:
            ran.outputs.setdefault(name, []).append(item)
        nodes = pipeline.node_metrics()
        ran.counts = {n["node_id"]: (n["success_count"], n["error_count"]) for n in nodes}
    except FallbackError as error:
        ran.error = str(error)
    return ran


def differences(one: Ran, other: Ran) -> list[str]:
    """Whatever is not equal but for the values of samples and scores; those: see `worst`."""
    if one.error or other.error:
        return [] if one.error and other.error else [f"{one.error!r} and {other.error!r}"]
    found: list[str] = []
    if one.counts != other.counts:
        found.append(f"counts {one.counts} and {other.counts}")
    if one.outputs.keys() != other.outputs.keys():
        return [*found, f"outputs {[*one.outputs]} and {[*other.outputs]}"]
    for name, items in one.outputs.items():
        shapes = [[_shape(item) for item in items] for items in (items, other.outputs[name])]
        if shapes[0] != shapes[1]:
            pairs = enumerate(zip_longest(*shapes))
            first = next((f"{i}: {a} and {b}" for i, (a, b) in pairs if a != b), "their number")
            found.append(f"'{name}' differs in {first} ({[*map(len, shapes)]})")
    return found


def worst(one: Ran, other: Ran) -> tuple[float, float]:
    """Largest difference of samples (full scale: 1, for integers in LSB), and of scores."""
    samples, scores = 0.0, 0.0
    for name, items in one.outputs.items():
        for place, a in enumerate(items):
            b = other.outputs[name][place]
            if isinstance(a, Audio) and a.frames:
                with np.errstate(invalid="ignore"):
                    apart = np.abs(_wide(a) - _wide(b))
                # Infinities and what is no number are equal to their like alone.
                apart[np.isclose(_wide(a), _wide(b), 0, 0, equal_nan=True)] = 0
                samples = max(samples, float(np.nan_to_num(apart, nan=np.inf).max()))
            if isinstance(a, Record):
                one_score, other_score = (r.fields["speech_probability"] for r in (a, b))
                scores = max(scores, abs(cast("float", one_score) - cast("float", other_score)))
    return samples, scores


def decibels(error: float) -> float:
    """An error in dB of full scale; -inf for none."""
    return 20 * float(np.log10(error)) if error else float("-inf")


def pieces(samples: NDArray[Any], rate: int, seed: int, longest: int = 3000) -> list[Audio]:
    """A recording, cut at random; without times."""
    random, parts, at = np.random.default_rng(seed), list[Audio](), 0
    while at < len(samples):
        size = int(random.integers(1, longest))
        parts.append(Audio(samples[at : at + size], rate))
        at += size
    return parts


def _wide(audio: Audio) -> NDArray[np.float64]:
    return audio.table.astype(np.float64)


def _shape(item: Thing) -> Thing:
    if isinstance(item, Audio):
        return item.format, item.frames, item.pts_ns, item.discont
    if isinstance(item, Record):
        fields = {k: v for k, v in item.fields.items() if k != "speech_probability"}
        return item.schema, fields, item.pts_ns, item.discont
    return type(item).__name__, item


def _packet(library: capi.Library, item: Thing) -> capi.Packet:
    if isinstance(item, Audio):
        data, sample = np.ascontiguousarray(item.samples), _NAMES[str(item.samples.dtype)]
        more: dict[str, Any] = {"pts_ns": item.pts_ns, "discont": item.discont}
        return capi.Packet.audio(library, data, item.rate, item.channels, sample, **more)
    if isinstance(item, str):
        return capi.Packet.text(library, item)
    if isinstance(item, bytes):
        return capi.Packet.from_bytes(library, item)
    return capi.Packet.value(library, item)


def _taken(packet: capi.Packet) -> Thing:
    info = packet.info
    discont = bool(info.flags & capi.RMEDIA_PACKET_DISCONT)
    if info.kind == capi.RMEDIA_KIND_RECORD:
        return Record("vad", packet.json(), packet.pts_ns, discont)
    if info.kind == capi.RMEDIA_KIND_JSON:
        return packet.json()
    if info.kind == capi.RMEDIA_KIND_TEXT:
        return bytes(packet.view()).decode()
    if info.kind == capi.RMEDIA_KIND_BYTES:
        return bytes(packet.view())
    samples = np.array(packet.view(), _TYPES[info.format])
    if info.flags & capi.RMEDIA_PACKET_PLANAR and info.channels > 1:
        table = samples.reshape(info.channels, -1).T
    else:
        table = samples.reshape(-1, info.channels)
    flat = table[:, 0] if info.channels == 1 else table
    return Audio(flat, info.rate, packet.pts_ns, discont)
