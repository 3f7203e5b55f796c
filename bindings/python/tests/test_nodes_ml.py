"""The nodes around transformers: with a stand-in for it, and, where it is installed, with it and
tiny models that know nothing, made on the spot."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import types
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from helpers import MEDIA, np
from remotemedia import ConfigurationError, NodeError, Pipeline, nodes

SPEECH = MEDIA / "speech.mp3"
REAL = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))


class StandIn:
    """What `transformers.pipeline` is called with, and what its results are called with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.made: list[dict[str, Any]] = []
        self.called: list[tuple[Any, dict[str, Any]]] = []

    def pipeline(self, **options: Any) -> Any:
        """As transformers has it."""
        self.made.append(options)

        def call(item: Any, **more: Any) -> Any:
            self.called.append((item, more))
            return self.answer

        return call

    def installed(self) -> Any:
        """In place of the real one."""
        module = types.ModuleType("transformers")
        module.pipeline = self.pipeline  # pyright: ignore[reportAttributeAccessIssue]
        return mock.patch.dict(
            sys.modules, {"transformers": module, "torch": types.ModuleType("torch")}
        )


class WithStandIn(unittest.TestCase):
    """What the nodes ask of transformers."""

    def test_transformers(self) -> None:
        stand_in = StandIn([{"label": "GOOD", "score": np.float32(0.5)}])
        with stand_in.installed():
            node = nodes.TransformersPipelineNode("text-classification", "m", device="cpu")
            self.assertEqual(stand_in.made, [])
            out = Pipeline(node).run("fine").value
        self.assertEqual(out, [{"label": "GOOD", "score": 0.5}])
        told = {"task": "text-classification", "model": "m", "device": "cpu"}
        self.assertEqual(stand_in.made, [told])
        self.assertEqual(stand_in.called, [("fine", {})])

    def test_audio(self) -> None:
        stand_in = StandIn({"text": "hm"})
        stereo = np.tile(np.array([[0.5, 0.0]], "f4"), (8, 1))
        with stand_in.installed():
            node = nodes.TransformersPipelineNode("audio-classification")
            Pipeline(node).run(stereo, rate=8000)
        given = stand_in.called[0][0]
        self.assertEqual(given["sampling_rate"], 8000)
        self.assertEqual(given["raw"].tolist(), [0.25] * 8)

    def test_whisper(self) -> None:
        stand_in = StandIn({"text": "words"})
        with stand_in.installed():
            node = nodes.WhisperTranscriptionNode("w", "cuda", buffer_duration_s=10)
            out = Pipeline(nodes.MediaReaderNode(SPEECH), node).run().value
        self.assertEqual(out, ["words"] * 3)
        told = {"task": "automatic-speech-recognition", "model": "w", "device": "cuda"}
        self.assertEqual(stand_in.made, [told])
        lengths = [len(item["raw"]) for item, _ in stand_in.called]
        # All of its 24.73 s, at 16 kHz.
        self.assertEqual(lengths, [160_000, 160_000, 75_680])

    def test_ultravox(self) -> None:
        stand_in = StandIn([{"generated_text": "An answer."}])
        with stand_in.installed():
            node = nodes.UltravoxNode(system_prompt="Be kind.", buffer_duration_s=20)
            out = Pipeline(nodes.MediaReaderNode(SPEECH), node).run().value
        self.assertEqual(out, ["An answer."] * 2)
        item, more = stand_in.called[0]
        self.assertEqual(item["turns"], [{"role": "system", "content": "Be kind."}])
        self.assertEqual((len(item["audio"]), item["sampling_rate"]), (320_000, 16_000))
        self.assertEqual(more, {"max_new_tokens": 200})

    def test_from_a_manifest(self) -> None:
        stand_in = StandIn({"text": "words"})
        made = Pipeline(nodes.MediaReaderNode(SPEECH), nodes.WhisperTranscriptionNode("w"))
        with stand_in.installed():
            self.assertEqual(Pipeline(made.export_definition()).run().value, "words")
        # The rest, which is less than 30 s, comes at the end.
        self.assertEqual([len(item["raw"]) for item, _ in stand_in.called], [395_680])

    def test_what_is_missing(self) -> None:
        missing = mock.patch.dict(sys.modules, {"transformers": None})
        with missing, self.assertRaisesRegex(NodeError, "pip install transformers torch"):
            Pipeline(nodes.TransformersPipelineNode("text-classification")).open()
        with self.assertRaises(ConfigurationError):
            nodes.TransformersPipelineNode("")
        with self.assertRaises(ConfigurationError):
            nodes.UltravoxNode(buffer_duration_s=0)


@unittest.skipUnless(REAL, "transformers and torch are not installed")
class WithTransformers(unittest.TestCase):
    """Models of a few numbers, at random."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = made.name
        self.hf: Any = importlib.import_module("transformers")

    def test_text(self) -> None:
        words = Path(self.folder, "vocab.txt")
        words.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]))
        tiny = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        config = self.hf.BertConfig(vocab_size=7, intermediate_size=8, num_labels=2, **tiny)
        self.hf.BertForSequenceClassification(config).save_pretrained(self.folder)
        self.hf.BertTokenizer(str(words)).save_pretrained(self.folder)
        for dtype in (None, "float32"):
            node = nodes.TransformersPipelineNode(
                "text-classification", self.folder, device="cpu", torch_dtype=dtype
            )
            out = Pipeline(node).run(["good", "bad"]).value
            self.assertEqual([len(each) for each in out], [1, 1])
            self.assertIn(out[0][0]["label"], ("LABEL_0", "LABEL_1"))

    def test_speech(self) -> None:
        names = ["<pad>", "<s>", "</s>", "<unk>", "|", "A", "B"]
        words = Path(self.folder, "vocab.json")
        words.write_text(json.dumps({name: n for n, name in enumerate(names)}))
        config = self.hf.Wav2Vec2Config(
            vocab_size=7,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=16,
            num_feat_extract_layers=2,
            conv_dim=(16, 16),
            conv_stride=(20, 16),
            conv_kernel=(20, 16),
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=1,
        )
        self.hf.Wav2Vec2ForCTC(config).save_pretrained(self.folder)
        self.hf.Wav2Vec2CTCTokenizer(str(words)).save_pretrained(self.folder)
        self.hf.Wav2Vec2FeatureExtractor().save_pretrained(self.folder)
        node = nodes.WhisperTranscriptionNode(self.folder, "cpu", buffer_duration_s=10)
        out = Pipeline(nodes.MediaReaderNode(SPEECH), node).run().value
        self.assertEqual([type(each) for each in out], [str] * 3)


if __name__ == "__main__":
    unittest.main()
