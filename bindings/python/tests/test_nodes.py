"""Every class of `remotemedia.nodes`, over real recordings."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from typing import Any

import remotemedia
from helpers import MEDIA, np, read_wav
from remotemedia import (
    ConfigurationError,
    ManifestError,
    UnsupportedError,
    nodes,
)
from remotemedia.core import Pipeline

SPEECH = MEDIA / "speech-16k.wav"
MUSIC = MEDIA / "music-44k-stereo.wav"


def packets(*chain: Any) -> list[Any]:
    """What a chain that reads by itself gives, packet by packet."""
    opened: Any = Pipeline(*chain)
    with opened:
        opened.end()
        return list(opened)


def value(*chain: Any, given: Any = None, **options: Any) -> Any:
    """What `run` gives."""
    return Pipeline(*chain).run(given, **options).value


class InTemp(unittest.TestCase):
    """With a folder that goes away."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)


class Files(InTemp):
    """Reading and writing."""

    def test_read_resample_write(self) -> None:
        out, twin = self.folder / "out.wav", self.folder / "twin.wav"
        given = Pipeline(
            nodes.MediaReaderNode(file_path=MEDIA / "speech.mp3"),
            nodes.AudioResampleNode(target_sample_rate=16_000),
            nodes.MediaWriterNode(output_path=out),
        ).run()
        self.assertEqual(given.value, str(out))
        manifest = {
            "version": "v1",
            "nodes": [
                {
                    "id": "in",
                    "node_type": "MediaReader",
                    "params": {"path": str(MEDIA / "speech.mp3")},
                },
                {
                    "id": "resample",
                    "node_type": "AudioResample",
                    "params": {"target_rate": 16_000, "quality": "high"},
                },
                {"id": "out", "node_type": "MediaWriter", "params": {"path": str(twin)}},
            ],
            "connections": [{"from": "in", "to": "resample"}, {"from": "resample", "to": "out"}],
        }
        Pipeline(manifest).run()
        self.assertEqual(out.read_bytes(), twin.read_bytes())
        wav = read_wav(out)
        # 1,090,593 frames at 44.1 kHz.
        self.assertEqual((wav.rate, wav.channels, wav.frames), (16_000, 1, 395_680))
        self.assertGreater(wav.rms, 0.01)

    def test_names_of_the_path(self) -> None:
        for made in (
            nodes.MediaReaderNode(str(SPEECH)),
            nodes.MediaReaderNode(path=SPEECH),
            nodes.LocalMediaReaderNode(file_path=SPEECH),
        ):
            self.assertEqual(value(made).shape, (246_240,))
        with self.assertRaisesRegex(ConfigurationError, "path= or file_path=, exactly one.*none"):
            nodes.MediaReaderNode()
        with self.assertRaisesRegex(ConfigurationError, "both path and file_path"):
            nodes.MediaReaderNode("a.wav", file_path="b.wav")
        with self.assertRaises(remotemedia.MediaFileError):
            value(nodes.MediaReaderNode(self.folder / "none.wav"))

    def test_sink(self) -> None:
        seen: list[Any] = []
        out = value(nodes.PassThroughNode(), nodes.DataSinkNode(seen.append), given=["a", "b"])
        self.assertEqual((seen, out), (["a", "b"], ["a", "b"]))
        with self.assertRaisesRegex(ConfigurationError, "callback"):
            nodes.DataSinkNode(3)  # pyright: ignore[reportArgumentType]


