"""Whether the native engine is there."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

#: What `runtime_hint` may be.
HINTS = ("auto", "rust", "python")

_warned = False


def try_load_rust_runtime() -> tuple[bool, ModuleType | None, str | None]:
    """(True, the native module, None), or (False, None, why not)."""
    try:
        return True, importlib.import_module("remotemedia._native"), None
    except ImportError as error:
        return False, None, str(error)


def is_rust_runtime_available() -> bool:
    """Whether the native engine can be used. Warns once where it can't."""
    global _warned
    found, _, why = try_load_rust_runtime()
    if not found and not _warned:
        _warned = True
        warnings.warn(
            f"the native engine can't be imported ({why}): only the NumPy fallback is there",
            UserWarning,
            stacklevel=2,
        )
    return found


def get_rust_runtime() -> ModuleType | None:
    """The native module; None where it can't be imported."""
    return try_load_rust_runtime()[1]
