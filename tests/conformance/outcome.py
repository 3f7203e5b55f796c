"""What a front made of a case: its driver's line and files, in a form that can be compared."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

# What is compared of an error. Causes and problems have steps of their own (`validate`).
ERROR_FIELDS = ("status", "detail", "message", "node", "port", "pointer", "hint")
LINK_FIELDS = ("link", "in", "taken", "dropped", "queued")
SECONDS = 120


class DriverError(Exception):
    """The driver itself went wrong: it crashed, hung, or printed no line."""


@dataclass
class Outcome:
    """What came out. A partial front (the command) has no `facts`."""

    partial: bool = False
    # Why the front can't do the case; nothing else is set then.
    declined: str | None = None
    facts: dict[str, Json] = field(default_factory=lambda: {})
    errors: list[Json] = field(default_factory=lambda: [])
    # What `validate` steps found.
    problems: list[Json] = field(default_factory=lambda: [])
    values: dict[str, Json] = field(default_factory=lambda: {})
    raw: dict[str, bytes] = field(default_factory=lambda: {})


def as_object(value: Json) -> dict[str, Json]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def play(command: str, case: Path) -> Outcome:
    """Lets a front's driver play a case."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        # A file of the command's own name here is that file wherever the driver goes.
        words = [str(Path(w).absolute()) if Path(w).is_file() else w for w in shlex.split(command)]
        try:
            run = subprocess.run(
                [*words, str(case), folder], capture_output=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise DriverError(f"no answer within {SECONDS} s") from None
        except OSError as error:
            raise DriverError(f"can't be started: {error}") from None
        if run.returncode != 0:
            told = run.stderr.decode(errors="replace").strip()
            raise DriverError(f"exit status {run.returncode}: {told[-2000:]}")
        try:
            line = cast(Json, json.loads(run.stdout))
        except ValueError as error:
            told = run.stdout.decode(errors="replace")
            raise DriverError(f"no JSON line ({error}): {told[:500]!r}") from None
        raw = {path.stem: path.read_bytes() for path in sorted(Path(folder).glob("*.raw"))}
        return read(as_object(line), raw)


def read(line: dict[str, Json], raw: dict[str, bytes]) -> Outcome:
    """Takes what is compared out of a driver's line."""
    if "not_for_this_front" in line:
        return Outcome(declined=str(line["not_for_this_front"]))
    steps = [tidy_step(as_object(step)) for step in as_list(line.get("steps"))]
    errors: list[Json] = [step["error"] for step in steps if "error" in step]
    problems: list[Json] = [step["problems"] for step in steps if "problems" in step]
    outcome = Outcome(False, None, {}, errors, problems, {}, raw)
    if line.get("partial"):
        outcome.partial, outcome.values = True, as_object(line.get("values"))
        return outcome
    metrics = line.get("metrics")
    outcome.values = values(as_list(line.get("packets")))
    outcome.facts = {
        "steps": [*steps],
        "packets": line.get("packets"),
        "events": line.get("events"),
        "links": links(metrics),
        # Whether packets waited in a queue is up to the threads.
        "metric_keys": [*sorted(key for key in keys(metrics, "") if "[].wait_us" not in key)],
        "state": line.get("state"),
    }
    return outcome


def tidy_step(step: dict[str, Json]) -> dict[str, Json]:
    """The step with what is compared of its error."""
    if "error" not in step:
        return step
    error = as_object(step["error"])
    kept: dict[str, Json] = {key: error[key] for key in ERROR_FIELDS if key in error}
    return {**step, "error": kept}


def values(packets: list[Json]) -> dict[str, Json]:
    """Per output, the values of its packets that have one."""
    found: dict[str, Json] = {}
    for packet in map(as_object, packets):
        if "value" in packet:
            as_list(found.setdefault(str(packet.get("output")), [])).append(packet["value"])
    return found


def links(metrics: Json) -> list[Json]:
    """The counters of every link that must be the same in every language."""
    found = map(as_object, as_list(as_object(metrics).get("links")))
    return [{key: link.get(key) for key in LINK_FIELDS} for link in found]


def keys(value: Json, path: str) -> set[str]:
    """Names of all keys, with the items of a list as one."""
    if isinstance(value, dict):
        return {k for key, inner in value.items() for k in keys(inner, f"{path}.{key}".lstrip("."))}
    if isinstance(value, list):
        return {k for inner in value for k in keys(inner, f"{path}[]")} or {f"{path}[]"}
    return {path}


def fingerprint(data: bytes) -> Json:
    """Length and hash of a raw output, as an expectation has them."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def lost(outcome: Outcome) -> list[str]:
    """Links whose counters don't add up: in = taken + dropped + queued."""
    found: list[str] = []
    for link in map(as_object, as_list(outcome.facts.get("links"))):
        number = {k: v for k, v in link.items() if isinstance(v, int)}
        dropped = sum(n for n in as_object(link.get("dropped")).values() if isinstance(n, int))
        gone = number.get("in", 0) - number.get("taken", 0) - dropped - number.get("queued", 0)
        if gone != 0:
            found.append(f"link '{link.get('link')}' has lost {gone} packets uncounted: {link}")
    return found