class Audio(unittest.TestCase):
    """Nodes for audio."""

    def test_resample(self) -> None:
        for kind in (nodes.AudioResampleNode, nodes.AudioResampler):
            for quality in ("low", "High"):
                made = packets(nodes.MediaReaderNode(MUSIC), kind(48_000, quality))
                self.assertEqual({(p.rate, p.channels) for p in made}, {(48_000, 2)})
                self.assertEqual(sum(p.frames for p in made), 72_000)
        with self.assertRaises(ManifestError):
            value(nodes.AudioResampleNode(16_000, quality="loud"))

    def test_runtime_hint(self) -> None:
        for kind in (nodes.AudioResampleNode, nodes.VADNode, nodes.FormatConverterNode):
            kind(runtime_hint="rust")
            with self.assertRaisesRegex(UnsupportedError, "from_yaml"):
                kind(runtime_hint="python")
            with self.assertRaisesRegex(ConfigurationError, "auto, rust, python"):
                kind(runtime_hint="gpu")

    def test_transform(self) -> None:
        made = packets(nodes.MediaReaderNode(SPEECH), nodes.AudioTransform())
        self.assertEqual({(p.rate, p.channels) for p in made}, {(44_100, 2)})
        # 246,240 frames at 16 kHz are 678,699 at 44.1 kHz.
        self.assertEqual(sum(p.frames for p in made), 678_699)
        whole = np.concatenate([np.asarray(p) for p in made])
        self.assertGreater(np.sqrt(np.mean(whole**2)), 0.01)
        made = packets(nodes.MediaReaderNode(MUSIC), nodes.AudioTransform(22_050, 1))
        self.assertEqual({(p.rate, p.channels) for p in made}, {(22_050, 1)})
        self.assertEqual(sum(p.frames for p in made), 33_075)

    def test_format(self) -> None:
        for name, kind in (("i16", np.int16), ("i32", np.int32), ("f32", np.float32)):
            out = value(nodes.MediaReaderNode(SPEECH), nodes.FormatConverterNode(name))
            self.assertEqual(out.dtype, kind)
        loud = value(nodes.FormatConverterNode("i16"), given=np.array([1, -1], "f4"), rate=8000)
        # Clipped, not wrapped.
        self.assertEqual(loud.tolist(), [32_767, -32_768])

    def test_buffer(self) -> None:
        made = packets(nodes.MediaReaderNode(SPEECH), nodes.AudioBuffer(buffer_size_samples=1000))
        self.assertEqual([p.frames for p in made], [1000] * 246 + [240])
        one = packets(nodes.MediaReaderNode(SPEECH), nodes.AudioBuffer(16_000), nodes.BufferNode(4))
        self.assertEqual([p.frames for p in one], [64_000] * 3 + [54_240])

    def test_gain(self) -> None:
        plain = value(nodes.MediaReaderNode(MUSIC))
        quiet = value(nodes.MediaReaderNode(MUSIC), nodes.GainNode(-20))
        np.testing.assert_allclose(quiet, plain * 0.1, atol=1e-6)

    def test_mixer(self) -> None:
        stereo = value(nodes.MediaReaderNode(MUSIC))
        mono = value(nodes.MediaReaderNode(MUSIC), nodes.ChannelMixerNode(1))
        np.testing.assert_allclose(mono, stereo.mean(axis=1), atol=1e-6)
        left = value(nodes.MediaReaderNode(MUSIC), nodes.ChannelMixerNode(matrix=[[1, 0]]))
        np.testing.assert_array_equal(left, stereo[:, 0])

    def test_level(self) -> None:
        out = value(nodes.MediaReaderNode(MUSIC), nodes.AudioLevelNode(interval_ms=500))
        np.testing.assert_array_equal(out["audio"], value(nodes.MediaReaderNode(MUSIC)))
        levels = [level["rms_db"] for level in out["levels"]]
        rms = [np.sqrt(np.mean(out["audio"][n : n + 22_050] ** 2)) for n in (0, 22_050, 44_100)]
        np.testing.assert_allclose(levels, 20 * np.log10(rms), atol=0.1)
        # Before another node, only the audio goes on.
        between = value(nodes.MediaReaderNode(MUSIC), nodes.AudioLevelNode(), nodes.GainNode())
        self.assertEqual(between.shape, out["audio"].shape)

    def test_extract(self) -> None:
        kinds: list[Any] = []
        chain = (nodes.MediaReaderNode(MUSIC), nodes.ExtractAudioDataNode())
        out = value(*chain, nodes.DataTransform(lambda x: kinds.append(type(x)) or x.shape[0]))
        self.assertEqual(set(kinds), {np.ndarray})
        self.assertEqual(sum(out), 66_150)
        self.assertEqual({p.kind for p in packets(*chain)}, {"tensor"})


class Speech(unittest.TestCase):
    """Nodes that find speech."""

    def test_vad(self) -> None:
        out = value(nodes.MediaReaderNode(SPEECH), nodes.VADNode())
        self.assertEqual(out["audio"].shape, (246_240,))
        # Frames of 30 ms.
        self.assertEqual(len(out["vad"]), 513)
        share = np.mean([frame["has_speech"] for frame in out["vad"]])
        self.assertTrue(0.2 < share < 0.8, share)
        deaf = value(nodes.MediaReaderNode(SPEECH), nodes.VADNode(energy_threshold=0.9))
        self.assertFalse(any(frame["has_speech"] for frame in deaf["vad"]))
        long = value(nodes.MediaReaderNode(SPEECH), nodes.VADNode(60, energy_threshold=None))
        self.assertEqual(len(long["vad"]), 256)

    def test_detector(self) -> None:
        read = nodes.MediaReaderNode(SPEECH)
        both = value(read, nodes.VoiceActivityDetector())
        self.assertEqual((both["audio"].shape, len(both["vad"])), ((246_240,), 513))
        gated = packets(read, nodes.VoiceActivityDetector(filter_mode=True, include_metadata=False))
        self.assertLess(sum(p.frames for p in gated), 240_000)
        bare = value(read, nodes.VoiceActivityDetector(include_metadata=False))
        self.assertEqual(bare.shape, (246_240,))

        def speech(threshold: float) -> int:
            out = value(read, nodes.VoiceActivityDetector(speech_threshold=threshold))
            return sum(frame["has_speech"] for frame in out["vad"])

        self.assertGreater(speech(0.3), speech(0.9))
        with self.assertRaises(ManifestError):
            value(read, nodes.VoiceActivityDetector(speech_threshold=1.5))

    def test_segments(self) -> None:
        out = value(nodes.MediaReaderNode(MEDIA / "speech.flac"), nodes.SpeechSegmenterNode())
        self.assertEqual(len(out["segments"]), len(out["audio"]))
        self.assertGreaterEqual(len(out["segments"]), 3)


