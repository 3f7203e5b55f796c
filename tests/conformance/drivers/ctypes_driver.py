#!/usr/bin/env python3
"""Plays a conformance case through ctypes and the C library: `ctypes_driver.py [LIBRARY] CASE OUT`.

Without LIBRARY the module looks for it: REMOTEMEDIA_LIBRARY, then the system's loader. Nodes of the
program are served by queue, when a call says that it waits for them.
"""

from __future__ import annotations

import array
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bindings/python/remotemedia"))

import capi

HALF = {
    "name": "test/Half",
    "summary": "Halves samples.",
    "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"], "planar": False}],
    "outputs": [
        {"name": "out", "kinds": ["audio"], "samples": ["f32"], "planar": False, "like_input": True}
    ],
}
FAIL = {
    "name": "test/Fail",
    "summary": "Fails on its third packet.",
    "inputs": [{"name": "in"}],
    "outputs": [{"name": "out", "like_input": True}],
}

# By RMEDIA_KIND_…, RMEDIA_SAMPLE_…, RMEDIA_STATE_…, status of a pull.
KINDS = ["", "audio", "video", "encoded", "tensor", "text", "json", "record", "bytes", "file"]
SAMPLES = list(capi.SAMPLES)
SIZES = [4, 2, 3, 4, 1]
STATES = ["running", "closing", "closed", "failed", "cancelled"]
PULLED = {
    capi.RMEDIA_OK: "ok",
    capi.RMEDIA_END: "end",
    capi.RMEDIA_NEED_INPUT: "need_input",
    capi.RMEDIA_FULL: "full",
    capi.RMEDIA_IN_FLIGHT: "in_flight",
    capi.RMEDIA_BUSY: "busy",
    capi.RMEDIA_DUE: "due",
}


@dataclass
class Sound:
    """Samples of a file, and how they are cut."""

    rate: int = 0
    channels: int = 0
    sample: str = ""
    planar: bool = False
    sliced: bool = False
    skip: int = 0
    chunks: str = "all"

    def pieces(self, frames: int) -> Iterator[tuple[int, int]]:
        """First frame and frame behind the last of each packet, in a file of so many frames."""
        at, sizes = self.skip, self.chunks.split(",")
        if self.chunks == "all":
            yield min(at, frames), frames
            return
        repeat = sizes[-1] == "*"
        numbers = [int(size) for size in sizes if size != "*"]
        while True:
            for size in numbers:
                if repeat and at + size >= frames:
                    yield at, frames
                    return
                if at + size > frames:
                    raise ValueError(f"the file has {frames} frames, not {at + size}")
                yield at, at + size
                at += size
            if not repeat:
                return


def read_sound(words: list[str]) -> Sound:
    """The options of `audio`."""
    sound = Sound()
    for word in words:
        name, found, value = word.partition("=")
        old = getattr(sound, name)
        setattr(sound, name, type(old)(value) if found else True)
    return sound


def planes(data: bytes, size: int, channels: int) -> bytes:
    """Puts the samples of each channel into a plane."""
    frame = size * channels
    return b"".join(
        data[at + channel * size : at + (channel + 1) * size]
        for channel in range(channels)
        for at in range(0, len(data), frame)
    )


def interleaved(packet: capi.Packet) -> bytes:
    """The samples of a packet, frame by frame."""
    info, data = packet.info, packet.view().cast("B")
    if not info.flags & capi.RMEDIA_PACKET_PLANAR:
        return bytes(data)
    size = SIZES[info.format]
    return b"".join(
        data[channel * info.stride + at : channel * info.stride + at + size]
        for at in range(0, info.frames * size, size)
        for channel in range(info.channels)
    )


