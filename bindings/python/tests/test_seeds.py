"""The code of the documents that the project began with, run as it stands.

`PYTHON` says of every Python block whether it runs, or what it waits for; a block that waits is
run, too, and has to say what is missing. docs/compatibility.md tells the same to people.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import json
import re
import shutil
import sys
import tempfile
import types
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import seed_texts
from helpers import MEDIA, ROOT, np, read_wav

from remotemedia import Pipeline, UnsupportedError, nodes
from remotemedia.core.node import Node, RemoteExecutorConfig
from remotemedia.remote import RemoteProxyClient

BLOCKS = seed_texts.blocks()
RUNS = "runs"
REMOTE = "waits for remote execution: it needs a server"
#: Every Python block.
PYTHON = {
    "000-1": RUNS,
    "000-2": RUNS,
    "000-3": RUNS,
    "000-4": REMOTE,
    "000-5": REMOTE,
    "000-6": REMOTE,
    "000-7": REMOTE,
    "000-8": REMOTE,
    "000-9": REMOTE,
    "001-1": RUNS,
    "003-4": RUNS,
    "003-5": RUNS,
    "003-6": RUNS,
    "003-7": RUNS,
    "003-8": RUNS,
    "004-5": RUNS,
    "004-6": RUNS,
    "004-7": RUNS,
    "004-8": RUNS,
    "004-9": RUNS,
    "004-13": RUNS,
}
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


@unittest.skipUnless(BLOCKS, f"there are no seed documents in {seed_texts.FOLDER}")
class Seeds(unittest.TestCase):
    """With the documents, and a folder for each block."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)

    def run_block(self, key: str, **given: Any) -> seed_texts.Ran:
        """Runs a block of Python."""
        self.assertEqual(BLOCKS[key].language, "python")
        return seed_texts.run(BLOCKS[key], self.folder, **given)

    def provide(self, name: str, source: str) -> None:
        """A recording, under the name that a block has for one."""
        shutil.copy(MEDIA / source, self.folder / name)

    def write(self, name: str, text: str) -> None:
        """A file that a block reads."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


class Table(Seeds):
    """That nothing is left out."""

    def test_every_python_block_is_listed(self) -> None:
        found = {key for key, block in BLOCKS.items() if block.language == "python"}
        self.assertEqual(found, set(PYTHON))
        self.assertEqual(len(found), 21)

    def test_every_python_block_has_a_test(self) -> None:
        tests = " ".join(name for kind in (Guide, Readme, Ffi, Waiting) for name in dir(kind))
        for key in PYTHON:
            self.assertRegex(tests, rf"test_{key.replace('-', '_')}_")

    def test_every_block_is_in_the_docs(self) -> None:
        """Each has its row, and rows that say that something works name a test that there is."""
        text = (ROOT / "docs" / "compatibility.md").read_text()
        rows = re.findall(r"^\| (\d\d\d-\d+)[a-z]? \|.*$", text, re.MULTILINE)
        self.assertEqual(set(rows), set(BLOCKS))
        written = "".join(p.read_text() for p in Path(__file__).parent.glob("test_*.py"))
        for name in re.findall(r"`(test_\w+)`", text):
            self.assertIn(f"def {name}(", written)


class Model:
    """A stand-in for a model of a library."""

    def __init__(self, path: str) -> None:
        self.path = path

    def to(self, device: str) -> str:
        """Where it is."""
        return f"{self.path} on {device}"


class Guide(Seeds):
    """The developer guide, and the tracking document."""

    def test_000_1_read_resample_write(self) -> None:
        self.provide("input.mp3", "speech.mp3")
        self.run_block("000-1")
        wav = read_wav(self.folder / "output.wav")
        self.assertEqual((wav.rate, wav.channels, wav.frames), (16_000, 1, 395_680))
        self.assertGreater(wav.rms, 0.01)

    def test_000_2_own_node(self) -> None:
        """The block shows a node's life: it is lived through, with stand-ins for the libraries."""
        said: list[str] = []
        logger = types.SimpleNamespace(info=said.append)
        kind = self.run_block("000-2", Node=Node, logger=logger).names["MyHeavyMLNode"]
        torch, library = types.ModuleType("torch"), types.ModuleType("my_ml_library")
        vars(torch)["cuda"] = types.SimpleNamespace(is_available=bool)
        vars(library)["load_model"] = Model
        with mock.patch.dict(sys.modules, {"torch": torch, "my_ml_library": library}):
            node = kind("model.bin", name="heavy")
            self.assertIsNone(node.model)
            self.assertIsNone(Pipeline([node]).run("data").value)
        self.assertEqual((node.name, node.model), ("heavy", "model.bin on cpu"))
        self.assertEqual(said, ["MyHeavyMLNode initialized on device: cpu"])

    def test_000_3_remote_node_is_made(self) -> None:
        made = self.run_block("000-3").names["remote_whisper"]
        self.assertEqual(made.node_type, "WhisperTranscriptionNode")
        config = {"model_id": "openai/whisper-large-v3-turbo", "device": "cuda"}
        self.assertEqual(made.node_config, config)

    def test_001_1_classes(self) -> None:
        """Classes that once went to a server: here they run as nodes, and keep their state."""
        numbers = types.ModuleType("custom_math.advanced")
        vars(numbers)["complex_calculation"] = sum
        names = self.run_block("001-1").names
        calculator, processor = names["SimpleCalculator"](), names["DataProcessor"]()
        triple = nodes.DataTransform(functools.partial(calculator.multiply, 3))
        more = nodes.DataTransform(functools.partial(calculator.add, 1))
        self.assertEqual(Pipeline(triple, more).run([1, 2]).value, [4, 7])
        out = Pipeline(nodes.DataTransform(processor.process_list)).run([[1, 2], [3]]).value
        self.assertEqual(out, [{"sum": 3, "count": 1}, {"sum": 3, "count": 2}])
        custom = names["CustomNodeWithImports"]()
        packages = {"custom_math": types.ModuleType("custom_math"), "custom_math.advanced": numbers}
        with mock.patch.dict(sys.modules, packages):
            self.assertEqual(custom.process_data("x", [1, 2]), 3)


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

    def executes(self) -> Any:
        """What blocks use that an earlier block has imported."""
        runtime: Any = importlib.import_module("remotemedia.runtime")
        return runtime.execute_pipeline_with_input


