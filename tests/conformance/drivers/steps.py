"""What the drivers in Python have in common: the lines of a case, and the samples of its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, cast

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
P = TypeVar("P")
K = TypeVar("K")

#: Where a packet lies: `pts_ns`, `discont`.
Place = dict[str, int]

#: Bytes of a sample.
SIZES = {"f32": 4, "i16": 2, "i24": 3, "i32": 4, "u8": 1}


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


@dataclass
class Steps(Generic[P, K]):
    """A case that is being played, on pipelines and with packets of these types."""

    out: Path
    line: int = 0
    pipeline: P | None = None
    steps: list[Json] = field(default_factory=lambda: [])
    packets: list[Json] = field(default_factory=lambda: [])

    def running(self) -> P:
        """The pipeline."""
        if self.pipeline is None:
            raise ValueError(f"line {self.line}: there is no pipeline")
        return self.pipeline

    def note(self, status: str, **facts: Json | list[str]) -> None:
        """Notes what a step came to."""
        self.steps.append(cast("Json", {"line": self.line, "status": status, **facts}))

    # What is the library's.

    def one(
        self, kind: str, data: str | bytes, sound: Sound | None, place: Place, port: str | None
    ) -> K:
        """A packet for a port (None: the only one): text, JSON text, bytes, samples of a sound."""
        raise NotImplementedError

    def part(self, whole: K, first: int, frames: int) -> K:
        """A part of a packet of samples."""
        raise NotImplementedError

    def let_go(self, packet: K) -> None:
        """Lets go of a packet that is not pushed."""

    def push_one(self, packet: K, port: str | None, retry: bool) -> bool:
        """Pushes a packet; with `retry`, while the input is full, pulls what can be pulled."""
        raise NotImplementedError

    def failed(self, error: Exception) -> tuple[str, Json] | None:
        """What an error of the library says: its status, and all of it. None: it is another's."""
        raise NotImplementedError

    # What is not.

    def push(self, rest: str, retry: bool, facts: dict[str, Json]) -> None:
        """Pushes packets; counts them in `facts`."""
        name, _, rest = rest.partition(" ")
        port, place = None if name == "-" else name, Place({})
        kind, _, rest = rest.partition(" ")
        while kind == "discont" or kind.startswith("pts="):
            if kind == "discont":
                place["discont"] = True
            else:
                place["pts_ns"] = int(kind[4:])
            kind, _, rest = rest.lstrip().partition(" ")
        for count, packet in enumerate(self.make(kind, rest.lstrip(), place, port), 1):
            if not self.push_one(packet, port, retry):
                self.note("full", **facts)
                return
            facts["count"] = count
        self.note("ok", **facts)

    def make(self, kind: str, rest: str, place: Place, port: str | None) -> list[K]:
        """Makes the packets of a push, the first of which lies at that place."""
        if kind in ("text", "json"):
            return [self.one(kind, rest, None, place, port)]
        if kind == "bytes":
            return [self.one(kind, Path(rest).read_bytes(), None, place, port)]
        if kind != "audio":
            raise ValueError(f"'{kind}' can't be pushed")
        file, *words = rest.split()
        sound, data = read_sound(words), Path(file).read_bytes()
        size = SIZES[sound.sample]
        frame = size * sound.channels or 1
        pieces = list(sound.pieces(len(data) // frame))

        def audio(first: int, behind: int) -> K:
            samples = data[first * frame : behind * frame]
            if sound.planar:
                samples = planes(samples, size, sound.channels)
            made = self.one("audio", samples, sound, place, port)
            place.clear()
            return made

        if not sound.sliced:
            return [audio(*piece) for piece in pieces]
        begin = pieces[0][0]
        whole = audio(begin, pieces[-1][1])
        try:
            return [self.part(whole, first - begin, behind - first) for first, behind in pieces]
        finally:
            self.let_go(whole)

    def play(self, op: str, rest: str) -> None:
        """Does a step."""
        facts: dict[str, Json] = {}
        try:
            if op in ("push", "offer"):
                facts["count"] = 0
                self.push(rest, op == "push", facts)
            else:
                getattr(self, op.replace("-", "_"))(rest)
        except Exception as error:
            told = self.failed(error)
            if told is None:
                raise
            self.note(told[0], error=told[1], **facts)

    def play_all(self, case: str) -> None:
        """Plays the lines of a case, in its folder: they name files relative to that."""
        os.chdir(case)
        lines = Path("steps").read_text(encoding="utf-8").splitlines()
        for self.line, line in enumerate(lines, 1):
            op, _, rest = line.strip().partition(" ")
            if op and not op.startswith("#"):
                self.play(op, rest.lstrip())

    def append(self, name: str, raw: bytes) -> None:
        """Appends to what an output gave."""
        with (self.out / f"{name.replace('/', '_')}.raw").open("ab") as file:
            file.write(raw)
