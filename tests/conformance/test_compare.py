"""What must turn a case red does. Run by `python3 -m unittest discover tests/conformance`."""

from __future__ import annotations

import copy
import json
import struct
import tempfile
import unittest
from pathlib import Path

from compare import EXACT, Tolerance, distance_db, with_expectation, with_front
from outcome import Json, Outcome, as_list, as_object, fingerprint, lost, read
from run import Case, Suite


def line() -> dict[str, Json]:
    """A driver's line with one of everything."""
    return {
        "steps": [
            {"line": 1, "status": "ok"},
            {"line": 2, "status": "Late", "error": {"detail": "x"}},
        ],
        "packets": [
            {"output": "o", "kind": "audio", "pts_ns": 0, "discont": False, "frames": 2},
            {"output": "l", "kind": "json", "pts_ns": 5, "discont": True, "value": [2, 0.25]},
        ],
        "events": [{"event": "dropped", "count": 1}],
        "metrics": {
            "links": [{"link": "o", "in": 3, "taken": 1, "dropped": {"late": 1}, "queued": 1}]
        },
        "state": "running",
    }


RAW = {"o": struct.pack("<2f", 0.5, -0.25)}
PRINTS: Json = {name: fingerprint(data) for name, data in RAW.items()}


def told(found: Outcome, tolerance: Tolerance = EXACT) -> list[str]:
    """Differences from the good line, by expectation and by front."""
    good = read(line(), dict(RAW))
    by_expectation = with_expectation(good, PRINTS, found, tolerance)
    by_front = with_front(good, found)
    assert tolerance != EXACT or bool(by_expectation) == bool(by_front)
    return by_expectation


Place = tuple[Json, str | int]


def places(value: Json) -> list[Place]:
    """Every member of a value, however deep: what holds it, and its key there."""
    members: list[tuple[str | int, Json]] = []
    if isinstance(value, dict):
        members = [*value.items()]
    elif isinstance(value, list):
        members = [*enumerate(value)]
    return [place for key, inner in members for place in [(value, key), *places(inner)]]


def spoil(holder: Json, key: str | int, change: str) -> None:
    """Removes a member or puts something else there."""
    if isinstance(holder, dict):
        if change == "remove":
            del holder[str(key)]
        else:
            holder[str(key)] = "other"
    elif isinstance(holder, list):
        items: list[Json] = [] if change == "remove" else ["other"]
        holder[int(key) : int(key) + 1] = items


class Differences(unittest.TestCase):
    """Each thing that can go wrong is seen."""

    def test_the_same_is_good(self) -> None:
        self.assertEqual(told(read(line(), dict(RAW))), [])
        self.assertEqual(lost(read(line(), {})), [])

    def test_every_changed_or_missing_member_is_seen(self) -> None:
        for number in range(len(places(line()))):
            for change in ("remove", "replace"):
                broken = line()
                spoil(*places(broken)[number], change)
                self.assertTrue(told(read(broken, dict(RAW))), f"{change} member {number}")

    def test_a_whole_number_is_no_fraction(self) -> None:
        broken = line()
        as_list(as_object(as_list(broken["packets"])[1])["value"])[0] = 2.0
        self.assertTrue(told(read(broken, dict(RAW))))

    def test_numbers_may_differ_as_far_as_the_case_says(self) -> None:
        broken = line()
        as_list(as_object(as_list(broken["packets"])[1])["value"])[1] = 0.25 * (1 + 1e-10)
        self.assertEqual(told(read(broken, dict(RAW)), Tolerance(None, 1e-9)), [])
        self.assertTrue(told(read(broken, dict(RAW)), Tolerance(None, 1e-11)))

    def test_a_flipped_bit_a_short_and_a_missing_output_are_seen(self) -> None:
        flipped = bytes([RAW["o"][0] ^ 1]) + RAW["o"][1:]
        for raw in ({"o": flipped}, {"o": RAW["o"][:-1]}, {}, {**RAW, "other": b""}):
            self.assertTrue(told(read(line(), dict(raw))), f"{raw}")
        self.assertEqual(told(read(line(), {"o": flipped}), Tolerance(-100.0)), [])
        for raw in ({"o": RAW["o"][:-1]}, {}, {"o": struct.pack("<2f", 0.5, float("nan"))}):
            self.assertTrue(told(read(line(), dict(raw)), Tolerance(-100.0)), f"{raw}")

    def test_distance_is_in_decibels_of_the_signal(self) -> None:
        one, other = struct.pack("<f", 1.0), struct.pack("<f", 1.1)
        self.assertAlmostEqual(distance_db(one, other), -20.0, places=4)
        self.assertEqual(distance_db(struct.pack("<f", 0.0), one), float("inf"))

    def test_counters_that_do_not_add_up_are_seen(self) -> None:
        broken = copy.deepcopy(line())
        as_object(as_list(as_object(broken["metrics"])["links"])[0])["taken"] = 0
        self.assertEqual(len(lost(read(broken, {}))), 1)

    def test_a_partial_front_is_held_to_what_it_tells(self) -> None:
        partial: dict[str, Json] = {
            "partial": True,
            "steps": [{"line": 0, "status": "Late", "error": {"detail": "x"}}],
            "values": {"l": [[2, 0.25]]},
        }
        self.assertEqual(told(read(partial, dict(RAW))), [])
        self.assertTrue(told(read({**partial, "values": {}}, dict(RAW))))
        self.assertTrue(told(read({**partial, "steps": []}, dict(RAW))))
        self.assertTrue(told(read(partial, {})))

    def test_a_front_with_its_own_rounding_is_held_to_the_expectation_alone(self) -> None:
        other = line()
        as_list(as_object(as_list(other["packets"])[1])["value"])[1] = 0.25 * (1 + 1e-10)
        good, rounded = read(line(), dict(RAW)), read(other, dict(RAW))
        with tempfile.TemporaryDirectory() as folder:
            expected = {**good.facts, "values": {**good.values}, "raw": PRINTS}
            (Path(folder) / "expect.json").write_text(json.dumps(expected), encoding="utf-8")
            for tolerance, passes in ((1e-9, True), (1e-11, False)):
                case = Case("one", Path(folder), {"tolerance": {"numbers": tolerance}})
                suite = Suite({"wasm": "", "rust": "", "c": ""})
                for front in ("rust", "wasm", "c"):
                    suite.played[front, "one"] = rounded if front == "wasm" else good
                lines = suite.check(case)
                self.assertEqual((lines["rust"], lines["c"]), ([], []))
                self.assertEqual(not lines["wasm"], passes)
                suite.played["c", "one"] = rounded
                self.assertTrue(suite.check(case)["c"])


if __name__ == "__main__":
    unittest.main()
