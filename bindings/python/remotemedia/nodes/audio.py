"""Nodes for audio. All but `ExtractAudioDataNode` are the engine's."""

from __future__ import annotations

from typing import Any

from .._manifest import NativeNode
from .._node import Node, Output, node
from .._values import numpy
from ._engine import check_hint

__all__ = [
    "AudioBuffer",
    "AudioLevelNode",
    "AudioResampleNode",
    "AudioResampler",
    "AudioTransform",
    "ChannelMixerNode",
    "ExtractAudioDataNode",
    "FormatConverterNode",
    "GainNode",
]


_AUDIO = {"in": {"kinds": ["audio"]}}
#: The outputs of a pipeline that ends with AudioLevel.
_LEVELS = {"audio": "out", "levels": "levels"}


class AudioResampleNode(NativeNode):
    """Audio at another sample rate.

    `target_sample_rate`: in Hz. `quality`: "low", "medium", "high" or "vhq". The engine's `latency`
    is "auto" (at most 20 ms) unless it is given: "offline" for files.
    """

    def __init__(
        self,
        target_sample_rate: int = 16_000,
        quality: str = "high",
        runtime_hint: str = "auto",
        *,
        name: str | None = None,
        **params: Any,
    ) -> None:
        check_hint(type(self).__name__, runtime_hint)
        own = {"target_rate": target_sample_rate, "quality": quality}
        super().__init__("AudioResample", own, name=name, **params)


class AudioResampler(AudioResampleNode):
    """The same as `AudioResampleNode`."""


class FormatConverterNode(NativeNode):
    """Audio in another sample format: "f32", "i16", "i24", "i32" or "u8"."""

    def __init__(
        self,
        target_format: str = "f32",
        runtime_hint: str = "auto",
        *,
        name: str | None = None,
        **params: Any,
    ) -> None:
        check_hint(type(self).__name__, runtime_hint)
        super().__init__("FormatConverter", {"format": target_format}, name=name, **params)


class AudioBuffer(NativeNode):
    """Audio in packets of `buffer_size_samples` frames; the last one may be shorter."""

    def __init__(self, buffer_size_samples: int, *, name: str | None = None, **params: Any) -> None:
        super().__init__("AudioChunker", {"chunk_size": buffer_size_samples}, name=name, **params)


class AudioTransform(NativeNode):
    """Audio at `output_sample_rate`, in Hz, with `output_channels` channels.

    The engine's adapter converts, as it does between nodes whose formats differ: this node takes
    nothing else. For a certain quality take `AudioResampleNode` and `ChannelMixerNode`.
    """

    def __init__(
        self,
        output_sample_rate: int = 44_100,
        output_channels: int = 2,
        *,
        name: str | None = None,
        **params: Any,
    ) -> None:
        super().__init__("PassThrough", name=name, **params)
        self.output_sample_rate = output_sample_rate
        self.output_channels = output_channels
        takes = {"type": "audio", "rate": output_sample_rate, "channels": output_channels}
        # At the input: there the engine puts its adapter.
        self.fields["media_capabilities"] = {"inputs": {"default": takes}}


class GainNode(NativeNode):
    """Audio `gain_db` dB louder. It may be changed as it runs: `pipeline.set("GainNode",
    gain_db=0)`, which takes `ramp_ms`."""

    def __init__(self, gain_db: float = 0.0, *, name: str | None = None, **params: Any) -> None:
        super().__init__("Gain", {"gain_db": gain_db}, name=name, **params)


class ChannelMixerNode(NativeNode):
    """Audio with another number of channels; or `matrix`, the weights of each."""

    def __init__(
        self, channels: int | None = None, *, name: str | None = None, **params: Any
    ) -> None:
        own = {} if channels is None else {"channels": channels}
        super().__init__("ChannelMixer", own, name=name, **params)


class AudioLevelNode(NativeNode):
    """Measures how loud audio is, every `interval_ms`.

    The next node gets the audio, untouched. At the end of a pipeline there are two outputs:
    `audio`, and `levels`, dicts with rms_db, peak_db, is_low_volume, is_silence, frames.
    """

    ends = _LEVELS

    def __init__(
        self,
        low_volume_threshold_db: float = -20.0,
        silence_threshold_db: float = -60.0,
        *,
        name: str | None = None,
        **params: Any,
    ) -> None:
        own = {
            "low_volume_threshold_db": low_volume_threshold_db,
            "silence_threshold_db": silence_threshold_db,
        }
        super().__init__("AudioLevel", own, name=name, **params)


@node("ExtractAudioDataNode", kind="audio")
class ExtractAudioDataNode(Node):
    """The samples of audio as an array without a rate: (frames,), or (frames, channels)."""

    inputs = _AUDIO

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name=name)

    def process(self, data: Any) -> Output:
        """The samples of a packet."""
        return Output(numpy().asarray(data), options={"kind": "tensor"})
