#!/usr/bin/env python3
"""Runs the conformance cases through every front and compares what comes out.

    run.py --front NAME=COMMAND... [--case GLOB] [--bless]

COMMAND is called with a case's folder and an empty folder. See README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from compare import (
    EXACT,
    Tolerance,
    expectation,
    parts,
    raw_exact,
    with_expectation,
    with_front,
)
from outcome import DriverError, Json, Outcome, as_list, as_object, fingerprint, lost, play, values

HERE = Path(__file__).resolve().parent
SHOWN = 12
# Fronts whose libm and SIMD level are their own, as those of another machine are: they may be as
# far from the expectation as the case says, and need not be as the others.
ROUND_THEIR_OWN_WAY = ("wasm",)


@dataclass(frozen=True)
class Case:
    """A folder with a manifest, steps and what is to come out."""

    name: str
    folder: Path
    facts: dict[str, Json]

    def without(self, front: str) -> str | None:
        """Why the front is not asked."""
        reason = as_object(self.facts.get("without")).get(front)
        return None if reason is None else str(reason)

    def tolerance(self) -> Tolerance:
        """How far from the expectation a machine may be."""
        said = as_object(self.facts.get("tolerance"))
        audio, numbers = said.get("audio_db"), said.get("numbers", 0.0)
        return Tolerance(
            float(audio) if isinstance(audio, int | float) else None,
            float(numbers) if isinstance(numbers, int | float) else 0.0,
        )


class Suite:
    """The cases, and what the fronts have made of them so far."""

    def __init__(self, fronts: dict[str, str]) -> None:
        self.fronts = fronts
        self.played: dict[tuple[str, str], Outcome] = {}
        self.declined: list[tuple[str, str, str]] = []
        # Cases that a front rounds in its own way, within the case's tolerance.
        self.near: list[tuple[str, str]] = []
        self.passed = 0
        self.failed = 0

    def outcome(self, front: str, case: Case) -> Outcome:
        """What the front makes of the case; it is asked once."""
        key = (front, case.name)
        if key not in self.played:
            self.played[key] = play(self.fronts[front], case.folder)
        return self.played[key]

    def check(self, case: Case) -> dict[str, list[str] | None]:
        """Per front the differences; `None` where it does not do the case."""
        found: dict[str, list[str] | None] = {}
        first: tuple[str, Outcome] | None = None
        for front in self.fronts:
            reason = case.without(front)
            try:
                outcome = Outcome(declined=reason) if reason else self.outcome(front, case)
                if outcome.declined is not None:
                    self.declined.append((case.name, front, outcome.declined))
                    found[front] = None
                    continue
                lines = self.against_expectation(case, front, outcome)
                told = with_front(first[1], outcome) if first else []
                if front in ROUND_THEIR_OWN_WAY:
                    self.near += [(case.name, front)] if told and not lines else []
                else:
                    first = first or (front, outcome)
                    lines += [f"not as front '{first[0]}': {line}" for line in told]
            except DriverError as error:
                lines = [f"the driver failed: {error}"]
            found[front] = lines
            self.passed += not lines
            self.failed += bool(lines)
        return found

    def against_expectation(self, case: Case, front: str, outcome: Outcome) -> list[str]:
        """Where the outcome is not what the case says."""
        path = case.folder / "expect.json"
        if not path.exists():
            return ["there is no expect.json; make it with --bless and read it"]
        facts = load(path)
        stored = case.folder.glob("*.expected")
        raw = {file.name.removesuffix(".expected"): file.read_bytes() for file in stored}
        expected = expectation(facts, raw)
        lines = with_expectation(expected, facts.get("raw"), outcome, case.tolerance())
        lines += lost(outcome)
        twin = case.facts.get("same_as")
        if isinstance(twin, str):
            other = self.outcome(front, read_case(case.folder.parent / twin))
            if other.declined is None:
                told = parts(other, outcome, EXACT) + raw_exact(other.raw, outcome.raw)
                lines += [f"not as case '{twin}': {line}" for line in told]
        return lines

    def bless(self, case: Case) -> None:
        """Writes what the Rust front gives as the expectation, unless that front does not do the
        case. A person reads it."""
        if case.without("rust"):
            return
        outcome = self.outcome("rust", case)
        facts = dict(outcome.facts)
        found = values(as_list(facts.get("packets")))
        facts["values"] = {**found}
        facts["raw"] = {name: fingerprint(data) for name, data in outcome.raw.items()}
        (case.folder / "expect.json").write_text(pretty(facts), encoding="utf-8")
        if case.tolerance().audio_db is not None:
            for name, data in outcome.raw.items():
                (case.folder / f"{name}.expected").write_bytes(data)


def load(path: Path) -> dict[str, Json]:
    """A JSON object from a file."""
    return as_object(cast(Json, json.loads(path.read_text(encoding="utf-8"))))


def read_case(folder: Path) -> Case:
    """The case in that folder."""
    return Case(folder.name, folder, load(folder / "case.json"))


def pretty(facts: dict[str, Json]) -> str:
    """JSON with one step, packet or event a line."""

    def line(value: Json) -> str:
        return json.dumps(value, ensure_ascii=False)

    members: list[str] = []
    for key, value in facts.items():
        if isinstance(value, list) and value and key != "metric_keys":
            items = ",\n".join(f"  {line(item)}" for item in value)
            members.append(f"{line(key)}: [\n{items}\n ]")
        else:
            members.append(f"{line(key)}: {line(value)}")
    return "{\n " + ",\n ".join(members) + "\n}\n"


def table(rows: dict[str, dict[str, list[str] | None]], fronts: list[str]) -> None:
    """Prints fronts by cases, and below what differs."""
    width = max([len(name) for name in rows], default=4)
    print(f"{'case':{width}}  " + "  ".join(f"{front:12}" for front in fronts))
    for name, row in rows.items():
        words = ["-" if row[f] is None else "DIFFERENT" if row[f] else "good" for f in fronts]
        print(f"{name:{width}}  " + "  ".join(f"{word:12}" for word in words).rstrip())
    for name, row in rows.items():
        for front, lines in row.items():
            if lines:
                print(f"\n{name}, front '{front}':")
                for line in lines[:SHOWN]:
                    print(f"  {line}")
                if len(lines) > SHOWN:
                    print(f"  and {len(lines) - SHOWN} more")


def tell_declined(declined: list[tuple[str, str, str]]) -> None:
    """Says what was not run, and why, by reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for case, front, reason in declined:
        reasons.setdefault((front, reason), []).append(case)
    if reasons:
        print("\nNot run:")
    for (front, reason), cases in sorted(reasons.items()):
        print(f"  not for '{front}': {reason}: {', '.join(cases)}")


