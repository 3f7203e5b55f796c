"""The fallback by itself: golden values and rules, without the native engine.

The golden values come from the engine; `test_fallback_engine.py` compares the two directly.

PYTHONPATH=bindings/python python3 -m unittest discover bindings/python/tests
"""

from __future__ import annotations

import json
import sys
import unittest
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))

try:
    import numpy as np
except ImportError as error:
    raise unittest.SkipTest("the fallback needs numpy") from error

from remotemedia.fallback import Audio, FallbackError, LinearPipeline, Record  # noqa: E402
from remotemedia.fallback import mix as mixing  # noqa: E402
from remotemedia.fallback.convert import convert  # noqa: E402
from remotemedia.fallback.resample import Resampler  # noqa: E402
from remotemedia.fallback.segment import Rules, Segmenter  # noqa: E402
from remotemedia.fallback.text import title_case  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: An item, or a field of a manifest.
Thing = Any
Params = dict[str, Any]


def f32(*rows: Thing) -> NDArray[np.float32]:
    """An array of float32."""
    return np.array(rows, np.float32)


def i32(*values: int) -> NDArray[np.int32]:
    """An array of int32."""
    return np.array(values, np.int32)


def chain(*nodes: tuple[str, dict[str, Any]], **more: Thing) -> dict[str, Any]:
    """A manifest of nodes called n0, n1, …"""
    listed = [{"id": f"n{i}", "node_type": t, "params": p} for i, (t, p) in enumerate(nodes)]
    links = [{"from": f"n{i}", "to": f"n{i + 1}"} for i in range(len(nodes) - 1)]
    return {"version": "v1", "nodes": listed, "connections": links, **more}


def run(manifest: dict[str, Any], *items: Thing) -> list[Any]:
    """What comes out of all outputs, in order."""
    pipeline = LinearPipeline(manifest)
    came = [out for item in items for out in pipeline.push(item)]
    return [item for _, item in [*came, *pipeline.end()]]


def joined(items: list[Any]) -> NDArray[Thing]:
    """The samples of all audio, one behind the other."""
    return np.concatenate([item.samples for item in items if isinstance(item, Audio)])


def saw(frames: int) -> NDArray[np.float32]:
    """A signal that has everything up to half the rate in it."""
    wave = ((np.arange(frames) * 7919) % 2001 - 1000) / np.float32(1000)
    return wave.astype(np.float32)


def mono(frames: int = 10, **more: Thing) -> Audio:
    """Some audio."""
    return Audio(saw(frames), 16_000, **more)


