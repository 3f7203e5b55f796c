"""JSON as the engine takes it."""

from __future__ import annotations

import json
from typing import Any, cast


def _plain(value: object) -> object:
    """NumPy's scalars and arrays as Python's; anything else is no JSON."""
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return cast("Any", tolist())
    if isinstance(value, (set, frozenset, tuple)):
        return list(cast("Any", value))
    raise TypeError(
        f"a {type(value).__name__} can't be pushed: it is no array, text, bytes or JSON value; "
        "give one of these, or a remotemedia.Packet"
    )


def dumps(value: object) -> str:
    """The text of a JSON value. NaN and infinities are refused."""
    return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False)
