#!/usr/bin/env python3
"""Plays a conformance case through the Python package: `python_driver.py CASE OUT`.

Nodes of the program are written in Python, and run in the package's calls.
"""

from __future__ import annotations

import array
import gc
import json
import sys
from pathlib import Path
from typing import Any

import remotemedia
from remotemedia import _native
from steps import Json, Place, Sound, Steps

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


class Player(Steps[remotemedia.Pipeline, remotemedia.Packet]):
    """Plays one case."""

    def failed(self, error: Exception) -> tuple[str, Json] | None:
        """The package's errors."""
        return (
            (error.code, error.report) if isinstance(error, remotemedia.RemoteMediaError) else None
        )

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

    def one(
        self, kind: str, data: str | bytes, sound: Sound | None, place: Place, port: str | None
    ) -> remotemedia.Packet:
        """In the pipeline's memory."""
        told: dict[str, Any] = {"kind": kind, **place}
        if sound is not None:
            told |= {"rate": sound.rate, "channels": sound.channels}
            told |= {"sample_format": sound.sample, "planar": sound.planar}
            if sound.sliced:
                # Parts are of a packet that is no pipeline's.
                return remotemedia.Packet(data, **told)
        given = json.loads(data) if kind == "json" else data
        return self.running()._packet(given, port, **told)  # pyright: ignore[reportPrivateUsage]

    def part(self, whole: remotemedia.Packet, first: int, frames: int) -> remotemedia.Packet:
        """Shares its memory."""
        return whole.slice(first, frames)

    def push_one(self, packet: remotemedia.Packet, port: str | None, retry: bool) -> bool:
        """Pushes a packet; while the input is full and something can be pulled, pulls it."""
        while True:
            try:
                self.running().push(packet, port, timeout=None if retry else 0)
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
            self.append(name, raw)
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
    player = Player(Path(out).absolute())
    player.play_all(case)
    print(json.dumps(player.finish(), ensure_ascii=False))
    player.pipeline = None
    # An exception and what it was raised in hold each other.
    gc.collect()
    left = {kind: count for kind, count in _native.live().items() if kind != "engines"}
    if any(left.values()):
        raise RuntimeError(f"not everything was released: {left}")


if __name__ == "__main__":
    main()
