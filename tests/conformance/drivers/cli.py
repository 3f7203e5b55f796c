#!/usr/bin/env python3
"""Plays a conformance case through the command: `cli.py RMEDIA CASE OUT`.

The command runs pipelines from begin to end, so it can do the cases that push everything, end and
drain; what it answers is values, raw audio and the first error. Raw audio goes through
`rmedia stream --pcm` where there is one input and one output, JSON through `rmedia stream`,
everything else through `rmedia run` with files.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, cast

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

BYTES = {"f32": 4, "i16": 2, "i24": 3, "i32": 4, "u8": 1}
PCM = {"f32": "f32le", "i16": "s16le", "i24": "s24le", "i32": "s32le", "u8": "u8"}
CANNOT = {
    "pull": "it pulls by itself",
    "offer": "it waits for room by itself",
    "set": "params can't change while it runs",
    "gap": "what it pushes has no times",
    "advance": "it drives sources by itself",
    "interrupt": "it runs from begin to end",
    "reset": "it runs from begin to end",
    "rewind": "it runs from begin to end",
    "close": "it closes by itself",
    "cancel": "it runs from begin to end",
}


class Refused(Exception):
    """The command can't do this; the message says why."""


@dataclass
class Feed:
    """Everything that is pushed into one input."""

    kind: str
    # rate, channels, sample of audio.
    form: tuple[int, int, str] = (0, 0, "")
    data: bytes = b""
    lines: list[str] = field(default_factory=lambda: [])


@dataclass
class Plan:
    """What the steps come to for a command."""

    manifest: str = ""
    validate: list[tuple[int, str]] = field(default_factory=lambda: [])
    feeds: dict[str, Feed] = field(default_factory=lambda: {})
    ended: bool = False


def read_plan(text: str) -> Plan:
    """Reads steps."""
    plan = Plan()
    for number, line in enumerate(text.splitlines(), 1):
        op, _, rest = line.strip().partition(" ")
        if not op or op.startswith("#"):
            continue
        if op in CANNOT:
            raise Refused(CANNOT[op])
        if op in ("create", "create-file"):
            if plan.manifest:
                raise Refused("it runs one manifest")
            plan.manifest = rest
            if op == "create" and rest.endswith(" untrusted"):
                raise Refused("it can't be told that a manifest is untrusted")
            if " memory=" in rest:
                raise Refused("it has no limit of its own on memory")
        elif op == "validate":
            plan.validate.append((number, rest))
        elif op == "push":
            if plan.ended:
                raise Refused("it pushes nothing after the end")
            read_push(plan, rest)
        elif op == "end":
            plan.ended = True
        elif op != "drain":
            raise ValueError(f"line {number}: there is no step '{op}'")
    return plan


def read_push(plan: Plan, rest: str) -> None:
    """Adds what is pushed to the input's feed."""
    port, _, rest = rest.partition(" ")
    kind, _, rest = rest.partition(" ")
    if kind == "discont" or kind.startswith("pts="):
        raise Refused("what it pushes has no times")
    if kind == "bytes":
        raise Refused("it pushes no bytes")
    feed = plan.feeds.setdefault(port, Feed(kind))
    if feed.kind != kind:
        raise Refused("an input gets packets of one kind")
    if kind == "audio":
        add_audio(feed, rest.split())
    else:
        feed.lines.append(rest.lstrip())


def add_audio(feed: Feed, words: list[str]) -> None:
    """Adds samples. How they are cut makes no difference here."""
    if "planar" in words:
        raise Refused("its audio is interleaved")
    said = dict(word.split("=", 1) for word in words[1:] if word != "sliced")
    form = (int(said["rate"]), int(said["channels"]), said["sample"])
    if feed.form not in (form, (0, 0, "")):
        raise Refused("an input gets audio of one format")
    feed.form = form
    frame = form[1] * BYTES[form[2]]
    if not frame or not 1 <= form[1] <= 64 or not 1 <= form[0] <= 768_000:
        raise Refused("no file has audio of such a format")
    data = Path(words[0]).read_bytes()
    skip, chunks = int(said.get("skip", "0")), said.get("chunks", "all").split(",")
    to_end = chunks[-1] in ("all", "*")
    end = None if to_end else (skip + sum(map(int, chunks))) * frame
    feed.data += data[skip * frame : end]


