"""Compares outcomes: with each other exactly, with an expectation as exactly as the case says."""

from __future__ import annotations

import array
import json
import math
import sys
from dataclasses import dataclass

from outcome import Json, Outcome, as_list, as_object, fingerprint


@dataclass(frozen=True)
class Tolerance:
    """How far a machine may be from the expectation. Fronts on one machine may not differ."""

    # Level of the difference of audio, in dB of the expected audio's.
    audio_db: float | None = None
    # Of numbers in values, as a share of the expected number.
    numbers: float = 0.0


EXACT = Tolerance()


def differences(expected: Json, found: Json, path: str, tolerance: Tolerance) -> list[str]:
    """Where two values differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for key in [*expected, *(k for k in found if k not in expected)]
            for line in member(expected, found, key, path, tolerance)
        ]
    if isinstance(expected, list) and isinstance(found, list):
        lines = [
            line
            for n, (one, other) in enumerate(zip(expected, found, strict=False))
            for line in differences(one, other, f"{path}[{n}]", tolerance)
        ]
        if len(expected) != len(found):
            lines.append(f"{path}: expected {len(expected)} items, found {len(found)}")
            longer = expected if len(expected) > len(found) else found
            what = "missing" if longer is expected else "too many"
            lines.append(f"{path}: {what}: {short(longer[min(len(expected), len(found))])}")
        return lines
    if same(expected, found, tolerance):
        return []
    return [f"{path}: expected {short(expected)}, found {short(found)}"]


def member(
    expected: dict[str, Json], found: dict[str, Json], key: str, path: str, tolerance: Tolerance
) -> list[str]:
    """Where two objects differ at a key."""
    if key not in found:
        # Not every language's library says what a pull waits for.
        optional = key == "waits_for"
        return [] if optional else [f"{path}.{key}: missing; expected {short(expected[key])}"]
    if key not in expected:
        return [] if key == "waits_for" else [f"{path}.{key}: unexpected {short(found[key])}"]
    if key == "waits_for":
        # Some say the first alone.
        one, other = as_list(expected[key])[:1], as_list(found[key])[:1]
        return differences(one, other, f"{path}.{key}", tolerance)
    return differences(expected[key], found[key], f"{path}.{key}", tolerance)


def same(expected: Json, found: Json, tolerance: Tolerance) -> bool:
    """Whether two plain values are the same; 2 and 2.0 are not."""
    if isinstance(expected, float) and isinstance(found, float) and tolerance.numbers > 0:
        return math.isclose(expected, found, rel_tol=tolerance.numbers)
    return type(expected) is type(found) and expected == found


def short(value: Json) -> str:
    """The value as text that fits a line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "..."


def with_front(first: Outcome, other: Outcome) -> list[str]:
    """Where two fronts on this machine differ."""
    if first.partial or other.partial:
        return parts(first, other, EXACT) + raw_exact(first.raw, other.raw)
    lines = differences({**first.facts}, {**other.facts}, "", EXACT)
    return lines + raw_exact(first.raw, other.raw)


def with_expectation(
    expected: Outcome, raw: Json, found: Outcome, tolerance: Tolerance
) -> list[str]:
    """Where an outcome differs from what is expected. `raw` are the fingerprints; where the audio
    may differ, `expected.raw` holds it."""
    if found.partial:
        lines = parts(expected, found, tolerance)
    else:
        lines = differences({**expected.facts}, {**found.facts}, "", tolerance)
    if tolerance.audio_db is not None:
        return lines + raw_near(expected.raw, found.raw, tolerance.audio_db)
    prints: Json = {name: fingerprint(data) for name, data in found.raw.items()}
    return lines + differences(raw, prints, ".raw", EXACT)


def parts(expected: Outcome, found: Outcome, tolerance: Tolerance) -> list[str]:
    """Where values, problems and the first error differ: what a partial front can tell."""
    error = differences([*expected.errors[:1]], [*found.errors[:1]], ".errors", tolerance)
    error += differences([*expected.problems], [*found.problems], ".problems", tolerance)
    return error + differences({**expected.values}, {**found.values}, ".values", tolerance)


def raw_exact(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """Where raw outputs differ by a byte."""
    lines: list[str] = []
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if one is None or other is None:
            lines.append(f".raw.{name}: {'unexpected' if one is None else 'missing'}")
        elif one != other:
            at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
            where = "one is longer" if at is None else f"first at byte {at}"
            lines.append(f".raw.{name}: {len(one)} and {len(other)} bytes differ, {where}")
    return lines


def raw_near(expected: dict[str, bytes], found: dict[str, bytes], limit: float) -> list[str]:
    """Where f32 outputs differ by more than so many dB."""
    lines: list[str] = []
    for name in sorted({*expected, *found}):
        one, other = expected.get(name, b""), found.get(name, b"")
        if len(one) != len(other):
            lines.append(f".raw.{name}: expected {len(one)} bytes, found {len(other)}")
        elif one != other and not (level := distance_db(one, other)) <= limit:
            lines.append(f".raw.{name}: differs by {level:.1f} dB, more than {limit} dB")
    return lines


def distance_db(expected: bytes, found: bytes) -> float:
    """Level of the difference of f32 audio, in dB of the expected audio's. Not a number where a
    sample is none."""
    one, other = floats(expected), floats(found)
    error = sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    power = sum(a * a for a in one)
    if error == 0:
        return -math.inf
    return 10 * math.log10(error / power) if power > 0 else math.inf


def floats(data: bytes) -> array.array[float]:
    """Little-endian f32."""
    samples = array.array("f", data[: len(data) // 4 * 4])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def expectation(facts: Json, raw: dict[str, bytes]) -> Outcome:
    """An outcome from what `expect.json` says."""
    said = {k: v for k, v in as_object(facts).items() if k not in ("raw", "values")}
    steps = [as_object(step) for step in as_list(said.get("steps"))]
    errors = [step["error"] for step in steps if "error" in step]
    problems = [step["problems"] for step in steps if "problems" in step]
    found = as_object(as_object(facts).get("values"))
    return Outcome(False, None, said, errors, problems, found, raw)
