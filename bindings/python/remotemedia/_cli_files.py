"""Files of the command `remotemedia`: packets of what they hold, and files of packets."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from . import _values
from ._native import Packet
from .cli import Usage
from .errors import FormatError, RemoteMediaError
from .pipeline import Pipeline

#: What the engine's MediaWriter writes, by the file's ending.
WRITTEN = (".wav", ".flac", ".pcm", ".raw", ".jsonl", ".txt")


def assign(what: str, names: Iterable[str], given: list[str]) -> list[tuple[str, str]]:
    """`[NAME=]PATH` arguments as (name, path). Usage: no such name, or none where there are
    several."""
    known = list(names)
    made: list[tuple[str, str]] = []
    for each in given:
        name, has_name, path = each.partition("=")
        if has_name and name in known:
            made.append((name, path))
        elif has_name and "/" not in name and "\\" not in name:
            raise Usage(f"there is no {what} '{name}'; {_listed(what, known)}")
        elif len(known) == 1:
            made.append((known[0], each))
        else:
            example = f"; write {known[0]}={each}" if known else ""
            raise Usage(f"which {what} is '{each}' for? {_listed(what, known)}{example}")
    return made


def _listed(what: str, names: list[str]) -> str:
    return f"its {what}s are {', '.join(names)}" if names else f"the pipeline has no {what}s"


def read(path: str, takes: str) -> Iterator[Packet]:
    """The packets of a file, one after the other. `takes`: what the input takes, e.g. `text |
    json`.

    Media files are read by the engine's MediaReader, packet by packet.
    """
    kinds = {kind.strip().split(" ")[0] for kind in takes.split("|")}
    ending = Path(path).suffix.lower()
    if path == "-":
        return _lines("standard input", sys.stdin, kinds)
    if ending in (".jsonl", ".ndjson"):
        return _file_lines(path, kinds)
    if ending == ".json":
        return _document(path, kinds)
    if ending == ".txt" and kinds & {"text", "json", "any"}:
        return _texts(path, kinds)
    if not kinds & {"audio", "any"}:
        raise FormatError(f"{path}: the input takes {takes}: give it a .jsonl, .json or .txt file")
    return _media(path)


def _media(path: str) -> Iterator[Packet]:
    reader = {"id": "file", "node_type": "MediaReader", "params": {"path": path}}
    with Pipeline({"version": "v1", "nodes": [reader]}) as pipeline:
        yield from pipeline


def _file_lines(path: str, kinds: set[str]) -> Iterator[Packet]:
    with Path(path).open(encoding="utf-8") as file:
        yield from _lines(path, file, kinds)


def _lines(name: str, lines: Iterable[str], kinds: set[str]) -> Iterator[Packet]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            if "text" in kinds and "json" not in kinds:
                value = line.rstrip("\r\n")
            else:
                raise FormatError(f"{name}:{number}: this line is no JSON: {error}") from None
        yield _packet(f"{name}:{number}", value, kinds)


def _document(path: str, kinds: set[str]) -> Iterator[Packet]:
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: this is no JSON: {error}") from None
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    for number, each in enumerate(values):
        yield _packet(f"{path}: item {number}", each, kinds)


def _texts(path: str, kinds: set[str]) -> Iterator[Packet]:
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            yield _packet(f"{path}:{number}", line.rstrip("\r\n"), kinds)


def _packet(where: str, value: Any, kinds: set[str]) -> Packet:
    try:
        if _values.is_audio_dict(value):
            item = _values.item(value)
            rate = int(item.options.get("rate", 48_000))
            return Packet(item.data, kind="audio", rate=rate)
        if isinstance(value, str) and kinds & {"text", "any"}:
            return Packet(value, kind="text")
        return Packet(value, kind="json")
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError(f"{where}: {error}") from error


class Sink(Protocol):
    """Where packets go."""

    def write(self, packet: Packet) -> None:
        """One more."""
        ...

    def finish(self) -> None:
        """There are no more: the file is whole."""
        ...

    def abandon(self) -> None:
        """There will be no more: no file stays."""
        ...


def sink(path: str) -> Sink:
    """What writes a file of that name. Usage: its ending says nothing."""
    ending = Path(path).suffix.lower()
    if ending == ".npy":
        return Arrays(path)
    if ending in WRITTEN:
        return Written(path)
    raise Usage(f"'{path}' does not say what to write: end it in {', '.join(WRITTEN)} or .npy")


class Written:
    """A file that the engine's MediaWriter writes; it has its name when it is whole."""

    def __init__(self, path: str) -> None:
        writer = {"id": "file", "node_type": "MediaWriter", "params": {"path": path}}
        self._pipeline = Pipeline({"version": "v1", "nodes": [writer]}).open()

    def write(self, packet: Packet) -> None:
        """One more."""
        self._pipeline.push(packet)

    def finish(self) -> None:
        """Writes the rest."""
        self._pipeline.end()
        for _ in self._pipeline:
            pass
        self._pipeline.close()

    def abandon(self) -> None:
        """Leaves no file."""
        self._pipeline.cancel()
        with contextlib.suppress(RemoteMediaError):
            self._pipeline.close(0)


class Arrays:
    """A .npy file: what came, as one array; it is in memory until the end."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._arrays: list[Any] = []
        _values.numpy()

    def write(self, packet: Packet) -> None:
        """One more."""
        if packet.kind not in ("audio", "video", "tensor"):
            raise FormatError(
                f"{self._path}: a packet of kind {packet.kind} is no array: use .jsonl"
            )
        self._arrays.append(_values.numpy().asarray(packet))

    def finish(self) -> None:
        """Audio in its length, others above each other."""
        np = _values.numpy()
        if not self._arrays:
            raise FormatError(f"{self._path}: nothing came for it, so that there is no array")
        try:
            whole = np.concatenate(self._arrays) if self._arrays[0].ndim else np.stack(self._arrays)
        except ValueError as error:
            raise FormatError(
                f"{self._path}: the arrays that came fit no single one: {error}"
            ) from None
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            with part.open("wb") as file:
                np.save(file, whole)
            part.replace(self._path)
        finally:
            part.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Leaves no file."""
        self._arrays.clear()


class Printed:
    """Standard output: values as JSON lines; of audio and other media, how much there was."""

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._audio: dict[str, Any] | None = None
        self._others: dict[str, int] = {}

    def write(self, packet: Packet) -> None:
        """One more."""
        match packet.kind:
            case "text" | "json" | "record" | "file":
                self._print("value", _values.value(packet))
            case "audio":
                if self._audio is None:
                    self._audio = {"rate": packet.rate, "channels": packet.channels, "frames": 0}
                    self._audio["format"] = packet.sample_format
                self._audio["frames"] += packet.frames
            case kind:
                self._others[kind] = self._others.get(kind, 0) + 1

    def _print(self, what: str, value: Any) -> None:
        if self._name is not None:
            value = {"output": self._name, what: value}
        elif what != "value":
            value = {what: value}
        print(json.dumps(value, ensure_ascii=False), flush=True)

    def finish(self) -> None:
        """Tells of media."""
        if self._audio is not None:
            seconds = self._audio["frames"] / self._audio["rate"]
            self._print("audio", {**self._audio, "seconds": round(seconds, 6)})
        for kind, count in self._others.items():
            self._print(kind, {"packets": count})

    def abandon(self) -> None:
        """What was printed stays."""
