"""Params of nodes: names, aliases, types, ranges and defaults, checked as the engine does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from .errors import unfit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .values import Json

F32_MAX = 3.4028234663852886e38
F64_MAX = 1.7976931348623157e308


class Misfit(Exception):
    """A value is not what a param takes; its text says what that is."""


class Shape(ABC):
    """A type of params."""

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def read(self, value: Json) -> Json:
        """The value in canonical form; `Misfit` where it is none."""


@dataclass(frozen=True)
class Bool(Shape):
    """True or false."""

    def __str__(self) -> str:
        return "true or false"

    def read(self, value: Json) -> Json:
        if isinstance(value, bool):
            return value
        raise Misfit(str(self))


@dataclass(frozen=True)
class Int(Shape):
    """A whole number, also one that is written as a float."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def read(self, value: Json) -> Json:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            fits = value == value and abs(value) <= 2**53 and value == int(value)
            if fits and self.low <= value <= self.high:
                return int(value)
        raise Misfit(str(self))


@dataclass(frozen=True)
class Float(Shape):
    """A number. `single` ones are held as float32."""

    low: float = -F64_MAX
    high: float = F64_MAX
    single: bool = False

    def __str__(self) -> str:
        return "a number" if self.high > 1e37 else f"a number from {self.low:g} to {self.high:g}"

    def read(self, value: Json) -> Json:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            limit = F32_MAX if self.single else F64_MAX
            if max(self.low, -limit) <= value <= min(self.high, limit):
                return float(value)
        raise Misfit(str(self))


@dataclass(frozen=True)
class Choice(Shape):
    """One of some names, in any case; each with its other spellings."""

    names: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        return f"one of {', '.join(self.names)}"

    def read(self, value: Json) -> Json:
        if isinstance(value, str) and value.isascii():
            for name, others in self.names.items():
                if value.lower() in (name, *(other.lower() for other in others)):
                    return name
        raise Misfit(str(self))


@dataclass(frozen=True)
class ListOf(Shape):
    """A list."""

    inner: Shape

    def __str__(self) -> str:
        return f"a list, each item {self.inner}"

    def read(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.inner.read(item) for item in value]
        raise Misfit(str(self))


@dataclass(frozen=True)
class Optional(Shape):
    """A value or null."""

    inner: Shape

    def __str__(self) -> str:
        return f"{self.inner}, or null"

    def read(self, value: Json) -> Json:
        return None if value is None else self.inner.read(value)


@dataclass(frozen=True)
class Param:
    """A param of a node type."""

    name: str
    shape: Shape
    default: Json = None
    aliases: tuple[str, ...] = ()
    required: bool = False
    #: Canonical values that the native engine takes and the fallback does not.
    native_only: tuple[str, ...] = field(default=())


class Values:
    """The params of one node under their canonical names, complete with defaults."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = dict(values)

    def whole(self, name: str) -> int | None:
        """A whole number, or None."""
        return cast("int | None", self._values[name])

    def number(self, name: str) -> float | None:
        """A number, or None."""
        return cast("float | None", self._values[name])

    def amount(self, name: str) -> float:
        """A number that is always there."""
        return cast("float", self._values[name])

    def text(self, name: str) -> str:
        """A name."""
        return cast("str", self._values[name])

    def flag(self, name: str) -> bool | None:
        """True, false, or None."""
        return cast("bool | None", self._values[name])

    def names(self, name: str) -> list[str]:
        """A list of names."""
        return list(cast("list[str]", self._values[name]))

    def rows(self, name: str) -> list[list[float]] | None:
        """A list of lists of numbers, or None."""
        return cast("list[list[float]] | None", self._values[name])


def check(params: tuple[Param, ...], given: Mapping[str, Json], node_type: str) -> Values:
    """The params of a node; what the type does not have, or not so, is refused."""
    values: dict[str, Json] = {p.name: p.default for p in params}
    written: dict[str, str] = {}
    for key, value in given.items():
        param = next((p for p in params if key == p.name or key in p.aliases), None)
        if param is None:
            names = ", ".join(p.name for p in params)
            hint = f"its params are {names}" if names else "it takes no params"
            raise unfit(f"{node_type} has no param '{key}'", hint)
        if param.name in written:
            raise unfit(
                f"'{written[param.name]}' and '{key}' are the same param of {node_type}",
                f"keep '{param.name}' alone",
            )
        written[param.name] = key
        try:
            values[param.name] = read = param.shape.read(value)
        except Misfit as misfit:
            raise unfit(f"param '{key}' takes {misfit}; found {value!r}") from None
        if read in param.native_only:
            raise unfit(
                f"param '{key}': '{read}' is not supported by the Python fallback",
                "run the manifest with the native engine (leave runtime_hint out)",
            )
    for param in params:
        if param.required and param.name not in written:
            raise unfit(f"{node_type} needs the param '{param.name}'", f"give {param.shape}")
    return Values(values)
