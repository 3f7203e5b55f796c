"""The fallback against the native engine, which REMOTEMEDIA_LIBRARY names; without it skipped.

Prints what it measures. PYTHONPATH=bindings/python python3 -m unittest bindings/python/tests/…
"""

from __future__ import annotations

import json
import os
import unittest
import wave
from pathlib import Path
from typing import Any, ClassVar

try:
    import numpy as np
except ImportError as error:
    raise unittest.SkipTest("the fallback needs numpy") from error
if not os.environ.get("REMOTEMEDIA_LIBRARY"):
    raise unittest.SkipTest("REMOTEMEDIA_LIBRARY names no library to compare with")

import engine_twin as twin
from engine_twin import capi
from remotemedia.fallback import Audio, FallbackError, LinearPipeline, Record
from remotemedia.fallback.catalog import TYPES

#: An item, or a field of a manifest.
Thing = Any
Nodes = list[tuple[str, dict[str, Any]]]

ROOT = Path(__file__).resolve().parents[3]


def recording(name: str) -> tuple[Thing, int]:
    """int16 samples of a file, (frames, channels) or (frames,), and their rate in Hz."""
    with wave.open(str(ROOT / "media" / name)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        channels = file.getnchannels()
        return samples.reshape(-1, channels) if channels > 1 else samples, file.getframerate()


def as_float(samples: Thing) -> Thing:
    """float32 samples."""
    return (samples / np.float32(32_768)).astype(np.float32)


def chain(*nodes: tuple[str, dict[str, Any]], **more: Thing) -> dict[str, Any]:
    """A manifest of nodes called n0, n1, …"""
    listed = [{"id": f"n{i}", "node_type": t, "params": p} for i, (t, p) in enumerate(nodes)]
    links = [{"from": f"n{i}", "to": f"n{i + 1}"} for i in range(len(nodes) - 1)]
    return {"version": "v1", "nodes": listed, "connections": links, **more}


class Twins(unittest.TestCase):
    """Both engines over the same items."""

    library: ClassVar[capi.Library]

    @classmethod
    def setUpClass(cls) -> None:
        cls.library = capi.load()

    def both(self, manifest: dict[str, Any], items: list[Any]) -> tuple[twin.Ran, twin.Ran]:
        """Runs both, and checks that formats, lengths, times, breaks and decisions are equal."""
        runs = twin.native(self.library, manifest, items), twin.fallback(manifest, items)
        self.assertEqual(twin.differences(*runs), [], manifest)
        return runs

    def test_rates(self) -> None:
        speech, music = recording("speech-16k.wav"), recording("music-44k-stereo.wav")
        for (samples, rate), came, to in [
            (music, 44_100, 16_000),
            (music, 48_000, 16_000),
            (speech, 16_000, 48_000),
        ]:
            for latency in ("auto", "low", "offline"):
                for quality in ("low", "medium", "high", "vhq"):
                    params = {"target_rate": to, "quality": quality, "latency": latency}
                    items = twin.pieces(as_float(samples), came, seed=came + rate)
                    runs = self.both(chain(("AudioResample", params)), items)
                    error, _ = twin.worst(*runs)
                    print(f"{came} → {to} {quality} {latency}: {twin.decibels(error):.1f} dB")
                    self.assertLess(twin.decibels(error), -110 if latency == "offline" else -120)

    def test_mixing_and_formats(self) -> None:
        samples, rate = recording("music-44k-stereo.wav")
        items = twin.pieces(as_float(samples) * np.float32(1.5), rate, seed=3)
        cases: list[Nodes] = [
            [("ChannelMixer", {"channels": 1})],
            [("FormatConverter", {"format": "i16"})],
            [("FormatConverter", {"format": "i32", "planar": True})],
            [("FormatConverter", {"format": "u8"}), ("FormatConverter", {"format": "i16"})],
            [("FormatConverter", {"format": "i32"}), ("FormatConverter", {"format": "u8"})],
            [("ChannelMixer", {"matrix": [[0.3, -0.7], [1, 0], [0.1, 0.2]]})],
            [("ChannelMixer", {"channels": 1}), ("Buffer", {"duration_ms": 100})],
        ]
        for nodes in cases:
            runs = self.both(chain(*nodes), items)
            error, _ = twin.worst(*runs)
            print(f"{nodes}: {error:g}")
            self.assertEqual(error, 0)

    def test_the_chain_for_speech_recognition(self) -> None:
        samples, rate = recording("music-44k-stereo.wav")
        nodes = [
            ("ChannelMixer", {"channels": 1}),
            ("AudioResample", {"target_rate": 16_000}),
            ("FormatConverter", {"format": "i16"}),
        ]
        error, _ = twin.worst(*self.both(chain(*nodes), twin.pieces(samples, rate, seed=5)))
        print(f"44.1 kHz stereo i16 → 16 kHz mono i16: {error:g} LSB")
        self.assertLessEqual(error, 1)

    def test_speech(self) -> None:
        for name in ("speech-16k.wav", "speech-8k.wav", "speech-it-8k.wav", "music-44k-stereo.wav"):
            samples, rate = recording(name)
            for params in (
                {},
                {"gate": True},
                {"report": "changes", "frame_ms": 33.3, "speech_pad_ms": 250},
                {"energy_threshold": 0.02, "threshold": 0.7, "min_speech_ms": 60},
            ):
                ends = {"audio": "n0.out", "found": "n0.vad"}
                runs = self.both(
                    chain(("VAD", params), outputs=ends), twin.pieces(samples, rate, 7)
                )
                error, scores = twin.worst(*runs)
                frames = len(runs[0].outputs.get("found", []))
                records = f"{frames} records equal, scores within {scores:.1e}"
                print(f"VAD {name} {params}: {records}, audio {error:g}")
                self.assertLess(scores, 1e-4)
                self.assertEqual(error, 0)

    def test_breaks_jumps_and_changes_of_format(self) -> None:
        samples, rate = recording("speech-16k.wav")
        items = twin.pieces(as_float(samples[:60_000]), rate, seed=9)
        changed = [
            Audio(item.samples, 8000 if 20 < i < 30 else rate, None, discont=i % 7 == 3)
            for i, item in enumerate(items)
        ]
        changed.insert(12, Audio(items[12].samples, rate, 60_000_000_000))
        cases: list[Nodes] = [
            [("AudioResample", {"target_rate": 16_000}), ("Buffer", {"buffer_size": 3})],
            [("VAD", {"gate": True}), ("AudioResample", {"target_rate": 44_100})],
            [("VAD", {}), ("ChannelMixer", {"channels": 2}), ("PassThrough", {})],
        ]
        for nodes in cases:
            ends = {"found": "n0.vad"} if nodes[0][0] == "VAD" else {}
            error, _ = twin.worst(*self.both(chain(*nodes, outputs=ends), changed))
            self.assertEqual(error, 0)

    def test_values(self) -> None:
        text = "Grüße aus\u2003köln, İstanbul ΣΑΣ ﬁn it's ok"
        operations = ["uppercase", "lowercase", "reverse", "word_count", "title_case", "last_word"]
        cases: list[tuple[tuple[str, dict[str, Any]], list[Any]]] = [
            (("TextProcessor", {"operations": operations}), [text, {"text": text}, [{"text": ""}]]),
            (("Multiply", {"factor": 3}), [1, 2.5, [2**63, -(2**63), 0.1], 2**53 + 1]),
            (("Add", {"add": 0.1}), [1, 2**64 - 1, [[]]]),
            (("Buffer", {"buffer_size": 2}), [1, None, {"a": []}, "x", b"y", "z"]),
        ]
        for node, items in cases:
            self.both(chain(node), items)

    def test_types_have_the_same_params(self) -> None:
        told = {n["node_type"]: n for n in capi.Engine.default(self.library).nodes()}
        for node_type in TYPES:
            native = told[f"rmedia/{node_type.name}"]
            self.assertEqual(native["aliases"], [*node_type.aliases])
            ours = [
                (p.name, [*p.aliases], str(p.shape), p.required, p.default)
                for p in node_type.params
            ]
            theirs = [
                (p["name"], p["aliases"], p["type"], p["required"], p["default"])
                for p in native["params"]
            ]
            self.assertEqual(ours, theirs)

    def test_what_the_engine_refuses_is_refused(self) -> None:
        good = chain(("PassThrough", {}), ("VAD", {}))
        engine = capi.Engine.default(self.library)
        cases: list[dict[str, Any]] = [
            {},
            {**good, "version": 1},
            {**good, "nodes": []},
            {**good, "edges": []},
            {**good, "connections": [{"from": "n0"}]},
            {**good, "connections": [{"from": "n0.x", "to": "n1"}]},
            {**good, "connections": [{"from": "n0", "to": "n1"}, {"from": "n1", "to": "n0"}]},
            {**good, "inputs": {"a": "n1.in"}},
            {**good, "inputs": {"a": "n0", "b": "n0"}},
            {**good, "outputs": {"a": "n1.vad", "b": "n1.vad"}},
            {**good, "outputs": {"a": "nobody"}},
            {**good, "nodes": [good["nodes"][0], good["nodes"][0]]},
            chain(("passthrough", {})),
            chain(("other/VAD", {})),
            chain(("PassThrough", {"x": 1})),
            chain(("AudioResample", {"target_rate": 999})),
            chain(("AudioResample", {"target_rate": 8000.5})),
            chain(("AudioResample", {"quality": None})),
            chain(("VAD", {"gate": "yes"})),
            chain(("VAD", {"frame_ms": 5})),
            chain(("Add", {"addend": True})),
            chain(("TextProcessor", {}), ("VAD", {})),
            chain(("AudioResample", {"target_rate": 2000}), ("VAD", {}))
            | {"metadata": {"auto_negotiate": False}},
        ]
        for wrong in cases:
            self.assertFalse(engine.validate(json.dumps(wrong))["ok"], wrong)
            with self.assertRaises(FallbackError, msg=str(wrong)):
                LinearPipeline(wrong)

    def test_records_are_the_engine_s(self) -> None:
        samples, rate = recording("speech-8k.wav")
        ends = {"found": "n0.vad"}
        runs = self.both(chain(("VAD", {}), outputs=ends), [Audio(samples, rate)])
        fields = [[*r.fields] for r in (run.outputs["found"][0] for run in runs)]
        self.assertIsInstance(runs[1].outputs["found"][0], Record)
        self.assertEqual(*map(sorted, fields))


if __name__ == "__main__":
    unittest.main()
