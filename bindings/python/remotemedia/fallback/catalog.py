"""The node types of the fallback: names, aliases, params and ports, as the engine has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import arithmetic, vad
from .audio import AudioResample, ChannelMixer, FormatConverter, mixer_params
from .caps import ANY, AUDIO, AUDIO_F32, AudioCaps, Caps, Port, Ports
from .errors import unfit, unsupported
from .flow import Buffer, PassThrough
from .node import Node
from .params import Bool, Choice, Float, Int, ListOf, Optional, Param, Values
from .text import OPERATIONS, TextProcessor
from .values import MAX_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

#: The namespace of the engine's own types.
NAMESPACE = "rmedia"

_JSON = Caps(frozenset({"json"}))
_CHANNELS = Optional(Int(1, 64))


@dataclass(frozen=True)
class NodeType:
    """A type of nodes."""

    name: str
    aliases: tuple[str, ...]
    params: tuple[Param, ...]
    ports: Callable[[Values], Ports]
    make: Callable[[Values], Node]


def find(name: str) -> NodeType:
    """The type of that name or alias, with or without its namespace."""
    namespace, _, bare = name.rpartition("/")
    if namespace in ("", NAMESPACE):
        for node_type in TYPES:
            if bare == node_type.name or bare in node_type.aliases:
                return node_type
    if not name:
        raise unfit("the node names no type", "give it a node_type")
    known = ", ".join(t.name for t in TYPES)
    raise unsupported(f"the node type '{name}' (supported are {known})")


def _ports(takes: Caps, gives: Caps, like_input: bool = True) -> Callable[[Values], Ports]:
    return lambda _: Ports(takes, (Port("out", gives, like_input),))


def _audio(base: Caps, audio: AudioCaps) -> Ports:
    return Ports(base, (Port("out", replace(base, audio=audio), like_input=True),))


def _resample_ports(params: Values) -> Ports:
    rate = params.whole("target_rate")
    return _audio(AUDIO_F32, replace(AUDIO_F32.audio, rates=None if rate is None else (rate, rate)))


def _mixer_ports(params: Values) -> Ports:
    channels, _ = mixer_params(params)
    return _audio(AUDIO_F32, replace(AUDIO_F32.audio, channels=(channels, channels)))


def _converter_ports(params: Values) -> Ports:
    samples = frozenset({params.text("format")})
    return _audio(AUDIO, AudioCaps(samples=samples, planar=params.flag("planar")))


def _vad_ports(params: Values) -> Ports:
    vad.check(params)
    takes = replace(AUDIO_F32.audio, channels=(1, 1), rates=(vad.MIN_RATE, MAX_RATE))
    record = Port("vad", Caps(frozenset({"record"})))
    return Ports(replace(AUDIO_F32, audio=takes), (Port("out", AUDIO_F32, True), record))


def _ms(name: str, default: float, alias: tuple[str, ...] = ()) -> Param:
    return Param(name, Float(0, 60_000), default, alias)


_SAMPLES = Choice(
    {
        "f32": ("float32", "float", "flt", "f32le"),
        "i16": ("int16", "s16", "s16le", "pcm16"),
        "i24": ("int24", "s24", "s24le", "pcm24"),
        "i32": ("int32", "s32", "s32le", "pcm32"),
        "u8": ("uint8", "pcm8"),
    }
)
_RATE_NAMES = ("targetRate", "target_sample_rate", "output_sample_rate", "sample_rate")
_QUALITY = Choice({"low": (), "medium": (), "high": (), "vhq": ("very_high", "best")})
_LATENCY = Choice({"auto": (), "low": (), "offline": ()})
_LEVEL = Float(0, 1, single=True)

TYPES: tuple[NodeType, ...] = (
    NodeType(
        "PassThrough",
        ("PassThroughNode", "Echo", "EchoNode"),
        (),
        _ports(ANY, ANY),
        lambda _: PassThrough(),
    ),
    NodeType(
        "Buffer",
        ("BufferNode", "AudioBuffer", "AudioBufferNode"),
        (
            Param("buffer_size", Optional(Int(1, 65_536))),
            Param(
                "buffer_size_samples", Optional(Int(1, 16_777_216)), None, ("buffer_size_frames",)
            ),
            Param("duration_ms", Optional(Float(0.1, 600_000))),
        ),
        _ports(ANY, ANY),
        Buffer,
    ),
    NodeType(
        "AudioResample",
        (
            "AudioResampleNode",
            "AudioResampler",
            "FastResampleNode",
            "RustResampleNode",
            "ResampleNode",
        ),
        (
            Param("target_rate", Optional(Int(1000, MAX_RATE)), None, _RATE_NAMES),
            Param("source_rate", Optional(Int(1, MAX_RATE)), None, ("sourceRate",)),
            Param("quality", _QUALITY, "medium"),
            Param("latency", _LATENCY, "auto"),
            Param("channels", _CHANNELS),
        ),
        _resample_ports,
        AudioResample,
    ),
    NodeType(
        "ChannelMixer",
        ("ChannelMixerNode",),
        (
            Param("channels", _CHANNELS, None, ("output_channels",)),
            Param("matrix", Optional(ListOf(ListOf(Float(single=True))))),
        ),
        _mixer_ports,
        ChannelMixer,
    ),
    NodeType(
        "FormatConverter",
        ("FormatConverterNode", "RustFormatConverterNode"),
        (
            Param(
                "format",
                _SAMPLES,
                None,
                ("target_format", "targetFormat", "sample_format"),
                required=True,
                native_only=("i24",),
            ),
            Param("planar", Optional(Bool())),
        ),
        _converter_ports,
        FormatConverter,
    ),
    NodeType(
        "VAD",
        ("VADNode", "RustVADNode", "VoiceActivityDetector", "VoiceActivityDetectorNode"),
        (
            Param(
                "engine", Choice({"energy": (), "neural": ()}), "energy", native_only=("neural",)
            ),
            Param("threshold", _LEVEL, 0.5, ("speech_threshold", "vad_threshold")),
            Param("neg_threshold", Optional(_LEVEL)),
            Param("energy_threshold", Optional(_LEVEL)),
            Param("frame_duration_ms", Float(10, 100), 20.0, ("frame_ms",)),
            _ms("min_speech_duration_ms", 250.0, ("min_speech_ms",)),
            _ms("min_silence_duration_ms", 100.0, ("min_silence_ms",)),
            _ms("speech_pad_ms", 30.0),
            Param("gate", Bool(), False, ("filter_mode",)),
            Param("report", Choice({"frames": (), "changes": ()}), "frames"),
        ),
        _vad_ports,
        vad.Vad,
    ),
    NodeType(
        "TextProcessorNode",
        ("TextProcessor",),
        (Param("operations", ListOf(OPERATIONS), []),),
        _ports(Caps(frozenset({"json", "text"})), _JSON, like_input=False),
        TextProcessor,
    ),
    NodeType(
        "MultiplyNode",
        ("Multiply",),
        (Param("factor", Float(), 2.0, ("multiplier",)),),
        _ports(_JSON, _JSON, like_input=False),
        arithmetic.multiply,
    ),
    NodeType(
        "AddNode",
        ("Add",),
        (Param("addend", Float(), 0.0, ("add", "value")),),
        _ports(_JSON, _JSON, like_input=False),
        arithmetic.add,
    ),
)

#: Name of a type to the names of its params and their aliases: what `check` takes.
SUPPORTED: dict[str, tuple[str, ...]] = {
    t.name: tuple(name for p in t.params for name in (p.name, *p.aliases)) for t in TYPES
}
