"""Nodes for numbers."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from .._manifest import NativeNode
from .._node import Node, node

__all__ = ["AddNode", "CalculatorNode", "MultiplyNode"]


class MultiplyNode(NativeNode):
    """Numbers, and arrays of them, times `factor`; earlier manifests call it `multiplier`."""

    def __init__(
        self, factor: float | None = None, *, name: str | None = None, **params: Any
    ) -> None:
        own = {} if factor is None else {"factor": factor}
        super().__init__("MultiplyNode", own, name=name, **params)


class AddNode(NativeNode):
    """Numbers, and arrays of them, plus `addend`."""

    def __init__(self, addend: float = 0.0, *, name: str | None = None, **params: Any) -> None:
        super().__init__("AddNode", {"addend": addend}, name=name, **params)


_JSON = {"in": {"kinds": ["json"]}}
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "modulo": operator.mod,
}


@node("CalculatorNode", kind="json")
class CalculatorNode(Node):
    """`{"operation": "add", "args": [1, 2]}` to the same with its `result`; `operands` for `args`,
    too.

    Operations: add, multiply, subtract, divide, power, modulo, of two or more numbers, from the
    left. What is no such thing, and a division by zero, is an error of the node.
    """

    inputs = _JSON

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name=name)

    def process(self, data: Any) -> dict[str, Any]:
        """One calculation."""
        if not isinstance(data, Mapping):
            raise TypeError(f'not an object {{"operation": …, "args": […]}}: {data!r}')
        given = cast("Mapping[str, Any]", data)
        word = given.get("operation")
        operation = _OPERATIONS.get(word) if isinstance(word, str) else None
        if operation is None:
            raise ValueError(f"operation {word!r} is none of {', '.join(_OPERATIONS)}")
        key = "operands" if "operands" in given else "args"
        numbers = _numbers(key, given.get(key))
        result = functools.reduce(operation, numbers)
        processed_by = f"CalculatorNode[{self.name}]"
        return {"operation": word, key: numbers, "result": result, "processed_by": processed_by}


def _numbers(key: str, given: Any) -> list[Any]:
    listed = cast("list[Any]", given) if isinstance(given, Sequence) else []
    right = all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in listed)
    if len(listed) < 2 or not right:
        raise ValueError(f"{key} must be two or more numbers, not {given!r}")
    return listed
