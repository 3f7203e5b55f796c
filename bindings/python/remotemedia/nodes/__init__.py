"""The nodes, as classes for pipelines that are written in Python.

    Pipeline(
        MediaReaderNode(path="speech.mp3"),
        AudioResampleNode(target_sample_rate=16_000),
        MediaWriterNode(output_path="speech.wav"),
    ).run()

Most are nodes of the engine: arguments that a class does not name are params of the engine's node
(`rmedia nodes TYPE`), and `fields={"placement": "thread"}` are fields of its manifest. The others
are written in Python. Each class takes `name=`, by which errors, metrics and `Pipeline.set` know
the node.

Everything is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily

if TYPE_CHECKING:
    from .audio import (
        AudioBuffer,
        AudioLevelNode,
        AudioResampleNode,
        AudioResampler,
        AudioTransform,
        ChannelMixerNode,
        ExtractAudioDataNode,
        FormatConverterNode,
        GainNode,
    )
    from .base import BufferNode, PassThroughNode
    from .calculator import AddNode, CalculatorNode, MultiplyNode
    from .io import DataSinkNode, LocalMediaReaderNode, MediaReaderNode, MediaWriterNode
    from .ml import TransformersPipelineNode, UltravoxNode, WhisperTranscriptionNode
    from .remote import (
        CodeExecutorNode,
        RemoteExecutionNode,
        RemoteObjectExecutionNode,
        RemotePipelineNode,
        SerializedClassExecutorNode,
    )
    from .speech import SpeechSegmenterNode, VADNode, VoiceActivityDetector
    from .text import TextProcessorNode
    from .transform import DataTransform, DataTransformNode, TextTransformNode
    from .video import (
        VideoBuffer,
        VideoFlip,
        VideoFormatConverter,
        VideoResizer,
        VideoScaler,
        VideoTransform,
    )

_PLACES = {
    "audio": (
        "AudioBuffer",
        "AudioLevelNode",
        "AudioResampleNode",
        "AudioResampler",
        "AudioTransform",
        "ChannelMixerNode",
        "ExtractAudioDataNode",
        "FormatConverterNode",
        "GainNode",
    ),
    "base": ("BufferNode", "PassThroughNode"),
    "calculator": ("AddNode", "CalculatorNode", "MultiplyNode"),
    "io": ("DataSinkNode", "LocalMediaReaderNode", "MediaReaderNode", "MediaWriterNode"),
    "ml": ("TransformersPipelineNode", "UltravoxNode", "WhisperTranscriptionNode"),
    "remote": (
        "CodeExecutorNode",
        "RemoteExecutionNode",
        "RemoteObjectExecutionNode",
        "RemotePipelineNode",
        "SerializedClassExecutorNode",
    ),
    "speech": ("SpeechSegmenterNode", "VADNode", "VoiceActivityDetector"),
    "text": ("TextProcessorNode",),
    "transform": ("DataTransform", "DataTransformNode", "TextTransformNode"),
    "video": (
        "VideoBuffer",
        "VideoFlip",
        "VideoFormatConverter",
        "VideoResizer",
        "VideoScaler",
        "VideoTransform",
    ),
}

__all__ = [
    "AddNode",
    "AudioBuffer",
    "AudioLevelNode",
    "AudioResampleNode",
    "AudioResampler",
    "AudioTransform",
    "BufferNode",
    "CalculatorNode",
    "ChannelMixerNode",
    "CodeExecutorNode",
    "DataSinkNode",
    "DataTransform",
    "DataTransformNode",
    "ExtractAudioDataNode",
    "FormatConverterNode",
    "GainNode",
    "LocalMediaReaderNode",
    "MediaReaderNode",
    "MediaWriterNode",
    "MultiplyNode",
    "PassThroughNode",
    "RemoteExecutionNode",
    "RemoteObjectExecutionNode",
    "RemotePipelineNode",
    "SerializedClassExecutorNode",
    "SpeechSegmenterNode",
    "TextProcessorNode",
    "TextTransformNode",
    "TransformersPipelineNode",
    "UltravoxNode",
    "VADNode",
    "VideoBuffer",
    "VideoFlip",
    "VideoFormatConverter",
    "VideoResizer",
    "VideoScaler",
    "VideoTransform",
    "VoiceActivityDetector",
    "WhisperTranscriptionNode",
]

__getattr__, __dir__, _ = lazily(globals(), _PLACES)
