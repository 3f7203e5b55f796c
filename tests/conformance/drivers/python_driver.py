#!/usr/bin/env python3
"""Plays a conformance case through the Python package: `python_driver.py CASE OUT`.

Nodes of the program are written in Python, and run in the package's calls.
"""

from __future__ import annotations

import array
import gc
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import remotemedia
from ctypes_driver import Sound, planes, read_sound
from remotemedia import _native

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
SIZES = {"f32": 4, "i16": 2, "i24": 3, "i32": 4, "u8": 1}
FLOATS = {"kinds": ["audio"], "samples": ["f32"], "planar": False}


@remotemedia.node(
    "test/Half", inputs={"in": FLOATS}, outputs={"out": FLOATS | {"like_input": True}}
)
def half(packet: remotemedia.Packet) -> remotemedia.Output:
    """Halves samples."""
    samples = memoryview(packet.tobytes()).cast("f")
    halves = array.array("f", (sample * 0.5 for sample in samples))
    return remotemedia.Output.to("out", halves, channels=packet.channels)


@remotemedia.node("test/Fail", outputs={"out": {"like_input": True}})
class Fail:
    """Fails on its third packet."""

    def __init__(self) -> None:
        self.seen = 0

    def process(self, packet: remotemedia.Packet) -> remotemedia.Packet:
        """Counts."""
        self.seen += 1
        if self.seen == 3:
            raise remotemedia.NodeError("third packet")
        return packet


