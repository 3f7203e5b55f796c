"""MultiplyNode and AddNode: arithmetic on JSON numbers.

Equal to the engine: whole numbers stay whole where the operand is whole and the result fits in 64
bits; else numbers are float64.
"""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from .errors import unfit
from .node import Emissions, Node
from .values import Item, Json, Value, kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from .params import Values


class Arithmetic(Node):
    """Works on a number, or on every number of a (nested) list."""

    def __init__(self, operand: float, act: Callable[[float, float], float]) -> None:
        self._operand = operand
        self._act = act
        whole = operand == math.floor(operand) and abs(operand) <= 2**53
        self._whole = int(operand) if whole else None

    def process(self, item: Item) -> Emissions:
        if not isinstance(item, Value) or item.kind != "json":
            raise _no_number(kind(item))
        return [(0, replace(item, payload=self._map(cast("Json", item.payload))))]

    def _map(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self._map(inner) for inner in value]
        if isinstance(value, bool):
            raise _no_number("true or false")
        if isinstance(value, (int, float)):
            return self._number(value)
        raise _no_number(
            {type(None): "null", str: "a string", dict: "an object"}.get(type(value), "that")
        )

    def _number(self, number: int | float) -> int | float:
        if self._whole is not None and isinstance(number, int):
            result = self._act(number, self._whole)
            if -(2**63) <= result < 2**64:
                return result
        result = self._act(float(number), self._operand)
        if not math.isfinite(result):
            raise unfit(
                f"the result of {number} and {self._operand} is too large for a number",
                "give smaller numbers",
            )
        return result


def multiply(params: Values) -> Node:
    """MultiplyNode."""
    return Arithmetic(params.amount("factor"), operator.mul)


def add(params: Values) -> Node:
    """AddNode."""
    return Arithmetic(params.amount("addend"), operator.add)


def _no_number(found: str) -> Exception:
    return unfit(f"the node takes a number, not {found}", "give a JSON number, or a list of them")
