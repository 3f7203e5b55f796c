"""Packages whose names are imported when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazily(
    package: dict[str, Any], places: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package (its `globals()`), whose modules have
    these names."""
    where = {name: place for place, names in places.items() for name in names}
    own, listed = package["__name__"], sorted(where)

    def get(name: str) -> Any:
        place = where.get(name)
        if place is None:
            raise AttributeError(f"module {own!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f".{place}", own), name)
        package[name] = found
        return found

    return get, lambda: sorted({*package, *listed}), listed
