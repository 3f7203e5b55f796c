"""The code of the documents that the project began with, run as it stands.

`PYTHON` says of every Python block whether it runs, or what it waits for; a block that waits is
run, too, and has to say what is missing. docs/compatibility.md tells the same to people.
"""

from __future__ import annotations

import asyncio
import functools
import re
import sys
import types
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from helpers import ROOT, read_wav
from remotemedia import Pipeline, UnsupportedError, nodes
from remotemedia.core.node import Node, RemoteExecutorConfig
from remotemedia.remote import RemoteProxyClient
from seed_texts import BLOCKS, Seeds

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


class Table(Seeds):
    """That nothing is left out."""

    def test_every_python_block_is_listed(self) -> None:
        found = {key for key, block in BLOCKS.items() if block.language == "python"}
        self.assertEqual(found, set(PYTHON))
        self.assertEqual(len(found), 21)

    def test_every_python_block_has_a_test(self) -> None:
        tests = "".join(p.read_text() for p in Path(__file__).parent.glob("test_seeds*.py"))
        for key in PYTHON:
            self.assertRegex(tests, rf"def test_{key.replace('-', '_')}_")

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


class Waiting(Seeds):
    """Blocks that need a server: everything up to it runs, and then it is said what is missing."""

    def refused(self, key: str, **given: Any) -> None:
        """Runs a block up to what is missing."""
        with self.assertRaisesRegex(UnsupportedError, "no server runs Python for others"):
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