@dataclass
class Player:
    """Plays one case."""

    out: Path
    line: int = 0
    pipeline: remotemedia.Pipeline | None = None
    steps: list[Json] = field(default_factory=list[Json])
    packets: list[Json] = field(default_factory=list[Json])

    def running(self) -> remotemedia.Pipeline:
        """The pipeline."""
        if self.pipeline is None:
            raise ValueError(f"line {self.line}: there is no pipeline")
        return self.pipeline

    def note(self, status: str, **facts: Json) -> None:
        """Notes what a step came to."""
        self.steps.append({"line": self.line, "status": status, **facts})

    def play(self, op: str, rest: str) -> None:
        """Does a step."""
        facts: dict[str, Json] = {}
        try:
            if op in ("push", "offer"):
                facts["count"] = 0
                self.push(rest, op == "push", facts)
            else:
                getattr(self, op.replace("-", "_"))(rest)
        except remotemedia.RemoteMediaError as error:
            self.note(error.code, error=error.report, **facts)

    def create(self, rest: str) -> None:
        """Makes the pipeline from a text."""
        file, *said = rest.split()
        memory = next((int(word[7:]) for word in said if word.startswith("memory=")), 0)
        text = Path(file).read_text(encoding="utf-8")
        pipeline = remotemedia.Pipeline(
            as_text(text), memory_limit=memory, untrusted="untrusted" in said
        )
        self.made(pipeline)

    def create_file(self, rest: str) -> None:
        """Makes the pipeline from a file that the library reads."""
        self.made(remotemedia.Pipeline(Path(rest)))

    def made(self, pipeline: remotemedia.Pipeline) -> None:
        """Notes the pipeline."""
        self.pipeline = pipeline.open()
        self.note("ok", inputs=[*pipeline.inputs], outputs=[*pipeline.outputs])

    def validate(self, rest: str) -> None:
        """Notes what is wrong in a manifest."""
        text = Path(rest).read_text(encoding="utf-8")
        problems = remotemedia.validate(as_text(text))
        wrong = any(problem.severity == "error" for problem in problems)
        self.note("invalid" if wrong else "ok", problems=[problem.report for problem in problems])

    def push(self, rest: str, retry: bool, facts: dict[str, Json]) -> None:
        """Pushes packets; counts them in `facts`."""
        name, _, rest = rest.partition(" ")
        port = None if name == "-" else name
        place: dict[str, int | bool] = {}
        kind, _, rest = rest.partition(" ")
        while kind == "discont" or kind.startswith("pts="):
            if kind == "discont":
                place["discont"] = True
            else:
                place["pts_ns"] = int(kind[4:])
            kind, _, rest = rest.lstrip().partition(" ")
        for push in self.pushes(kind, rest.lstrip(), port, place):
            if not self.push_one(push, retry):
                self.note("full", **facts)
                return
            facts["count"] = int(str(facts["count"])) + 1
        self.note("ok", **facts)

    def pushes(
        self, kind: str, rest: str, port: str | None, place: dict[str, int | bool]
    ) -> list[Callable[[float | None], None]]:
        """The calls that push the packets, the first of which lies at that place."""
        pipeline = self.running()

        def call(data: object, **options: object) -> Callable[[float | None], None]:
            told = {**options, **place}
            place.clear()
            # All packets of a step are made before the first is pushed, in the pipeline's memory.
            packet = pipeline._packet(data, port, **told)  # pyright: ignore
            return lambda timeout: pipeline.push(packet, port, timeout=timeout)

        match kind:
            case "text":
                return [call(rest, kind="text")]
            case "json":
                return [call(json.loads(rest), kind="json")]
            case "bytes":
                return [call(Path(rest).read_bytes(), kind="bytes")]
            case "audio":
                return self.audio(rest, call, place)
            case _:
                raise ValueError(f"'{kind}' can't be pushed")

    def audio(
        self,
        rest: str,
        call: Callable[..., Callable[[float | None], None]],
        place: dict[str, int | bool],
    ) -> list[Callable[[float | None], None]]:
        """The calls for the samples of a file."""
        file, *words = rest.split()
        sound, data = read_sound(words), Path(file).read_bytes()
        size = SIZES[sound.sample]
        frame = size * sound.channels or 1
        pieces = list(sound.pieces(len(data) // frame))
        options = self.options(sound)

        def samples(first: int, behind: int) -> bytes:
            part = data[first * frame : behind * frame]
            return planes(part, size, sound.channels) if sound.planar else part

        if not sound.sliced:
            return [call(samples(*piece), kind="audio", **options) for piece in pieces]
        begin = pieces[0][0]
        told = {**options, **place}
        whole = self.running()._packet(samples(begin, pieces[-1][1]), kind="audio", **told)  # pyright: ignore
        place.clear()
        return [call(whole.slice(first - begin, behind - first)) for first, behind in pieces]

    def options(self, sound: Sound) -> dict[str, object]:
        """What is said of samples beside their bytes."""
        return {
            "rate": sound.rate,
            "channels": sound.channels,
            "sample_format": sound.sample,
            "planar": sound.planar,
        }

    def push_one(self, push: Callable[[float | None], None], retry: bool) -> bool:
        """Pushes a packet; while the input is full and something can be pulled, pulls it."""
        while True:
            try:
                push(None if retry else 0)
            except remotemedia.BackpressureError:
                pulled = self.running().pull(timeout=0) if retry else None
                if pulled is None:
                    return False
                self.packet(pulled)
            else:
                return True

    def end(self, rest: str) -> None:
        """Ends one input or all."""
        self.running().end(rest or None)
        self.note("ok")

    def pull(self, rest: str) -> None:
        """Pulls once."""
        if self.pull_one(rest, 0):
            self.note("ok")

    def drain(self, rest: str) -> None:
        """Pulls until there is nothing, waiting for what others bring."""
        while self.pull_one(rest, None):
            pass

    def pull_one(self, name: str, timeout: float | None) -> bool:
        """Pulls once, and notes what it came to. Says whether that was a packet, which is a note of
        its own."""
        output = None if name == "-" else name or None
        try:
            pulled = self.running().pull(output, timeout)
        except remotemedia.BackpressureError:
            pulled = None
        if pulled is not None:
            self.packet(pulled)
            return True
        # Why there is none.
        again = self.running()._take(output)  # pyright: ignore[reportPrivateUsage]
        assert isinstance(again, tuple), "nothing comes between two calls"
        reason, about = again
        names: list[Json] = [about]
        self.note(reason, **({"waits_for": names} if about is not None else {}))
        return False

    def packet(self, packet: remotemedia.Packet) -> None:
        """Notes a packet that was pulled."""
        name, raw = packet.port or "", b""
        facts: dict[str, Json] = {
            "line": self.line,
            "output": name,
            "kind": packet.kind,
            "pts_ns": packet.pts_ns,
            "discont": packet.discont,
        }
        match packet.kind:
            case "audio":
                facts |= {"frames": packet.frames, "rate": packet.rate}
                facts |= {"channels": packet.channels, "sample": packet.sample_format}
                facts["planar"] = packet.planar
                raw = packet.tobytes()
            case "text":
                facts["value"] = packet.text
            case "json" | "record":
                facts["value"] = packet.json()
            case "bytes":
                facts["bytes"] = packet.nbytes
                raw = packet.tobytes()
            case _:
                pass
        if packet.kind in ("audio", "bytes"):
            with (self.out / f"{name.replace('/', '_')}.raw").open("ab") as file:
                file.write(raw)
        self.packets.append(facts)

    def set(self, rest: str) -> None:
        """Sets live params."""
        node, _, text = rest.partition(" ")
        at = None
        if text.startswith("at="):
            time, _, text = text[3:].partition(" ")
            at = int(time)
        self.note("ok", number=self.running().set(node, at_ns=at, **json.loads(text)))

    def gap(self, rest: str) -> None:
        """Says that nothing comes before a time."""
        name, until = rest.split()
        self.running().gap(int(until), None if name == "-" else name)
        self.note("ok")

    def interrupt(self, _: str) -> None:
        """Forgets what lies where interrupts hit."""
        self.note("ok", epoch=self.running().interrupt())

    def advance(self, _: str) -> None:
        """Runs what can run."""
        while (status := self.running().advance()) == "busy":
            pass
        self.note(status)

    def reset(self, _: str) -> None:
        """Forgets everything inside."""
        self.note("ok", epoch=self.running().reset())

    def rewind(self, _: str) -> None:
        """Makes it ready for another run."""
        self.running().rewind()
        self.note("ok")

    def close(self, rest: str) -> None:
        """Ends it."""
        millis = int(rest)
        closed = self.running()._close(None if millis < 0 else millis / 1000)  # pyright: ignore[reportPrivateUsage]
        self.note("ok", closed=closed)

    def cancel(self, _: str) -> None:
        """Stops it at once."""
        self.running().cancel()
        self.note("ok")

    def finish(self) -> Json:
        """The line, with what the pipeline tells about itself."""
        line: dict[str, Json] = {"steps": self.steps, "packets": self.packets}
        if self.pipeline is not None:
            line["events"] = [*self.pipeline.events()]
            metrics = self.pipeline.metrics()
            del metrics["python"]
            line["metrics"] = metrics
            line["state"] = self.pipeline.state
        return line


def as_text(text: str) -> str:
    """A text of one line that could be a path is made one that can't."""
    return text if "\n" in text or text.startswith("{") else text + "\n"


def main() -> None:
    """Plays the case."""
    case, out = sys.argv[1:]
    folder = Path(out).absolute()
    # Manifests and steps name files relative to the case.
    os.chdir(case)
    player = Player(folder)
    for number, line in enumerate(Path("steps").read_text(encoding="utf-8").splitlines(), 1):
        op, _, rest = line.strip().partition(" ")
        if op and not op.startswith("#"):
            player.line = number
            player.play(op, rest.lstrip())
    print(json.dumps(player.finish(), ensure_ascii=False))
    player.pipeline = None
    # An exception and what it was raised in hold each other.
    gc.collect()
    left = {kind: count for kind, count in _native.live().items() if kind != "engines"}
    if any(left.values()):
        raise RuntimeError(f"not everything was released: {left}")


if __name__ == "__main__":
    main()