class Waiting(Seeds):
    """Blocks that need a server: everything up to it runs, and then it is said what is missing."""

    def refused(self, key: str, **given: Any) -> None:
        """Runs a block up to what is missing."""
        with self.assertRaisesRegex(UnsupportedError, "no remote server in this build"):
            self.run_block(key, **given)

    def test_000_4_ultravox(self) -> None:
        self.provide("gettysburg.wav", "speech-16k.wav")
        self.refused("000-4", Pipeline=Pipeline, MediaReaderNode=nodes.MediaReaderNode)

    def test_000_5_sentiment(self) -> None:
        self.refused("000-5")

    def test_000_6_proxy(self) -> None:
        self.refused("000-6", Calculator=type("Calculator", (), {}))

    def test_000_7_generators(self) -> None:
        self.refused("000-7", **self.client())

    def test_000_8_main(self) -> None:
        given = self.client()
        client = given["RemoteProxyClient"](given["config"])
        self.refused("000-8", client=client, **{"__name__": "__main__"})

    def test_000_9_methods(self) -> None:
        self.refused("000-9", asyncio=asyncio, **self.client())

    def client(self) -> dict[str, Any]:
        """What block 000-6 has left for those behind it."""
        config = RemoteExecutorConfig(host="localhost", port=50052)
        return {"RemoteProxyClient": RemoteProxyClient, "config": config}


if __name__ == "__main__":
    unittest.main()
