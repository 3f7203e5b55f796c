"""What node types there are, and what is wrong with a manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import _manifest
from ._native import Engine
from ._node import registered
from .errors import Problem, RemoteMediaError


def _engine() -> Engine:
    """An engine that knows the registered types."""
    types = list(registered().values())
    if not types:
        return Engine.default()
    from ._host import Host

    return Host(types).engine


def node_types() -> list[dict[str, Any]]:
    """The node types of the engine and those registered by `remotemedia.node`: name, ports, params
    with types, ranges, defaults and units."""
    return _engine().nodes()


def validate(manifest: Mapping[str, Any] | str | os.PathLike[str]) -> list[Problem]:
    """Everything that is wrong in a manifest: a dict, the text, or the path of a file."""
    source = _manifest.source([manifest], None)
    text = (
        source.text if source.text is not None else _manifest.read(source.path or source.name or "")
    )
    try:
        report = _engine().validate(text)
    except RemoteMediaError as error:
        # It is no JSON or YAML at all.
        if not error.report.get("problems"):
            raise
        report = error.report
    return [Problem.of(problem) for problem in report["problems"]]
