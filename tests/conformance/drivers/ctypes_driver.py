#!/usr/bin/env python3
"""Plays a conformance case through ctypes and the C library: `ctypes_driver.py [LIBRARY] CASE OUT`.

Without LIBRARY the module looks for it: REMOTEMEDIA_LIBRARY, then the system's loader. Nodes of the
program are served by queue, when a call says that it waits for them.
"""

from __future__ import annotations

import array
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bindings/python/remotemedia"))

from steps import SIZES, Json, Place, Sound, Steps

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


def interleaved(packet: capi.Packet) -> bytes:
    """The samples of a packet, frame by frame."""
    info, data = packet.info, packet.view().cast("B")
    if not info.flags & capi.RMEDIA_PACKET_PLANAR:
        return bytes(data)
    size = SIZES[SAMPLES[info.format]]
    return b"".join(
        data[channel * info.stride + at : channel * info.stride + at + size]
        for at in range(0, info.frames * size, size)
        for channel in range(info.channels)
    )


@dataclass
class Player(Steps[capi.Pipeline, capi.Packet]):
    """Plays one case."""

    library: capi.Library = field(kw_only=True)
    engine: capi.Engine = field(kw_only=True)
    inputs: list[str] = field(default_factory=lambda: [])
    outputs: list[str] = field(default_factory=lambda: [])
    seen: dict[int, int] = field(default_factory=lambda: {})

    def failed(self, error: Exception) -> tuple[str, Json] | None:
        """The library's errors."""
        return (error.name, error.json) if isinstance(error, capi.Error) else None

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

    def one(
        self, kind: str, data: str | bytes, sound: Sound | None, place: Place, port: str | None
    ) -> capi.Packet:
        """In the engine's memory."""
        told: dict[str, Any] = {**place, "engine": self.engine}
        if isinstance(data, str):
            made = capi.Packet.text if kind == "text" else capi.Packet.json_text
            return made(self.library, data, **told)
        if sound is None:
            return capi.Packet.from_bytes(self.library, data, **told)
        form = sound.rate, sound.channels, sound.sample, sound.planar
        return capi.Packet.audio(self.library, data, *form, **told)

    def part(self, whole: capi.Packet, first: int, frames: int) -> capi.Packet:
        """Shares its memory."""
        return whole.slice(first, frames)

    def let_go(self, packet: capi.Packet) -> None:
        """Releases it."""
        packet.release()

    def push_one(self, packet: capi.Packet, port: str | None, retry: bool) -> bool:
        """Pushes a packet; while the input is full and something can be pulled, pulls it."""
        index = None if port is None else self.running().input(port)
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
        facts: dict[str, Json] = {
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
            self.append(name, raw)
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

    def finish(self) -> Json:
        """The line, with what the pipeline tells about itself."""
        line: dict[str, Json] = {"steps": self.steps, "packets": self.packets}
        if self.pipeline is not None:
            line["events"] = list(events(self.pipeline.next_event))
            line["metrics"] = self.pipeline.metrics()
            line["state"] = STATES[self.pipeline.state()]
        return line


def events(take: Callable[[], Json]) -> Iterator[Json]:
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
    player = Player(folder, library=library, engine=make_engine(library))
    player.play_all(case)
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
