"""Waiting for descriptors and running tasks on whatever event loop there is: asyncio (uvloop, too)
or trio, and with either anyio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from . import _running

if TYPE_CHECKING:
    # Its module can't be imported any more when the interpreter ends; nodes may be used then.
    from concurrent.futures import ThreadPoolExecutor


class Event(Protocol):
    """What coroutines of one loop wait for."""

    def set(self) -> None:
        """It has happened."""
        ...

    async def wait(self) -> Any:
        """Waits until it has happened."""
        ...


class Loop(Protocol):
    """What pipelines need of an event loop."""

    def is_here(self) -> bool:
        """Whether it is the one that runs in this thread."""
        ...

    def is_over(self) -> bool:
        """Whether it will not run any more."""
        ...

    def event(self) -> Event:
        """Something to wait for."""
        ...

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Awaits something to its end, even if the caller is cancelled meanwhile."""
        ...

    async def readable(self, fd: int, timeout: float | None) -> bool:
        """Waits until a descriptor is readable; false: time was up. It is always the same one,
        until `close`."""
        ...

    def wake(self) -> None:
        """Ends all these waits."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]]:
        """Runs something beside what runs; what is given back cancels it, and waits until it is
        over."""
        ...

    def watch(self, fd: int, call: Callable[[], None]) -> Callable[[], None]:
        """Calls `call` whenever a descriptor is readable; what is given back ends that."""
        ...

    async def in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        """Runs something on a thread."""
        ...

    def from_thread(self, call: Callable[[], object]) -> None:
        """Calls something on the loop, from another thread."""
        ...

    async def cancel_spawned(self) -> None:
        """Ends what was spawned."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Lets others run for so long."""
        ...

    def close(self) -> None:
        """Watches nothing any more. To be called on the loop, or when that is over."""
        ...


def current() -> Loop:
    """The loop that runs in this thread."""
    if (trio := _running.trio()) is not None:
        return Trio(trio)
    return Asyncio(asyncio.get_running_loop())


def let_go(loop: Loop) -> None:
    """Closes a loop's part of a pipeline that was forgotten while open, on whatever thread."""
    if loop.is_here() or loop.is_over():
        loop.close()
        return
    try:
        loop.from_thread(loop.close)
    except RuntimeError:
        # It has ended in between.
        loop.close()


def quiet(task: asyncio.Task[Any]) -> asyncio.Task[Any]:
    """A loop that is left in the middle is not to complain of tasks its user has not made."""
    if hasattr(task, "_log_destroy_pending"):
        task._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
    return task


class _Reader:
    """A descriptor that tasks of a loop of asyncio's wait for. The loop goes on watching it between
    two waits, which spares each of them two system calls, until it is readable and nobody waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        self._loop = loop
        # Its owner may close it while the loop still knows it.
        self._fd = os.dup(fd)
        self._is_watched = False
        #: The loop has seen it readable once more before those that were woken could take anything.
        self._was_seen = False
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self, timeout: float | None) -> bool:
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(future)
        if not self._is_watched:
            self._loop.add_reader(self._fd, self._ready)
            self._is_watched = True
        try:
            if timeout is None:
                await future
                return True
            done, _ = await asyncio.wait({future}, timeout=timeout)
            return bool(done)
        finally:
            self._waiting.remove(future)

    def _ready(self) -> None:
        if self._was_seen:
            # Were it news, the loop would say so again.
            self._was_seen = False
        elif self._waiting:
            self._was_seen = True
            self.wake()
        else:
            # It stays readable until somebody takes what there is, and would keep the loop awake.
            self._unwatch()

    def wake(self) -> None:
        """Ends all waits."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _unwatch(self) -> None:
        if self._is_watched and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._is_watched = self._was_seen = False

    def close(self) -> None:
        """Ends all waits, too."""
        self._unwatch()
        os.close(self._fd)
        self.wake()