def speech() -> Audio:
    """A recording of speech."""
    with wave.open(str(ROOT / "media/speech-16k.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return Audio(samples, file.getframerate())


class Resampling(unittest.TestCase):
    """Rate conversion."""

    def test_golden_values(self) -> None:
        for came, to, params, frames, golden in [
            (44_100, 16_000, {}, 1451, (0.00063750148, 0.77281344, -0.93452793, -0.65574938)),
            (
                *(16_000, 48_000, {"quality": "high"}, 12_000),
                (-0.93308026, -0.49733245, -0.96130234, -0.25143591),
            ),
            (
                *(48_000, 44_100, {"quality": "low", "latency": "low"}, 3675),
                (-0.77554965, 0.81909037, -0.77200973, -0.72042704),
            ),
            (
                *(44_101, 48_000, {"quality": "vhq"}, 4354),
                (-0.97316468, 0.7525841, -1.06612074, -0.46634069),
            ),
            (
                *(44_100, 16_000, {"quality": "high", "latency": "offline"}, 1451),
                (-0.056115836, 0.83960605, -0.9400757, -0.60737276),
            ),
        ]:
            with self.subTest(came=came, to=to, **params):
                params = {"target_rate": to, **params}
                out = joined(run(chain(("AudioResample", params)), Audio(saw(4000), came)))
                self.assertEqual(len(out), frames)
                found = out[[0, 1, frames // 2, frames - 1]]
                np.testing.assert_allclose(found, golden, rtol=0, atol=1e-6)

    def test_the_cut_of_the_input_makes_no_difference_and_the_length_is_kept(self) -> None:
        table = np.stack([saw(9000), saw(9000)[::-1]], 1)
        for came, to in [(44_100, 16_000), (16_000, 48_000), (44_101, 48_000)]:
            for latency in ("low", "auto", "offline"):
                resampler = Resampler(came, to, 2, "medium", latency)
                whole = np.concatenate([resampler.process(table), resampler.drain()])
                parts = [resampler.process(table[i : i + 77]) for i in range(0, 9000, 77)]
                cut = np.concatenate([*parts, resampler.drain()])
                tolerance = 1e-6 if latency == "offline" else 0
                np.testing.assert_allclose(cut, whole, rtol=0, atol=tolerance)
                self.assertLessEqual(abs(len(whole) - 9000 * to / came), 0.5)

    def test_a_tone_stays_a_tone(self) -> None:
        for came, to in [(44_100, 16_000), (16_000, 48_000), (48_000, 16_000)]:
            tone = np.sin(2 * np.pi * 1000 * np.arange(came) / came).astype(np.float32)
            params = {"target_rate": to, "quality": "high"}
            out = joined(run(chain(("AudioResample", params)), Audio(tone, came)))
            ideal = np.sin(2 * np.pi * 1000 * np.arange(to) / to)
            inner = slice(to // 10, -to // 10)
            self.assertLess(np.abs(out - ideal)[inner].max(), 2e-6)

    def test_times_go_on_over_blocks(self) -> None:
        blocks = [mono(160, pts_ns=5_000_000), *(mono(160) for _ in range(9))]
        out = run(chain(("AudioResample", {"target_rate": 48_000})), *blocks)
        self.assertEqual(out[0].pts_ns, 5_000_000)
        at = 0
        for block in out:
            self.assertAlmostEqual(block.pts_ns, 5_000_000 + at / 48_000 * 1e9, delta=1)
            at += block.frames
        self.assertEqual(at, 4800)


class Formats(unittest.TestCase):
    """Sample formats and channels."""

    def test_floats_are_rounded_to_even_and_clipped(self) -> None:
        lsb = 1 / 32_768
        values = [0, 1, -1, 0.5 * lsb, 1.5 * lsb, 2, -7, np.nan, np.inf, -np.inf, 3e38]
        found = convert(np.array(values, np.float32), "i16").tolist()
        expected = [0, 32_767, -32_768, 0, 2, 32_767, -32_768, 0, 32_767, -32_768, 32_767]
        self.assertEqual(found, expected)
        self.assertEqual(convert(f32(0, 1, -1, 0.5), "u8").tolist(), [128, 255, 0, 192])
        wide = convert(f32(1, -1, 0.5, -0.25, 2.5 / 2**31), "i32").tolist()
        self.assertEqual(wide, [2**31 - 1, -(2**31), 2**30, -(2**29), 2])

    def test_integers_come_back(self) -> None:
        every = np.arange(-(2**15), 2**15).astype(np.int16)
        for way in ("f32", "i32"):
            self.assertTrue((convert(convert(every, way), "i16") == every).all())
        self.assertEqual(convert(i32(2**31 - 1, 0x8000, 0x18000), "i16").tolist(), [32767, 0, 2])

    def test_the_usual_mixes(self) -> None:
        out = run(chain(("ChannelMixer", {"channels": 1})), Audio(f32([1, 0], [-1, 1]), 8000))
        self.assertEqual(joined(out).tolist(), [0.5, 0])
        five = mixing.usual(6, 2).weights
        np.testing.assert_allclose(five[0], [0.41421, 0, 0.29289, 0, 0.29289, 0], atol=1e-5)
        self.assertEqual(mixing.usual(8, 6).weights[4].tolist(), [0, 0, 0, 0, 0.5, 0, 0.5, 0])
        with self.assertRaises(FallbackError):
            mixing.usual(3, 2)

    def test_a_matrix_swaps_channels_and_a_zero_lets_nothing_through(self) -> None:
        swap = chain(("ChannelMixer", {"matrix": [[0, 1], [1, 0]]}))
        out = run(swap, Audio(f32([0.25, np.nan]), 8000))[0].samples
        np.testing.assert_equal(out, f32([np.nan, 0.25]))

    def test_audio_is_adapted_to_what_a_node_takes(self) -> None:
        stereo = Audio(np.full((100, 2), 16_384, np.int16), 48_000)
        out = run(chain(("VAD", {}), outputs={"audio": "n0.out"}), stereo)
        self.assertEqual([(b.format.sample, b.channels) for b in out], [("f32", 1)])
        self.assertEqual(set(out[0].samples.tolist()), {0.5})


class Speech(unittest.TestCase):
    """Voice activity."""

    def test_the_segments_of_a_recording(self) -> None:
        manifest = chain(("VAD", {"report": "changes"}), outputs={"found": "n0.vad"})
        found = [
            (r.fields["is_speech_start"], r.fields["boundary_ms"]) for r in run(manifest, speech())
        ]
        ends = [50, 4330, 4370, 6890, 7330, 8170, 8210, 9950, 10310, 11390, 11450, 15110]
        self.assertEqual(found, [(i % 2 == 0, float(ms)) for i, ms in enumerate(ends)])

    def test_records_only_where_they_are_wanted(self) -> None:
        self.assertTrue(all(isinstance(item, Audio) for item in run(chain(("VAD", {})), speech())))
        both = run(chain(("VAD", {}), outputs={"a": "n0.out", "r": "n0.vad"}), speech())
        records = [item for item in both if isinstance(item, Record)]
        self.assertEqual(len(records), 246_240 // 320)
        self.assertEqual(records[3].pts_ns, 60_000_000)

    def test_a_gate_lets_speech_through_and_says_where_it_has_holes(self) -> None:
        out = run(chain(("VAD", {"gate": True})), speech())
        # 50 … 4330, 4370 … 6890, 7330 … 8170, 8210 … 9950, 10310 … 11390, 11450 … 15110 ms.
        self.assertEqual(sum(block.frames for block in out), 16 * 14_120)
        self.assertEqual(out[0].pts_ns, 50_000_000)
        self.assertEqual(sum(block.discont for block in out), 6)

    def test_stretches(self) -> None:
        rules = Rules(0.5, 0.35, min_speech=30, min_silence=20, pad=5)
        for frames, expected in [
            ("..###.##...", [15, 85]),
            ("###...###...", [0, 35, 55, 95]),
            (".##....##...#..", []),
            (".#.#.#..", [5, 65]),
            ("###-----###..", [0, 115]),
            ("..####.", [15, 65]),
            ("....##", []),
        ]:
            segmenter, found = Segmenter(rules), list[int]()
            for frame in frames:
                change = segmenter.push({"#": 0.9, "-": 0.4}.get(frame, 0.1), 10)
                found += [] if change is None else [change.at]
            last = segmenter.finish(10 * len(frames))
            self.assertEqual(found + ([] if last is None else [last.at]), expected, frames)


class Values(unittest.TestCase):
    """Text, numbers and buffers."""

    def test_text(self) -> None:
        names = ["uppercase", "reverse", "word_count", "char_count", "Title_Case", "last_word"]
        request = {"text": "Grüße aus  köln, it's ok", "operations": names}
        (answer,) = run(chain(("TextProcessor", {})), request)
        results = ["GRÜSSE AUS  KÖLN, IT'S OK", "ko s'ti ,nlök  sua eßürG", 5, 24]
        results += ["Grüße Aus  Köln, It'S Ok", "ok"]
        self.assertEqual([*answer["results"].values()], results)
        self.assertEqual(answer["node_config"], {"operations": []})
        self.assertEqual(title_case("re\u0301sume\u0301"), "Re\u0301Sume\u0301")
        with self.assertRaises(FallbackError):
            title_case("क\u093fa")

    def test_arithmetic(self) -> None:
        for factor, value, expected in [
            (2.0, 5, "10"),
            (2, 2.5, "5.0"),
            (-3, [1, [2.0, 3]], "[-3, [-6.0, -9]]"),
            (2, 2**63 - 1, "18446744073709551614"),
            (4, 2**64 - 1, "7.378697629483821e+19"),
        ]:
            (found,) = run(chain(("MultiplyNode", {"factor": factor})), value)
            self.assertEqual(json.dumps(found), expected)
        self.assertEqual(run(chain(("Add", {"value": 10}), ("Multiply", {})), 5), [30])

    def test_buffers(self) -> None:
        self.assertEqual(run(chain(("Buffer", {})), *range(12)), [[*range(10)], [10, 11]])
        for params, frames in [
            ({"buffer_size": 3}, [30, 30, 10]),
            ({"duration_ms": 1}, [20] * 3 + [10]),
        ]:
            out = run(chain(("Buffer", params)), *(mono() for _ in range(7)))
            self.assertEqual([block.frames for block in out], frames)
        self.assertEqual(run(chain(("Buffer", {"buffer_size": 2})), "a", "b"), ["a", "b"])


class Manifests(unittest.TestCase):
    """What is refused, and how that is said."""

    def test_what_the_fallback_can_not_do_is_refused_by_name(self) -> None:
        beside = chain(("PassThrough", {}), ("PassThrough", {}))
        cases: list[tuple[Params, str, str]] = [
            (chain(("Mixer", {})), "n0", "Mixer"),
            (chain(("VAD", {"engine": "neural"})), "n0", "neural"),
            (chain(("FormatConverter", {"format": "s24"})), "n0", "i24"),
            (chain(("VAD", {"treshold": 1})), "n0", "treshold"),
            (chain(("VAD", {"threshold": 2})), "n0", "threshold"),
            (chain(("VAD", {"neg_threshold": 0.9})), "n0", "neg_threshold"),
            (chain(("VAD", {"gate": None})), "n0", "gate"),
            (chain(("ChannelMixer", {})), "n0", "channels"),
            (chain(("FormatConverter", {})), "n0", "format"),
            (chain(("Add", {"add": 1, "value": 2})), "n0", "same param"),
            (chain(("Add", {}), ("VAD", {})), "n1", "takes audio"),
            ({**beside, "connections": []}, "n1", "chain"),
            ({**beside, "version": "v2"}, "", "version"),
            ({**beside, "outputs": {"x": "n0.x"}}, "n0", "x"),
            ({**beside, "interrupt": {"from": ["n0"]}}, "", "interrupt"),
            ({**beside, "queue": {"policy": "drop_oldest"}}, "", "drop_oldest"),
            (
                {"version": "v1", "nodes": [{"id": "a", "node_type": "Echo", "on_error": "skip"}]},
                "a",
                "skip",
            ),
        ]
        for manifest, node, word in cases:
            with self.assertRaises(FallbackError) as caught:
                LinearPipeline(manifest)
            self.assertEqual(caught.exception.node, node, caught.exception)
            self.assertIn(word, str(caught.exception))
            self.assertTrue(caught.exception.hint)

    def test_items_that_do_not_fit_are_refused_and_change_nothing(self) -> None:
        pipeline = LinearPipeline(chain(("Add", {"add": 1})))
        for item in ("text", mono(), b"x", float("nan"), {1: 2}, np.zeros(3), object()):
            with self.assertRaises(FallbackError):
                pipeline.push(item)
        self.assertEqual(pipeline.push(1), [("n0", 2)])
        for samples in (np.zeros(3), np.zeros((3, 0), np.float32), np.zeros((1, 1, 1), np.int16)):
            with self.assertRaises(FallbackError):
                Audio(samples, 8000)

    def test_a_node_that_fails_ends_the_pipeline(self) -> None:
        pipeline = LinearPipeline(chain(("PassThrough", {}), ("Add", {})))
        with self.assertRaises(FallbackError) as caught:
            pipeline.push([None])
        self.assertEqual(caught.exception.node, "n1")
        with self.assertRaises(FallbackError):
            pipeline.push(1)
        counts = [(m["success_count"], m["error_count"]) for m in pipeline.node_metrics()]
        self.assertEqual(counts, [(1, 0), (0, 1)])

    def test_late_audio_is_refused_moved_or_dropped(self) -> None:
        for late, times in [("error", [0, 10]), ("clamp", [0, 10, 20]), ("drop", [0, 10])]:
            pipeline = LinearPipeline(
                chain(("PassThrough", {}), inputs={"mic": {"port": "n0", "late": late}})
            )
            out: list[Any] = []
            for pts in (1_000_000_000, None, 0):
                try:
                    out += pipeline.push(Audio(saw(160), 16_000, pts))
                except FallbackError as error:
                    self.assertIn("mic", str(error))
            self.assertEqual([block.pts_ns // 10**6 - 1000 for _, block in out], times)

    def test_names_and_figures(self) -> None:
        ends = {"inputs": {"mic": "n0"}, "outputs": {"loud": "n0"}}
        pipeline = LinearPipeline(chain(("PassThrough", {}), ("VAD", {}), **ends))
        self.assertEqual((pipeline.input_name, pipeline.output_names), ("mic", ["loud", "n1"]))
        self.assertEqual([name for name, _ in pipeline.push(mono())], ["loud", "n1"])
        figures = pipeline.node_metrics()
        self.assertEqual([f["node_id"] for f in figures], ["n0", "n1.in~adapter", "n1"])
        self.assertEqual([f["execution_count"] for f in figures], [1, 1, 1])
        self.assertGreater(figures[2]["total_duration_us"], 0)


if __name__ == "__main__":
    unittest.main()
