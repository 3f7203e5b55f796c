"""Chains at random, over noise with jumps, breaks and changes of format: the fallback against the
native engine, which REMOTEMEDIA_LIBRARY names; without it skipped. RUNS says how many (60)."""

from __future__ import annotations

import os
import random
import unittest
from typing import TYPE_CHECKING, Any

try:
    import numpy as np
except ImportError as error:
    raise unittest.SkipTest("the fallback needs numpy") from error
if not os.environ.get("REMOTEMEDIA_LIBRARY"):
    raise unittest.SkipTest("REMOTEMEDIA_LIBRARY names no library to compare with")

import engine_twin as twin
from engine_twin import capi
from remotemedia.fallback import Audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUNS = int(os.environ.get("RUNS", "60"))
#: Params of a node type: what each may be. A param is given in four of ten cases.
NODES: dict[str, dict[str, list[Any]]] = {
    "PassThrough": {},
    "Buffer": {
        "buffer_size": [1, 2, 5],
        "buffer_size_samples": [100, 999, 5000],
        "duration_ms": [0.1, 5, 33.3, 200],
    },
    "AudioResample": {
        "target_rate": [8000, 16_000, 22_050, 44_100, 48_000],
        "quality": ["low", "medium", "high", "VHQ"],
        "latency": ["auto", "low", "offline"],
    },
    "ChannelMixer": {"channels": [1, 2, 3, 6, 8]},
    "FormatConverter": {"format": ["f32", "i16", "i32", "u8", "S16"], "planar": [True, False]},
    "VAD": {
        "gate": [True],
        "report": ["changes"],
        "min_speech_ms": [0, 40, 100],
        "min_silence_ms": [0, 40, 300],
        "speech_pad_ms": [0, 55.5, 300],
        "frame_ms": [10, 31.7, 100],
        "energy_threshold": [0.01, 0.1],
        "threshold": [0.3, 0.8],
    },
}
REQUIRED = {"channels", "format"}


def manifest(r: random.Random) -> dict[str, Any]:
    """A chain of one to four nodes."""
    nodes: list[dict[str, Any]] = []
    ends: dict[str, str] = {}
    for i in range(r.choice([1, 1, 2, 3, 4])):
        node_type = r.choice([*NODES, "VAD"])
        params = {
            name: r.choice(values)
            for name, values in NODES[node_type].items()
            if name in REQUIRED or r.random() < 0.4
        }
        nodes.append({"id": f"n{i}", "node_type": node_type, "params": params})
        if node_type == "VAD" and r.random() < 0.8:
            ends[f"found{i}"] = f"n{i}.vad"
        if r.random() < 0.3:
            ends[f"out{i}"] = f"n{i}"
    links = [{"from": f"n{i}", "to": f"n{i + 1}"} for i in range(len(nodes) - 1)]
    late = r.choice(["error", "clamp", "drop"])
    return {
        "version": "v1",
        "metadata": {"auto_negotiate": r.random() > 0.1},
        "nodes": nodes,
        "connections": links,
        "inputs": {"mic": {"port": "n0.in", "late": late}},
        "outputs": ends,
    }


def items(r: random.Random, seed: int) -> list[Audio]:
    """Noise and silence in blocks of any length."""
    noise, blocks, now = np.random.default_rng(seed), list[Audio](), 12_345_678
    rate, channels = r.choice([2000, 8000, 16_000, 44_100, 48_000]), r.choice([1, 1, 2, 2, 3, 6])
    sample = r.choice(["f32", "f32", "i16", "i32", "u8"])
    for _ in range(r.choice([3, 20, 60])):
        if r.random() < 0.03:
            rate, channels = r.choice([8000, 44_100]), r.choice([1, 2])
        frames = r.choice([0, 1, 160, 480, 1000, r.randrange(5000)])
        level = r.choice([0, 0, 0.01, 0.1, 0.5, 1.2])
        table = block(noise.standard_normal((frames, channels)) * level, sample)
        if sample == "f32" and frames and r.random() < 0.05:
            table[0, 0] = r.choice([np.nan, np.inf, 1e20])
        pts = now + r.choice([0, 10, -10, 500, 100]) * 10**6 if r.random() < 0.1 else None
        samples = table[:, 0] if channels == 1 else table
        blocks.append(Audio(samples, rate, pts, discont=r.random() < 0.03))
        now = max(now, pts or 0) + frames * 10**9 // rate
    return blocks


def block(wave: NDArray[np.float64], sample: str) -> NDArray[Any]:
    """The wave in a sample format."""
    if sample == "f32":
        return wave.astype(np.float32)
    if sample == "u8":
        return (np.clip(wave * 127, -128, 127) + 128).astype(np.uint8)
    dtype = np.dtype(np.int16 if sample == "i16" else np.int32)
    limits = np.iinfo(dtype)
    return np.clip(wave * limits.max, limits.min, limits.max).astype(dtype)


class Chains(unittest.TestCase):
    """Both engines over the same chains and items."""

    def test_chains(self) -> None:
        library, refused, scores = capi.load(), 0, 0.0
        worst = {"exact": 0.0, "offline": 0.0}
        for seed in range(RUNS):
            r = random.Random(seed)
            document, blocks = manifest(r), items(r, seed)
            runs = twin.native(library, document, blocks), twin.fallback(document, blocks)
            self.assertEqual(twin.differences(*runs), [], (seed, document))
            if runs[0].error:
                refused += 1
                continue
            error, score = twin.worst(*runs)
            scores = max(scores, score)
            params = [node["params"] for node in document["nodes"]]
            kind = "offline" if any(p.get("latency") == "offline" for p in params) else "exact"
            if kind == "exact" or not any("format" in p for p in params):
                worst[kind] = max(worst[kind], error)
        print(f"{RUNS} chains ({refused} refused by both): {worst}, scores within {scores:.1e}")
        self.assertEqual(worst["exact"], 0)
        self.assertLess(twin.decibels(worst["offline"]), -110)
        self.assertLess(scores, 1e-4)


if __name__ == "__main__":
    unittest.main()
