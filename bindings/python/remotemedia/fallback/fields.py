"""The fields of a manifest, with the values that are good here: the engine's table, cut down.

A field that changes no result here (threads, timing, what it was made for) is checked and passes.
What the engine has and the fallback does not is refused unless it is null, as is what no engine
has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from .errors import FallbackError, unfit, unsupported
from .params import Bool, Int, Misfit, Shape
from .values import MAX_RATE, json_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .values import Json


@dataclass(frozen=True)
class Text(Shape):
    """Text."""

    def __str__(self) -> str:
        return "text"

    def read(self, value: Json) -> Json:
        if isinstance(value, str):
            return value
        raise Misfit(str(self))


@dataclass(frozen=True)
class Names(Shape):
    """One of some names. `others` are good for the engine alone."""

    good: tuple[str, ...]
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " or ".join(f"'{name}'" for name in self.good)

    def read(self, value: Json) -> Json:
        if value in self.good:
            return value
        if value in self.others:
            raise unsupported(f"'{value}'")
        raise Misfit(str(self))


@dataclass(frozen=True)
class Anything(Shape):
    """A list, an object, or anything."""

    kind: type = object

    def __str__(self) -> str:
        return {list: "a list", dict: "an object"}.get(self.kind, "any value")

    def read(self, value: Json) -> Json:
        if isinstance(value, self.kind):
            return value
        raise Misfit(str(self))


@dataclass(frozen=True)
class NativeOnly(Shape):
    """What the engine has and the fallback does not."""

    def __str__(self) -> str:
        return "nothing here"

    def read(self, value: Json) -> Json:
        raise unsupported("it")


@dataclass(frozen=True)
class Object(Shape):
    """An object with these fields. With `more`, others are the author's own."""

    fields: Mapping[str, Shape]
    more: bool = False

    def __str__(self) -> str:
        return "an object"

    def read(self, value: Json) -> Json:
        if not isinstance(value, dict):
            raise Misfit(str(self))
        found: dict[str, Json] = {}
        for key, inner in value.items():
            shape = self.fields.get(key)
            if shape is None and not self.more:
                raise unfit(f"there is no field '{key}'", f"fields are {', '.join(self.fields)}")
            if shape is None or inner is None:
                continue
            try:
                found[key] = shape.read(inner)
            except Misfit as misfit:
                raise unfit(f"the field '{key}' takes {misfit}; found {inner!r}") from None
            except FallbackError as error:
                message = f"the field '{key}': {error.message}"
                raise FallbackError(message, error.node, error.hint) from None
        return found


_POLICIES = ("drop_oldest", "drop_newest", "keep_latest")
_QUEUE = Object(
    {
        "items": Int(1, 1 << 20),
        "bytes": Int(1, 2**53),
        "ms": Int(1, 86_400_000),
        "policy": Names(("block",), _POLICIES),
    }
)
_RATE = Int(1, MAX_RATE)
_LIST, _MAP, _ANY = Anything(list), Anything(dict), Anything()
_PLACEMENT = Names(("inline", "thread"))
_EXECUTION = {
    "placement": Names(("auto", "local", "prefer_local", "prefer_remote"), ("remote",)),
    "reason": Text(),
    "fallback": _ANY,
}
DOCUMENT = Object(
    {
        "version": _ANY,
        "metadata": Object(
            {"name": Text(), "description": Text(), "created_at": Text(), "auto_negotiate": Bool()},
            more=True,
        ),
        "nodes": _LIST,
        "connections": _LIST,
        "inputs": _MAP,
        "outputs": _MAP,
        "queue": _QUEUE,
        "untrusted": Bool(),
        "timing": Names(("all", "sampled", "none")),
        "placement": _PLACEMENT,
        "runtime": Object({"target": Text(), "min_version": Text(), "features": _LIST}),
        "defaults": _MAP,
        "interrupt": NativeOnly(),
        "python_env": NativeOnly(),
    }
)
NODE = Object(
    {
        "id": Text(),
        "node_type": Text(),
        "params": _MAP,
        "is_streaming": Bool(),
        "is_output_node": Bool(),
        "fast_path": Bool(),
        "source_rate": _RATE,
        "placement": Names(("inline", "thread"), ("process", "remote")),
        "lane": Names(("pool", "blocking", "realtime")),
        "runtime_hint": Names(("auto", "rust_python"), ("cpython", "cpython_wasm")),
        "on_error": Names(("fail",), ("skip", "retry", "restart", "fallback")),
        "pace": Names(("free",), ("realtime",)),
        "capabilities": Object({"gpu": NativeOnly(), "cpu": _MAP, "memory_gb": _ANY}),
        "execution": Object(_EXECUTION),
        **dict.fromkeys(
            ("media_capabilities", "host", "docker", "python_deps", "max_wait_ms"), NativeOnly()
        ),
        **dict.fromkeys(("retry", "fallback", "breaker", "deadline_ms"), NativeOnly()),
    }
)
CONNECTION = Object({"from": Text(), "to": Text(), "queue": _QUEUE})
INPUT = Object(
    {
        "port": Text(),
        "queue": _QUEUE,
        "late": Names(("error", "clamp", "drop")),
        "source_rate": _RATE,
    }
)
OUTPUT = Object({"port": Text(), "queue": _QUEUE})


def read(value: object, shape: Object, what: str, node: str = "") -> dict[str, Json]:
    """The fields that `value` has and that are not null."""
    try:
        return cast("dict[str, Json]", shape.read(json_value(value)))
    except Misfit as misfit:
        raise unfit(f"{what} is {misfit}, not {value!r}", node=node) from None
    except FallbackError as error:
        raise FallbackError(f"{what}: {error.message}", node, error.hint) from None


def text(fields: Mapping[str, Json], name: str, what: str) -> str:
    """A field that has to be there, and is text."""
    value = fields.get(name)
    if isinstance(value, str):
        return value
    raise unfit(f"{what} needs the field '{name}'", "give it, as text")


def listed(fields: Mapping[str, Json], name: str) -> list[Json]:
    """A list; an empty one where there is none."""
    return cast("list[Json]", fields.get(name, []))


def mapped(fields: Mapping[str, Json], name: str) -> dict[str, Json]:
    """An object; an empty one where there is none."""
    return cast("dict[str, Json]", fields.get(name, {}))
