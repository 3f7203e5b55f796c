"""Nodes that apply a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._node import Node
from ..errors import ConfigurationError

__all__ = ["DataTransform", "DataTransformNode", "TextTransformNode"]


_TEXT = {"in": {"kinds": ["text"]}}


def checked(node: str, argument: str, function: Any) -> Callable[[Any], Any]:
    """The function that a node needs."""
    if not callable(function):
        what = "none was given" if function is None else f"{function!r} is none"
        raise ConfigurationError(f"{node} needs a function, {argument}=...: {what}")
    return function


class TextTransformNode(Node):
    """Text through `transform_func(text) -> text`, plain or async. What is no text is an error."""

    inputs = _TEXT

    def __init__(self, transform_func: Callable[[str], Any], *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.transform_func = checked(type(self).__name__, "transform_func", transform_func)

    def process(self, data: str) -> Any:
        """One text."""
        return self.transform_func(data)


class DataTransform(Node):
    """Items through `function(item)`, which may be async; see `remotemedia.Node.process`."""

    def __init__(
        self, function: Callable[[Any], Any] | None = None, *, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.function = checked(type(self).__name__, "function", function)

    def process(self, data: Any) -> Any:
        """One item."""
        return self.function(data)


class DataTransformNode(DataTransform):
    """The same as `DataTransform`."""
