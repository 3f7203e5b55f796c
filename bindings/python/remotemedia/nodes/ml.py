"""Nodes around models of Hugging Face's transformers, which they import when the pipeline opens.

They are tested with tiny models that know nothing, made on the spot; `UltravoxNode` with a
stand-in.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, cast

from .._node import Node, Output, node
from .._values import numpy
from ..errors import ConfigurationError, FormatError
from ._engine import without_none

__all__ = ["TransformersPipelineNode", "UltravoxNode", "WhisperTranscriptionNode"]

#: What the speech models take, in Hz. The engine converts.
RATE = 16_000
_SPEECH = {"in": {"kinds": ["audio"], "rates": [RATE], "channels": [1], "samples": ["f32"]}}
_TEXT = {"out": {"kinds": ["text"]}}


def _make(node: str, more: str = "", **options: Any) -> Any:
    """A `transformers.pipeline`."""
    try:
        transformers = cast("Any", importlib.import_module("transformers"))
        importlib.import_module("torch")
    except ImportError as error:
        message = f"{node} needs transformers and a PyTorch: pip install transformers torch{more}"
        raise ImportError(message) from error
    # Version 5 calls it dtype.
    if "dtype" in inspect.signature(transformers.pipeline).parameters:
        options["dtype"] = options.pop("torch_dtype", None)
    return transformers.pipeline(**without_none(**options))


@node("TransformersPipelineNode")
class TransformersPipelineNode(Node):
    """Items through `transformers.pipeline(task, model=…)`; gives what that gives, as JSON.

    Text and JSON go in as they are. Audio goes in packet by packet, as `{"raw": mono samples,
    "sampling_rate": Hz}`; put an `AudioResampleNode` at the model's rate and a `BufferNode` before
    it. Video goes in as an image of Pillow, where it is rgb24.

    `device`: "cpu", "cuda", a number; `model_kwargs`: for the model's loader; `torch_dtype`: e.g.
    "float16". None: as transformers chooses. The model is loaded, and may be downloaded, when the
    pipeline opens.
    """

    def __init__(
        self,
        task: str,
        model: str | None = None,
        device: str | int | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        torch_dtype: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        options = {"device": device, "torch_dtype": torch_dtype}
        given = {"task": task, "model": model, "model_kwargs": model_kwargs, **options}
        super().__init__(name=name, **without_none(**given))
        if not task:
            raise ConfigurationError(
                "TransformersPipelineNode needs a task: text-classification, …"
            )
        self._pipeline: Any = None

    def initialize(self) -> None:
        """Loads the model."""
        self._pipeline = _make("TransformersPipelineNode", **self.config)

    def process(self, data: Any) -> Output:
        """One item."""
        return Output(plain(self._pipeline(_input(data))), options={"kind": "json"})

    def cleanup(self) -> None:
        """Lets go of the model."""
        self._pipeline = None


class _SpeechNode(Node):
    """Collects speech, and gives text for each `buffer_duration_s` seconds of it, and for the
    rest."""

    inputs = _SPEECH
    outputs = _TEXT

    def __init__(self, name: str | None, buffer_duration_s: float, config: dict[str, Any]) -> None:
        config = without_none(**config, buffer_duration_s=buffer_duration_s)
        super().__init__(name=name, **config)
        if not buffer_duration_s > 0:
            raise ConfigurationError(
                f"buffer_duration_s={buffer_duration_s!r} is not more than 0 s"
            )
        self._frames = max(1, round(buffer_duration_s * RATE))
        self._waiting: list[Any] = []
        self._pipeline: Any = None

    def process(self, data: Any) -> Iterator[str]:
        """A packet: mono, float32, 16 kHz."""
        np = numpy()
        self._waiting.append(np.asarray(data, dtype=np.float32).reshape(-1))
        while sum(map(len, self._waiting)) >= self._frames:
            whole = np.concatenate(self._waiting)
            self._waiting = [whole[self._frames :]]
            yield self._answer(whole[: self._frames])

    def flush(self) -> Iterator[str]:
        """What is still waiting."""
        rest, self._waiting = self._waiting, []
        if any(map(len, rest)):
            yield self._answer(numpy().concatenate(rest))

    def cleanup(self) -> None:
        """Lets go of the model."""
        self._pipeline, self._waiting = None, []

    def _answer(self, samples: Any) -> str:
        raise NotImplementedError


@node("WhisperTranscriptionNode", inputs=_SPEECH)
class WhisperTranscriptionNode(_SpeechNode):
    """What is said: text for every `buffer_duration_s` seconds of speech.

    `chunk_length_s`, `torch_dtype`: as in transformers' automatic-speech-recognition. Not tested
    with a real model.
    """

    def __init__(
        self,
        model_id: str = "openai/whisper-large-v3-turbo",
        device: str | int | None = None,
        torch_dtype: str | None = None,
        chunk_length_s: float | None = None,
        buffer_duration_s: float = 30.0,
        *,
        name: str | None = None,
    ) -> None:
        options = {"torch_dtype": torch_dtype, "chunk_length_s": chunk_length_s}
        super().__init__(
            name, buffer_duration_s, {"model_id": model_id, "device": device, **options}
        )

    def initialize(self) -> None:
        """Loads the model."""
        options = {**self.config, "model": self.config["model_id"]}
        del options["model_id"], options["buffer_duration_s"]
        task = "automatic-speech-recognition"
        self._pipeline = _make("WhisperTranscriptionNode", task=task, **options)

    def _answer(self, samples: Any) -> str:
        return str(self._pipeline({"raw": samples, "sampling_rate": RATE})["text"])


@node("UltravoxNode", inputs=_SPEECH)
class UltravoxNode(_SpeechNode):
    """An answer to what is said in every `buffer_duration_s` seconds of speech. Not tested with a
    real model. Its code comes with the model: loading it runs code from there
    (`trust_remote_code`)."""

    def __init__(
        self,
        model_id: str = "fixie-ai/ultravox-v0_5-llama-3_2-1b",
        system_prompt: str = "You are a friendly and helpful assistant.",
        buffer_duration_s: float = 10.0,
        max_new_tokens: int = 200,
        device: str | int | None = None,
        torch_dtype: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        config = {
            "model_id": model_id,
            "system_prompt": system_prompt,
            "max_new_tokens": max_new_tokens,
            "device": device,
            "torch_dtype": torch_dtype,
        }
        super().__init__(name, buffer_duration_s, config)

    def initialize(self) -> None:
        """Loads the model."""
        told = self.config
        self._pipeline = _make(
            "UltravoxNode",
            " peft librosa",
            model=told["model_id"],
            trust_remote_code=True,
            device=told.get("device"),
            torch_dtype=told.get("torch_dtype"),
        )

    def _answer(self, samples: Any) -> str:
        turns = [{"role": "system", "content": self.config["system_prompt"]}]
        asked = {"audio": samples, "turns": turns, "sampling_rate": RATE}
        return _text(self._pipeline(asked, max_new_tokens=self.config["max_new_tokens"]))


def _text(answer: Any) -> str:
    """The text of an answer: of the text itself, or `[{"generated_text": …}]`."""
    while isinstance(answer, list) and answer:
        answer = cast("list[Any]", answer)[-1]
    if isinstance(answer, Mapping):
        return str(cast("Mapping[str, Any]", answer).get("generated_text", ""))
    return str(cast("object", answer))


def _input(data: Any) -> Any:
    """An item, as transformers takes it."""
    kind = getattr(data, "kind", None)
    if kind == "audio":
        np = numpy()
        samples = np.asarray(data)
        if samples.dtype != np.float32:
            raise FormatError(
                f"samples are {samples.dtype}: put a FormatConverterNode('f32') before"
            )
        mono = samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)
        return {"raw": mono, "sampling_rate": data.rate}
    if kind == "video":
        if data.pixel_format != "rgb24":
            raise FormatError(f"pictures are {data.pixel_format}: give rgb24")
        return cast("Any", importlib.import_module("PIL.Image")).fromarray(numpy().asarray(data))
    return data


def plain(value: Any) -> Any:
    """A result as JSON can have it: arrays and tensors as lists, their numbers as Python's."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in cast("list[Any]", value)]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value