@dataclass
class Player:
    """Plays one case."""

    library: capi.Library
    engine: capi.Engine
    out: Path
    line: int = 0
    pipeline: capi.Pipeline | None = None
    inputs: list[str] = field(default_factory=lambda: [])
    outputs: list[str] = field(default_factory=lambda: [])
    steps: list[capi.Json] = field(default_factory=lambda: [])
    packets: list[capi.Json] = field(default_factory=lambda: [])
    seen: dict[int, int] = field(default_factory=lambda: {})

    def running(self) -> capi.Pipeline:
        """The pipeline."""
        if self.pipeline is None:
            raise ValueError(f"line {self.line}: there is no pipeline")
        return self.pipeline

    def note(self, status: str, **facts: capi.Json) -> None:
        """Notes what a step came to."""
        self.steps.append({"line": self.line, "status": status, **facts})

    def play(self, op: str, rest: str) -> None:
        """Does a step."""
        facts: dict[str, capi.Json] = {}
        try:
            if op in ("push", "offer"):
                facts["count"] = 0
                self.push(rest, op == "push", facts)
            else:
                getattr(self, op.replace("-", "_"))(rest)
        except capi.Error as error:
            self.note(error.name, error=error.json, **facts)

    def create(self, rest: str) -> None:
        """Makes the pipeline from a text."""
        file, *said = rest.split()
        for word in said:
            if word.startswith("memory="):
                self.engine.release()
                self.engine = make_engine(self.library, int(word[7:]))
        text = Path(file).read_text(encoding="utf-8")
        self.made(capi.Pipeline(self.library, text, self.engine, untrusted="untrusted" in said))

    def create_file(self, rest: str) -> None:
        """Makes the pipeline from a file that the library reads."""
        self.made(capi.Pipeline.from_file(self.library, rest, self.engine))

    def made(self, pipeline: capi.Pipeline) -> None:
        """Notes the pipeline."""
        told = pipeline.describe()
        self.pipeline, self.inputs, self.outputs = pipeline, [*told["inputs"]], [*told["outputs"]]
        self.note("ok", inputs=self.inputs, outputs=self.outputs)

    def validate(self, rest: str) -> None:
        """Notes what is wrong in a manifest."""
        try:
            told = self.engine.validate(Path(rest).read_text(encoding="utf-8"))
        except capi.Error as error:
            told = {"ok": False, "problems": error.json["problems"]}
        self.note("ok" if told["ok"] else "invalid", problems=told["problems"])

    def push(self, rest: str, retry: bool, facts: dict[str, capi.Json]) -> None:
        """Pushes packets; counts them in `facts`."""
        name, _, rest = rest.partition(" ")
        place: dict[str, capi.Json] = {"engine": self.engine}
        kind, _, rest = rest.partition(" ")
        while kind == "discont" or kind.startswith("pts="):
            if kind == "discont":
                place["discont"] = True
            else:
                place["pts_ns"] = int(kind[4:])
            kind, _, rest = rest.lstrip().partition(" ")
        packets = self.make(kind, rest.lstrip(), place)
        index = None if name == "-" else self.running().input(name)
        for packet in packets:
            if not self.push_one(packet, index, retry):
                self.note("full", **facts)
                return
            facts["count"] += 1
        self.note("ok", **facts)

    def make(self, kind: str, rest: str, place: dict[str, capi.Json]) -> list[capi.Packet]:
        """Makes the packets of a push, the first of which lies at that place."""
        if kind == "text":
            return [capi.Packet.text(self.library, rest, **place)]
        if kind == "json":
            return [capi.Packet.json_text(self.library, rest, **place)]
        if kind == "bytes":
            return [capi.Packet.from_bytes(self.library, Path(rest).read_bytes(), **place)]
        if kind != "audio":
            raise ValueError(f"'{kind}' can't be pushed")
        file, *words = rest.split()
        sound, data = read_sound(words), Path(file).read_bytes()
        size = SIZES[capi.SAMPLES[sound.sample]]
        frame = size * sound.channels or 1
        pieces = list(sound.pieces(len(data) // frame))
        form = sound.rate, sound.channels, sound.sample, sound.planar

        def audio(first: int, behind: int) -> capi.Packet:
            samples = data[first * frame : behind * frame]
            if sound.planar:
                samples = planes(samples, size, sound.channels)
            made = capi.Packet.audio(self.library, samples, *form, **place)
            place.pop("pts_ns", None)
            place.pop("discont", None)
            return made

        if not sound.sliced:
            return [audio(*piece) for piece in pieces]
        begin = pieces[0][0]
        with audio(begin, pieces[-1][1]) as whole:
            return [whole.slice(first - begin, behind - first) for first, behind in pieces]

    def push_one(self, packet: capi.Packet, index: int | None, retry: bool) -> bool:
        """Pushes a packet; while the input is full and something can be pulled, pulls it."""
        while True:
            wait = capi.RMEDIA_FOREVER if retry else capi.RMEDIA_TRY
            status = self.running().push(packet, index, wait)
            if status == capi.RMEDIA_HOST:
                self.serve()
                continue
            if status == capi.RMEDIA_OK or not retry:
                return status == capi.RMEDIA_OK
            pulled = self.running().pull()
            if pulled.packet is None:
                return False
            self.packet(pulled.about, pulled.packet)

    def end(self, rest: str) -> None:
        """Ends one input or all."""
        self.running().end(rest or None)
        self.note("ok")

    def pull(self, rest: str) -> None:
        """Pulls once."""
        if self.pull_one(rest, capi.RMEDIA_TRY):
            self.note("ok")

    def drain(self, rest: str) -> None:
        """Pulls until there is nothing, waiting for what others bring."""
        while self.pull_one(rest, capi.RMEDIA_FOREVER):
            pass

    def pull_one(self, name: str, wait: int) -> bool:
        """Pulls once, and notes what it came to. Says whether that was a packet, which is a note of
        its own."""
        output = None if name == "-" else name or None
        pulled = self.running().pull(output, wait)
        while pulled.status == capi.RMEDIA_HOST:
            self.serve()
            pulled = self.running().pull(output, wait)
        if pulled.packet is not None:
            self.packet(pulled.about, pulled.packet)
            return True
        names = {capi.RMEDIA_NEED_INPUT: self.inputs, capi.RMEDIA_FULL: self.outputs}
        waits_for = names.get(pulled.status, [])[pulled.about : pulled.about + 1]
        self.note(PULLED[pulled.status], **({"waits_for": waits_for} if waits_for else {}))
        return False

    def packet(self, output: int, packet: capi.Packet) -> None:
        """Notes a packet that was pulled."""
        name, info, raw = self.outputs[output], packet.info, b""
        facts: dict[str, capi.Json] = {
            "line": self.line,
            "output": name,
            "kind": KINDS[info.kind],
            "pts_ns": packet.pts_ns,
            "discont": bool(info.flags & capi.RMEDIA_PACKET_DISCONT),
        }
        if info.kind == capi.RMEDIA_KIND_AUDIO:
            facts |= {"frames": info.frames, "rate": info.rate, "channels": info.channels}
            facts["sample"] = SAMPLES[info.format]
            facts["planar"] = bool(info.flags & capi.RMEDIA_PACKET_PLANAR)
            raw = interleaved(packet)
        elif info.kind == capi.RMEDIA_KIND_TEXT:
            facts["value"] = bytes(packet.view()).decode()
        elif info.kind in (capi.RMEDIA_KIND_JSON, capi.RMEDIA_KIND_RECORD):
            facts["value"] = packet.json()
        elif info.kind == capi.RMEDIA_KIND_BYTES:
            facts["bytes"] = info.size
            raw = bytes(packet.view())
        if info.kind in (capi.RMEDIA_KIND_AUDIO, capi.RMEDIA_KIND_BYTES):
            with (self.out / f"{name.replace('/', '_')}.raw").open("ab") as file:
                file.write(raw)
        self.packets.append(facts)
        packet.release()

    def set(self, rest: str) -> None:
        """Sets live params."""
        node, _, text = rest.partition(" ")
        at = capi.RMEDIA_NO_TIME
        if text.startswith("at="):
            time, _, text = text[3:].partition(" ")
            at = int(time)
        self.note("ok", number=self.running().set_params(node, json.loads(text), at))

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
        while (status := self.running().advance()) in (capi.RMEDIA_HOST, capi.RMEDIA_BUSY):
            self.serve()
        self.note(PULLED[status])

    def reset(self, _: str) -> None:
        """Forgets everything inside."""
        self.note("ok", epoch=self.running().reset())

    def rewind(self, _: str) -> None:
        """Makes it ready for another run."""
        self.running().rewind()
        self.note("ok")

    def close(self, rest: str) -> None:
        """Ends it."""
        while (status := self.running().close(int(rest))) == capi.RMEDIA_HOST:
            self.serve()
        self.note("ok", closed="cut" if status == capi.RMEDIA_CUT else "drained")

    def cancel(self, _: str) -> None:
        """Stops it at once."""
        self.running().cancel()
        self.note("ok")

    def serve(self) -> None:
        """Does the jobs that wait."""
        while (job := self.engine.next_job()) is not None:
            packet = job.packet
            if packet is None:
                job.done()
            elif job.node_type == "test/Half":
                job.emit(self.half(packet))
                job.done()
            else:
                self.seen[job.node] = self.seen.get(job.node, 0) + 1
                if self.seen[job.node] == 3:
                    job.fail("third packet")
                else:
                    job.emit(packet)
                    job.done()

    def half(self, packet: capi.Packet) -> capi.Packet:
        """The same at half the level."""
        info = packet.info
        samples = array.array("f", (sample * 0.5 for sample in packet.view()))
        return capi.Packet.audio(
            self.library,
            samples,
            info.rate,
            info.channels,
            pts_ns=packet.pts_ns,
            discont=bool(info.flags & capi.RMEDIA_PACKET_DISCONT),
            engine=self.engine,
        )

    def finish(self) -> capi.Json:
        """The line, with what the pipeline tells about itself."""
        line: dict[str, capi.Json] = {"steps": self.steps, "packets": self.packets}
        if self.pipeline is not None:
            line["events"] = list(events(self.pipeline.next_event))
            line["metrics"] = self.pipeline.metrics()
            line["state"] = STATES[self.pipeline.state()]
        return line


def events(take: Callable[[], capi.Json]) -> Iterator[capi.Json]:
    """All events."""
    while (event := take()) is not None:
        yield event


def make_engine(library: capi.Library, memory: int = 0) -> capi.Engine:
    """An engine that knows the suite's nodes."""
    engine = capi.Engine(library, memory)
    engine.add_host_node(HALF)
    engine.add_host_node(FAIL)
    return engine


def main() -> None:
    """Plays the case."""
    *given, case, out = sys.argv[1:]
    library = capi.load(str(Path(given[0]).absolute()) if given else None)
    folder = Path(out).absolute()
    # Manifests and steps name files relative to the case.
    os.chdir(case)
    player = Player(library, make_engine(library), folder)
    for number, line in enumerate(Path("steps").read_text(encoding="utf-8").splitlines(), 1):
        op, _, rest = line.strip().partition(" ")
        if op and not op.startswith("#"):
            player.line = number
            player.play(op, rest.lstrip())
    print(json.dumps(player.finish(), ensure_ascii=False))
    if player.pipeline is not None:
        player.pipeline.release()
        player.serve()
    player.engine.release()
    left = capi.live(library)
    if any(left.values()):
        raise RuntimeError(f"not everything was released: {left}")


if __name__ == "__main__":
    main()