def tell_near(near: list[tuple[str, str]]) -> None:
    """Says where a front is not as the others, but within the tolerance."""
    for front in ROUND_THEIR_OWN_WAY:
        cases = [case for case, rounding in near if rounding == front]
        if cases:
            print(f"\n'{front}' rounds in its own way, within the tolerance: {', '.join(cases)}")


def arguments() -> tuple[dict[str, str], str, bool]:
    """Fronts by name, which cases, and whether to bless."""
    parser = argparse.ArgumentParser(description="Runs the conformance cases.")
    parser.add_argument("--front", action="append", required=True, metavar="NAME=COMMAND")
    parser.add_argument("--case", default="*", metavar="GLOB")
    parser.add_argument("--bless", action="store_true", help="write expect.json from front 'rust'")
    given = parser.parse_args()
    fronts: dict[str, str] = {}
    for front in cast(list[str], given.front):
        name, found, command = front.partition("=")
        if not found or not name or not command.strip():
            parser.error(f"--front takes NAME=COMMAND, not '{front}'")
        fronts[name] = command
    bless = cast(bool, given.bless)
    if bless and "rust" not in fronts:
        parser.error("--bless needs --front rust=COMMAND")
    return fronts, cast(str, given.case), bless


def main() -> int:
    """Runs what was asked for; 1 if anything differs."""
    fronts, glob, bless = arguments()
    suite = Suite(fronts)
    folders = [path.parent for path in sorted((HERE / "cases").glob(f"{glob}/case.json"))]
    cases = [read_case(folder) for folder in folders]
    if not cases:
        print(f"no case is called '{glob}'", file=sys.stderr)
        return 1
    if bless:
        for case in cases:
            suite.bless(case)
    rows = {case.name: suite.check(case) for case in cases}
    table(rows, list(fronts))
    tell_declined(suite.declined)
    tell_near(suite.near)
    good = "FAILED" if suite.failed else "ok"
    print(f"\ntest result: {good}. {suite.passed} passed; {suite.failed} failed;", end=" ")
    print(f"{len(suite.declined)} not for a front")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
