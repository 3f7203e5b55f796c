"""Nodes for numbers."""

from __future__ import annotations

from typing import Any

from .._manifest import NativeNode

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


class CalculatorNode(NativeNode):
    """`{"operation": "add", "operands": [1, 2]}` to the same with its `result`; `args` for
    `operands`, too. With `operation` and `operand` it takes plain numbers.

    Operations: add, subtract, multiply, divide, power, modulo, from the left. What is no such
    thing, and a division by zero, is an error of the node.
    """

    def __init__(self, *, name: str | None = None, **params: Any) -> None:
        super().__init__("CalculatorNode", {}, name=name, **params)