class Asyncio:
    """asyncio, and what takes its place."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running = asyncio._get_running_loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._reader: _Reader | None = None
        #: What ends each watch.
        self._watches: list[Callable[[], None]] = []

    def is_here(self) -> bool:
        return self._running() is self._loop

    def is_over(self) -> bool:
        return self._loop.is_closed()

    def event(self) -> Event:
        return asyncio.Event()

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        task = quiet(self._loop.create_task(work))
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
        task.result()
        if cancelled is not None:
            raise cancelled

    async def readable(self, fd: int, timeout: float | None) -> bool:
        if self._reader is None:
            self._reader = _Reader(self._loop, fd)
        return await self._reader.wait(timeout)

    def wake(self) -> None:
        if self._reader is not None:
            self._reader.wake()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]]:
        task = quiet(self._loop.create_task(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

        async def stop() -> None:
            task.cancel()
            await asyncio.wait({task})

        return stop

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        # One that ends the program has left the loop already.
        if isinstance(error, Exception):
            message = "a task of a pipeline failed"
            self._loop.call_exception_handler(
                {"message": message, "exception": error, "task": task}
            )

    def watch(self, fd: int, call: Callable[[], None]) -> Callable[[], None]:
        mine = os.dup(fd)
        self._loop.add_reader(mine, call)
        is_watched = True

        def end() -> None:
            nonlocal is_watched
            if is_watched:
                is_watched = False
                if not self._loop.is_closed():
                    self._loop.remove_reader(mine)
                os.close(mine)

        async def watching() -> None:
            # A loop that ends cancels its tasks first: nothing is begun on it after that.
            try:
                await self._loop.create_future()
            finally:
                end()

        task = quiet(self._loop.create_task(watching()))

        def stop() -> None:
            # A task that has not begun would not come to its end.
            end()
            if not self._loop.is_closed():
                task.cancel()

        self._watches.append(stop)
        return stop

    async def in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        return await self._loop.run_in_executor(pool, work)

    def from_thread(self, call: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(call)

    async def cancel_spawned(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        for stop in self._watches:
            stop()


class Trio:
    """trio."""

    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._scopes: set[Any] = set()
        #: Those that wait for the descriptor.
        self._waits: set[Any] = set()
        #: What ends each watch.
        self._watches: list[Callable[[], None]] = []

    def is_here(self) -> bool:
        lowlevel = self._trio.lowlevel
        return lowlevel.in_trio_run() and lowlevel.current_trio_token() is self._token

    def is_over(self) -> bool:
        try:
            self._token.run_sync_soon(bool)
        except self._trio.RunFinishedError:
            return True
        return False

    def event(self) -> Event:
        return self._trio.Event()

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        with self._trio.CancelScope(shield=True):
            await work

    async def readable(self, fd: int, timeout: float | None) -> bool:
        # trio lets one task wait for a descriptor, so each has its own.
        mine = os.dup(fd)
        scope = self._trio.move_on_after(float("inf") if timeout is None else timeout)
        self._waits.add(scope)
        try:
            with scope:
                await self._trio.lowlevel.wait_readable(mine)
                return True
            return scope not in self._waits
        finally:
            self._waits.discard(scope)
            os.close(mine)

    def wake(self) -> None:
        waits, self._waits = self._waits, set()
        for scope in waits:
            scope.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]]:
        scope, over = self._trio.CancelScope(), self._trio.Event()
        self._scopes.add(scope)

        async def scoped() -> None:
            try:
                with scope:
                    await work
            except (SystemExit, KeyboardInterrupt):
                # Its job has failed with it, so that the call which waits raises it. Out of a task
                # of the system's it would be taken for trio's own fault.
                pass
            finally:
                self._scopes.discard(scope)
                over.set()

        async def stop() -> None:
            scope.cancel()
            await over.wait()

        self._trio.lowlevel.spawn_system_task(scoped)
        return stop

    def from_thread(self, call: Callable[[], object]) -> None:
        self._token.run_sync_soon(call)

    async def cancel_spawned(self) -> None:
        for scope in list(self._scopes):
            scope.cancel()
        while self._scopes:
            await self._trio.sleep(0)

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
        self._watches.append(scope.cancel)
        return scope.cancel

    async def in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        return await self._trio.to_thread.run_sync(work)

    async def sleep(self, seconds: float) -> None:
        await self._trio.sleep(seconds)

    def close(self) -> None:
        # Over, its tasks have ended with it.
        if not self.is_over():
            self.wake()
            for stop in self._watches:
                stop()
