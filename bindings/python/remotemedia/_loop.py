"""Waiting for descriptors and running tasks on whatever event loop there is: asyncio (uvloop, too)
or trio, and with either anyio."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol


class Loop(Protocol):
    """What pipelines need of an event loop."""

    async def readable(self, fd: int, timeout: float | None) -> bool:
        """Waits until a descriptor is readable; false: time was up."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something beside what runs."""
        ...

    def watch(self, fd: int, call: Callable[[], None]) -> Callable[[], None]:
        """Calls `call` whenever a descriptor is readable; what is given back ends that."""
        ...

    async def in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        """Runs something on a thread."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Lets others run for so long."""
        ...


def current() -> Loop:
    """The loop that runs in this thread."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return Trio(trio)
    return Asyncio(asyncio.get_running_loop())


class Asyncio:
    """asyncio, and what takes its place."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        #: Who waits for a descriptor: a loop takes one reader for each.
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    async def readable(self, fd: int, timeout: float | None) -> bool:
        future: asyncio.Future[None] = self._loop.create_future()
        waiting = self._waiting.setdefault(fd, [])
        waiting.append(future)
        if len(waiting) == 1:
            self._loop.add_reader(fd, self._ready, fd)
        try:
            if timeout is None:
                await future
                return True
            done, _ = await asyncio.wait({future}, timeout=timeout)
            return bool(done)
        finally:
            self._forget(fd, future)

    def _ready(self, fd: int) -> None:
        for future in self._waiting.get(fd, ()):
            if not future.done():
                future.set_result(None)

    def _forget(self, fd: int, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(fd)
        if waiting is not None and future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._waiting[fd]
                self._loop.remove_reader(fd)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def watch(self, fd: int, call: Callable[[], None]) -> Callable[[], None]:
        self._loop.add_reader(fd, call)

        def stop() -> None:
            if not self._loop.is_closed():
                self._loop.remove_reader(fd)

        return stop

    async def in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        return await self._loop.run_in_executor(pool, work)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Trio:
    """trio."""

    def __init__(self, trio: Any) -> None:
        self._trio = trio

    async def readable(self, fd: int, timeout: float | None) -> bool:
        # trio lets one task wait for a descriptor, so each has its own.
        mine = os.dup(fd)
        try:
            with self._trio.move_on_after(float("inf") if timeout is None else timeout):
                await self._trio.lowlevel.wait_readable(mine)
                return True
            return False
        finally:
            os.close(mine)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._trio.lowlevel.spawn_system_task(_started, work)

    def watch(self, fd: int, call: Callable[[], None]) -> Callable[[], None]:
        mine = os.dup(fd)
        scope = self._trio.CancelScope()

        async def watching() -> None:
            try:
                with scope:
                    while True:
                        await self._trio.lowlevel.wait_readable(mine)
                        call()
                        # The descriptor stays readable while threads are at it.
                        await self._trio.lowlevel.checkpoint()
            finally:
                os.close(mine)

        self.spawn(watching())
        return scope.cancel

    async def in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        return await self._trio.to_thread.run_sync(work)

    async def sleep(self, seconds: float) -> None:
        await self._trio.sleep(seconds)


async def _started(work: Awaitable[None]) -> None:
    await work