class Values(unittest.TestCase):
    """Nodes for any packets, text and numbers."""

    def test_pass_and_buffer(self) -> None:
        self.assertEqual(value(nodes.PassThroughNode(), given={"a": 1}), {"a": 1})
        out = value(nodes.BufferNode(buffer_size=2), given=[{"n": n} for n in range(3)])
        self.assertEqual(out, [[{"n": 0}, {"n": 1}], [{"n": 2}]])

    def test_numbers(self) -> None:
        self.assertEqual(
            value(nodes.MultiplyNode(2), nodes.AddNode(10), given=[5, 7, 3]), [20, 24, 16]
        )
        self.assertEqual(value(nodes.MultiplyNode(multiplier=3), given=2), 6)

    def test_calculator(self) -> None:
        def calculate(word: str, *args: float, key: str = "args") -> Any:
            return value(nodes.CalculatorNode(), given={"operation": word, key: list(args)})[
                "result"
            ]

        self.assertEqual(calculate("add", 1, 2, 3), 6)
        self.assertEqual(calculate("subtract", 1, 2, key="operands"), -1)
        self.assertEqual(calculate("multiply", 3, 4), 12)
        self.assertEqual(calculate("divide", 1, 4), 0.25)
        self.assertEqual(calculate("power", 2, 10), 1024)
        self.assertEqual(calculate("modulo", 7, 4), 3)
        self.assertEqual(value(nodes.CalculatorNode(operation="add", operand=2), given=1), 3)
        for word, args, why in (
            ("divide", (1, 0), "divisor that is not 0"),
            ("root", (1, 2), 'no operation "root"'),
            ("subtract", (1,), "2 or more numbers"),
        ):
            with self.assertRaisesRegex(remotemedia.FormatError, why):
                calculate(word, *args)

    def test_calculator_in_a_manifest(self) -> None:
        definition = Pipeline(nodes.CalculatorNode()).export_definition()
        out = Pipeline(definition).run({"operation": "add", "args": [1, 2]}).value
        self.assertEqual(out["result"], 3)

    def test_text(self) -> None:
        asked = {"text": "Hello WASM", "operations": ["uppercase", "word_count"]}
        out = value(nodes.TextProcessorNode(), given=[asked])
        self.assertEqual(out["results"], {"uppercase": "HELLO WASM", "word_count": 2})
        out = value(nodes.TextProcessorNode(["reverse"]), given="abc")
        self.assertEqual(out["results"], {"reverse": "cba"})

    def test_functions(self) -> None:
        self.assertEqual(value(nodes.TextTransformNode(str.upper), given="abc"), "ABC")
        with self.assertRaises(remotemedia.FormatError):
            value(nodes.TextTransformNode(str.upper), given={"no": "text"})

        async def later(item: Any) -> Any:
            return {"was": item}

        for kind in (nodes.DataTransform, nodes.DataTransformNode):
            self.assertEqual(value(kind(later), given=[1, 2]), [{"was": 1}, {"was": 2}])
            self.assertEqual(value(kind(function=lambda x: x + 1), given=1), 2)
            with self.assertRaisesRegex(ConfigurationError, "needs a function, function="):
                kind()

    def test_unknown_params(self) -> None:
        """None is ignored: neither by the engine's nodes nor by Python's."""
        with self.assertRaisesRegex(ManifestError, "no param 'loudness'"):
            value(nodes.GainNode(loudness=3), given=np.zeros(9, "f4"), rate=8000)
        with self.assertRaises(TypeError):
            nodes.DataTransform(print, loudness=3)  # pyright: ignore[reportCallIssue]

    def test_names(self) -> None:
        pipeline = Pipeline(nodes.GainNode(name="loud"), nodes.DataTransform(abs, name="mine"))
        ids = [node["id"] for node in pipeline.export_definition()["nodes"]]
        self.assertEqual(ids, ["loud", "mine"])


if __name__ == "__main__":
    unittest.main()
