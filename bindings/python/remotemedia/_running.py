"""Which event loop runs in this thread. Nothing is imported to find out: a loop that runs has its
library imported."""

from __future__ import annotations

import sys
from typing import Any


def asyncio_loop() -> Any | None:
    """asyncio's (or uvloop's) loop, if one runs."""
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()


def trio() -> Any | None:
    """The module trio, if its loop runs."""
    module = sys.modules.get("trio")
    return module if module is not None and module.lowlevel.in_trio_run() else None


def in_a_loop() -> bool:
    """Whether an event loop, of either, runs."""
    return asyncio_loop() is not None or trio() is not None
