"""The code of the earlier SDK's READMEs, run as it stands. See test_seeds.py."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import re
import unittest
from typing import Any

import seed_texts
from helpers import np
from remotemedia import Pipeline
from seed_texts import BLOCKS, Seeds

HAS_RUNTIME = hasattr(importlib.import_module("remotemedia.runtime"), "execute_pipeline")
needs_runtime = unittest.skipUnless(HAS_RUNTIME, "remotemedia.runtime has no execute_pipeline yet")
needs_yaml = unittest.skipUnless(
    importlib.util.find_spec("yaml"), "the fallback reads YAML with PyYAML, which is not installed"
)
AUDIO_YAML = """\
version: v1
metadata: {name: audio}
nodes:
  - {id: resample, node_type: AudioResample, params: {target_rate: 16000}}
  - {id: convert, node_type: FormatConverter, params: {format: i16}}
connections:
  - {from: resample, to: convert}
inputs:
  audio: {port: resample.in, source_rate: 48000}
"""
RESAMPLE_JSON = json.dumps(
    {
        "version": "v1",
        "nodes": [{"id": "r", "node_type": "AudioResample", "params": {"target_rate": 16000}}],
    }
)
TEXT_JSON = json.dumps(
    {
        "version": "v1",
        "nodes": [
            {"id": "t", "node_type": "TextProcessorNode", "params": {"operations": ["uppercase"]}}
        ],
    }
)


class Readme(Seeds):
    """The README of the earlier SDK."""

    def setUp(self) -> None:
        super().setUp()
        generator = np.random.default_rng(1)
        self.audio = (generator.standard_normal(48_000) * 0.1).astype(np.float32)
        self.write("audio_pipeline.yaml", AUDIO_YAML)
        self.right = Pipeline(self.folder / "audio_pipeline.yaml").run(self.audio, rate=48_000)

    def test_003_4_from_yaml(self) -> None:
        result = self.run_block("003-4", audio_data=self.audio).names["result"]
        self.assertEqual((result.dtype, result.shape), (np.int16, (16_000,)))
        np.testing.assert_array_equal(result, self.right.value)

    def test_003_5_metrics(self) -> None:
        ran = self.run_block("003-5", Pipeline=Pipeline, audio_data=self.audio)
        np.testing.assert_array_equal(ran.names["result"], self.right.value)
        metrics = ran.names["metrics"]
        self.assertGreater(metrics["total_duration_us"], 0)
        # The engine lists its adapter, too.
        ids = [node["node_id"] for node in metrics["node_metrics"]]
        self.assertEqual([i for i in ids if "~adapter" not in i], ["resample", "convert"])
        self.assertRegex(ran.lines[0], r"^Total duration: [\d.]+")
        self.assertIn("resample", ran.lines[1])

    def test_003_6_detection(self) -> None:
        ran = self.run_block("003-6")
        self.assertIn("Using Rust acceleration", ran.printed)

    def test_003_7_audio_pipeline(self) -> None:
        manifest = AUDIO_YAML.replace("source_rate: 48000", "source_rate: 16000")
        self.write("configs/audio_processing.yaml", manifest.replace("16000}", "8000}", 1))
        ran = self.run_block("003-7")
        self.assertEqual(ran.names["result"].shape, (8_000,))
        self.assertGreater(np.abs(ran.names["result"]).max(), 1000)
        self.assertRegex(ran.lines[0], r"^Processing time: [\d.]+")
        # Two nodes, and the engine's adapter before them.
        self.assertEqual(ran.lines[1], "Nodes executed: 3")

    @needs_yaml
    def test_003_8_comparison(self) -> None:
        self.write("audio.yaml", AUDIO_YAML)
        ran = self.run_block("003-8", audio_data=self.audio)
        with seed_texts.at(self.folder) as printed:
            asyncio.run(ran.names["benchmark"]())
        self.assertRegex(
            printed.getvalue(), r"Python: [\d.]+ms\nRust:   [\d.]+ms\nSpeedup: [\d.]+x"
        )
        path = self.folder / "audio.yaml"
        both = [
            Pipeline.from_yaml(path, runtime_hint=hint).run({"audio": self.audio}).value
            for hint in ("python", "rust")
        ]
        self.assertEqual(both[0].shape, (16_000,))
        self.assertLessEqual(np.abs(both[0].astype(int) - both[1]).max(), 1)

    def test_003_20_calculator(self) -> None:
        pipeline = Pipeline(json.loads(BLOCKS["003-20"].text))
        self.assertEqual(pipeline.run([5, 7, 3]).value, [20, 24, 16])

    def test_003_21_text(self) -> None:
        given = [{"text": "Hello WASM", "operations": ["uppercase", "word_count"]}]
        out = Pipeline(json.loads(BLOCKS["003-21"].text)).run(given).value
        self.assertEqual(out["results"], {"uppercase": "HELLO WASM", "word_count": 2})


@needs_runtime
class Ffi(Seeds):
    """The README of the Python bindings: calls that run a manifest at once."""

    def audio_dict(self) -> dict[str, Any]:
        """One second at 48 kHz."""
        runtime: Any = importlib.import_module("remotemedia.runtime")
        tone = np.sin(np.linspace(0, 440 * 2 * np.pi, 48_000)).astype(np.float32)
        return runtime.numpy_to_audio_dict(tone, sample_rate=48_000, channels=1)

    def test_004_5_execute(self) -> None:
        lines = self.run_block("004-5").lines
        self.assertEqual(lines[0], "Using Rust-accelerated runtime")
        # The pipeline gets no input, and gives nothing.
        self.assertIn(lines[1:], (["None"], ["[]"]))

    def test_004_6_with_input(self) -> None:
        result = self.run_block("004-6", manifest_json=TEXT_JSON).names["result"]
        self.assertEqual(result["outputs"]["results"], {"uppercase": "HELLO, WORLD!"})
        metrics: Any = result["metrics"]
        metrics = json.loads(metrics) if isinstance(metrics, str) else metrics
        self.assertEqual([node["node_id"] for node in metrics["node_metrics"]], ["t"])

    def test_004_7_numpy(self) -> None:
        ran = self.run_block("004-7", manifest_json=RESAMPLE_JSON)
        self.assertIsInstance(ran.names["result"], np.ndarray)
        # 20 ms, now at 16 kHz.
        self.assertEqual(ran.lines, ["Received numpy array: (320,)"])

    def test_004_8_audio_dict(self) -> None:
        given = {"execute_pipeline_with_input": self.executes(), "manifest": RESAMPLE_JSON}
        ran = self.run_block("004-8", **given)
        made = ran.names["audio_dict"]
        self.assertEqual(set(made), {"type", "samples", "sample_rate", "channels"})
        self.assertEqual((made["type"], len(made["samples"])), ("audio", 48_000))
        result = ran.names["result"]
        self.assertEqual((result["type"], result["sample_rate"]), ("audio", 16_000))
        self.assertEqual(len(result["samples"]), 16_000)

    def test_004_9_back_to_numpy(self) -> None:
        given: dict[str, Any] = {"execute_pipeline_with_input": self.executes(), "np": np}
        ran = self.run_block("004-9", manifest=RESAMPLE_JSON, audio_dict=self.audio_dict(), **given)
        self.assertEqual(ran.names["audio_array"].shape, (16_000,))
        said = re.match(r"Max amplitude: ([\d.]+)", ran.printed)
        self.assertIsNotNone(said)
        self.assertAlmostEqual(float(ran.names["max_amplitude"]), 1.0, delta=0.05)

    def test_004_13_old_name(self) -> None:
        runtime: Any = importlib.import_module("remotemedia.runtime")
        old: Any = importlib.import_module("remotemedia_runtime")
        ran = self.run_block("004-13")
        self.assertIs(ran.names["execute_pipeline"], runtime.execute_pipeline)
        self.assertIs(old.execute_pipeline, runtime.execute_pipeline)

    def test_old_modules(self) -> None:
        """What the text asks to be tried, and the call that has no block."""
        runtime: Any = importlib.import_module("remotemedia.runtime")
        for name in ("remotemedia_ffi", "remotemedia_runtime"):
            self.assertEqual(importlib.import_module(name).__version__, runtime.__version__)
        self.assertRegex(runtime.get_runtime_version(), r"^\d+\.\d+")

    def executes(self) -> Any:
        """What blocks use that an earlier block has imported."""
        runtime: Any = importlib.import_module("remotemedia.runtime")
        return runtime.execute_pipeline_with_input


if __name__ == "__main__":
    unittest.main()
