"""Nodes that find speech. All are the engine's."""

from __future__ import annotations

from typing import Any

from .._manifest import NativeNode
from ._engine import check_hint, without_none

__all__ = ["SpeechSegmenterNode", "VADNode", "VoiceActivityDetector"]


#: The outputs of pipelines that end with these nodes.
_VAD = {"audio": "out", "vad": "vad"}
_SEGMENTS = {"audio": "out", "segments": "segments"}


class VADNode(NativeNode):
    """Says which frames of audio are speech, by their level.

    `frame_duration_ms`: length of a frame. `energy_threshold`: RMS level, full scale 1, from which
    a frame is speech; None: what stands out from the noise floor is.

    The next node gets the audio, as mono. At the end of a pipeline there are two outputs: `audio`,
    and `vad`, a dict for each frame: has_speech, speech_probability, is_speech_start,
    is_speech_end, …
    """

    ends = _VAD

    def __init__(
        self,
        frame_duration_ms: float = 30.0,
        energy_threshold: float | None = 0.02,
        runtime_hint: str = "auto",
        *,
        name: str | None = None,
        **params: Any,
    ) -> None:
        check_hint(type(self).__name__, runtime_hint)
        own = {"frame_duration_ms": frame_duration_ms}
        own |= without_none(energy_threshold=energy_threshold)
        super().__init__("VAD", own, name=name, **params)


class VoiceActivityDetector(NativeNode):
    """Says which frames of audio are speech, or lets only speech pass.

    `frame_duration_ms`, `energy_threshold`: as in `VADNode`. `speech_threshold`: the score, 0 to 1,
    from which a frame is speech; a frame whose level is `energy_threshold` scores 0.5, which is
    what None stands for. (It once was the share of frames in a chunk, which the engine does not
    have: there min_speech_duration_ms says how much speech has to be there.) `filter_mode`: only
    speech passes. `include_metadata`: whether a pipeline that ends here has the output `vad` beside
    `audio`.
    """

    def __init__(
        self,
        frame_duration_ms: float = 30.0,
        energy_threshold: float | None = 0.02,
        speech_threshold: float | None = None,
        filter_mode: bool = False,
        include_metadata: bool = True,
        *,
        name: str | None = None,
        **params: Any,
    ) -> None:
        own: dict[str, Any] = {"frame_duration_ms": frame_duration_ms, "gate": filter_mode}
        own |= without_none(energy_threshold=energy_threshold, threshold=speech_threshold)
        super().__init__("VAD", own, name=name, **params)
        self.include_metadata = include_metadata
        if include_metadata:
            self.ends = _VAD


class SpeechSegmenterNode(NativeNode):
    """Cuts audio into stretches of speech, one packet each.

    The next node gets the stretches. At the end of a pipeline there are two outputs: `audio`, and
    `segments`, a dict for each stretch.
    """

    ends = _SEGMENTS

    def __init__(self, *, name: str | None = None, **params: Any) -> None:
        super().__init__("SpeechSegmenter", name=name, **params)
