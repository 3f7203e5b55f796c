"""What classes over the engine's nodes have in common."""

from __future__ import annotations

import os
from typing import Any

from .._detect import HINTS
from ..errors import ConfigurationError, UnsupportedError


def check_hint(node: str, hint: str) -> None:
    """Refuses a `runtime_hint` that a single node can't follow: it is the engine's, always."""
    if hint not in HINTS:
        raise ConfigurationError(f"{node}: runtime_hint={hint!r} is none of {', '.join(HINTS)}")
    if hint == "python":
        raise UnsupportedError(
            f"{node}: runtime_hint='python' is for whole pipelines: "
            "`Pipeline.from_yaml(path, runtime_hint='python')`, or `run(..., use_rust=False)`"
        )


def only(node: str, **given: Any) -> Any:
    """The one argument that is given, of several names for it."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        listed = " or ".join(f"{name}=" for name in given)
        what = f"both {' and '.join(names)}" if names else "none"
        raise ConfigurationError(f"{node} takes {listed}, exactly one; it got {what}")
    return given[names[0]]


def text_of(path: str | os.PathLike[str]) -> str:
    """A path as the engine takes it."""
    return os.fspath(path)


def without_none(**params: Any) -> dict[str, Any]:
    """The params that are given."""
    return {name: value for name, value in params.items() if value is not None}
