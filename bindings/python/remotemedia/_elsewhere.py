"""Running coroutines where no loop of the caller's can."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from ._running import asyncio_loop


def run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
    """Runs something on a loop, and waits for it."""
    if asyncio_loop() is not None:
        # This thread's own loop is at work in the very call: another thread runs the other one.
        _Thread(lambda: loop.run_until_complete(work)).finish()
    else:
        loop.run_until_complete(work)


class _Thread(threading.Thread):
    """A thread that is waited for, and whose failure is its maker's."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._failure = error

    def finish(self) -> None:
        self.join()
        if self._failure is not None:
            raise self._failure