class Command:
    """Runs `rmedia` and collects what it gives."""

    def __init__(self, rmedia: str, plan: Plan, out: Path) -> None:
        self.rmedia = rmedia
        self.plan = plan
        self.out = out
        self.steps: list[Json] = []
        self.values: dict[str, list[Json]] = {}

    def call(self, *words: str, stdin: bytes = b"") -> tuple[bytes, Json]:
        """Standard output, and the error if there is one."""
        command = [self.rmedia, *words, "--json"]
        run = subprocess.run(command, input=stdin, capture_output=True, timeout=100, check=False)
        for line in run.stderr.decode().splitlines():
            told = as_object(cast(Json, json.loads(line)))
            if "error" in told:
                return run.stdout, told["error"]
        if run.returncode != 0 and not run.stdout:
            raise RuntimeError(f"{command} ended with {run.returncode}")
        return run.stdout, None

    def validate(self) -> None:
        """Notes what is wrong in manifests."""
        for number, file in self.plan.validate:
            report = as_object(cast(Json, json.loads(self.call("validate", file)[0])))
            status = "ok" if report["ok"] else "invalid"
            self.steps.append({"line": number, "status": status, "problems": report["problems"]})

    def run(self) -> None:
        """Runs the pipeline, if there is one, in the way that fits."""
        plan = self.plan
        if not plan.manifest:
            return
        stdout, error = self.call("validate", plan.manifest)
        good = as_object(cast(Json, json.loads(stdout))) if stdout and error is None else {}
        if not good.get("ok"):
            self.note(self.call("run", plan.manifest)[1])
            return
        inputs, outputs = as_object(good["inputs"]), as_object(good["outputs"])
        if not plan.ended and inputs:
            # Nothing runs, but whether it can be made shows.
            if plan.feeds:
                raise Refused("what it pushes it runs to the end")
            return
        feeds = {only(inputs) if port == "-" else port: feed for port, feed in plan.feeds.items()}
        if set(feeds) - set(inputs):
            raise Refused("its command line names the inputs, in words of its own")
        for name in inputs:
            feeds.setdefault(name, Feed("audio", (48_000, 1, "f32")))
        lone = next(iter(feeds.values())) if len(feeds) == 1 else None
        if lone is not None and lone.kind == "json":
            self.stream_json(lone)
        elif lone is not None and lone.kind == "audio" and len(outputs) == 1:
            self.stream_pcm(lone, *next(iter(outputs.items())))
        else:
            self.run_files(feeds, outputs)

    def note(self, error: Json) -> None:
        """Notes how it went."""
        if error is not None:
            self.steps.append({"line": 0, "status": as_object(error)["status"], "error": error})

    def stream_json(self, feed: Feed) -> None:
        """JSON values as lines; each result is a line."""
        stdin = "".join(f"{line}\n" for line in feed.lines).encode()
        stdout, error = self.call("stream", self.plan.manifest, "--envelope", stdin=stdin)
        for line in stdout.decode().splitlines():
            told = as_object(cast(Json, json.loads(line)))
            self.values.setdefault(str(told["port"]), []).append(told["value"])
        self.note(error)

    def stream_pcm(self, feed: Feed, output: str, gives: Json) -> None:
        """Raw audio through standard input and output."""
        rate, channels, sample = feed.form
        words = ["stream", self.plan.manifest, "--pcm", f"{PCM[sample]}:{rate}:{channels}"]
        if not str(gives).startswith("audio") and str(gives) != "any":
            stdout, error = self.call(*words, stdin=feed.data)
            for line in stdout.decode().splitlines():
                self.values.setdefault(output, []).append(cast(Json, json.loads(line)))
        else:
            if "planar" in str(gives):
                raise Refused("its audio is interleaved")
            made = next((s for s in PCM if f"({s}" in str(gives)), sample)
            stdout, error = self.call(*words, "--out-pcm", PCM[made], stdin=feed.data)
            if stdout:
                (self.out / f"{output}.raw").write_bytes(stdout)
        self.note(error)

    def run_files(self, feeds: dict[str, Feed], outputs: dict[str, Json]) -> None:
        """Files in, files out."""
        words = ["run", self.plan.manifest]
        for number, (name, feed) in enumerate(feeds.items()):
            words += ["-i", f"{name}={self.input_file(number, feed)}"]
        files: dict[str, Path] = {}
        audio_in = all(feed.kind == "audio" for feed in feeds.values())
        for number, (name, gives) in enumerate(outputs.items()):
            audio = str(gives).startswith("audio") or (str(gives) == "any" and audio_in)
            files[name] = self.out / f"output-{number}.{'pcm' if audio else 'jsonl'}"
            words += ["-o", f"{name}={files[name]}"]
        _, error = self.call(*words)
        for name, path in files.items():
            if path.suffix == ".jsonl" and path.exists():
                lines = path.read_text(encoding="utf-8").splitlines()
                if lines:
                    self.values[name] = [cast(Json, json.loads(line)) for line in lines]
            elif path.exists() and path.stat().st_size:
                path.rename(self.out / f"{name.replace('/', '_')}.raw")
        self.note(error)

    def input_file(self, number: int, feed: Feed) -> Path:
        """What is pushed, as a file."""
        if feed.kind == "audio":
            path = self.out / f"input-{number}.wav"
            path.write_bytes(wav(feed))
        else:
            path = self.out / f"input-{number}.{'txt' if feed.kind == 'text' else 'jsonl'}"
            path.write_text("".join(f"{line}\n" for line in feed.lines), encoding="utf-8")
        return path


def wav(feed: Feed) -> bytes:
    """The audio as a WAV file."""
    rate, channels, sample = feed.form
    size = BYTES[sample]
    code = 3 if sample == "f32" else 1
    frame = channels * size
    form = struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, size * 8)
    chunks = b"fmt " + struct.pack("<I", 16) + form
    chunks += b"data" + struct.pack("<I", len(feed.data)) + feed.data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def as_object(value: Json) -> dict[str, Json]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def only(names: dict[str, Json]) -> str:
    """The one name that there is."""
    if len(names) != 1:
        raise Refused("its command line names the inputs, in words of its own")
    return next(iter(names))


def answer(line: Json) -> NoReturn:
    """Prints the line and ends."""
    print(json.dumps(line, ensure_ascii=False))
    sys.exit(0)


def main() -> None:
    """Plays the case."""
    rmedia, case, out = sys.argv[1:]
    rmedia, folder = str(Path(rmedia).absolute()), Path(out).absolute()
    os.chdir(case)
    try:
        plan = read_plan(Path("steps").read_text(encoding="utf-8"))
        if plan.manifest and "test/" in Path(plan.manifest).read_text(encoding="utf-8"):
            raise Refused("it has no nodes of a program's own")
        command = Command(rmedia, plan, folder)
        command.validate()
        command.run()
    except Refused as reason:
        answer({"not_for_this_front": str(reason)})
    values: dict[str, Json] = {name: [*found] for name, found in command.values.items()}
    answer({"partial": True, "steps": command.steps, "values": values})


if __name__ == "__main__":
    main()
