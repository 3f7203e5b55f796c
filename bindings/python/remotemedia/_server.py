"""Runs a pipeline's Python nodes on an event loop: coroutines as its tasks, plain functions on
threads."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from . import _loop
from ._host import Host
from ._native import Job


class Server:
    """Takes the jobs of a pipeline's Python nodes on an event loop."""

    def __init__(self, host: Host, loop: _loop.Loop) -> None:
        self._host = host
        self._loop = loop
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="remotemedia-node")
        #: Work of threads that has not ended.
        self._running: set[Future[None]] = set()
        self._stop = self._watch(loop)

    def _watch(self, loop: _loop.Loop) -> Callable[[], None]:
        # The loop must not keep what nobody uses any more.
        looks = weakref.WeakMethod(self._look)

        def look() -> None:
            if (call := looks()) is not None:
                call()

        return loop.watch(self._host.engine.fileno(), look)

    def move(self, loop: _loop.Loop) -> None:
        """Goes on on another loop, when the first is no more."""
        self._loop, self._stop = loop, self._watch(loop)

    async def start(self) -> None:
        """Initializes the nodes that were given as objects."""
        for hosted in self._host.given():
            await self._call(hosted.is_async, lambda hosted=hosted: self._host.initialize(hosted))

    async def stop(self) -> None:
        """Takes no more jobs, and cleans the nodes up, last one first."""
        self._stop()
        # No node is cleaned up while it is at work.
        running = set(self._running)
        await self._loop.in_thread(self._pool, lambda: wait(running))
        await self._loop.cancel_spawned()
        failure: BaseException | None = None
        for hosted in self._host.living():
            try:
                await self._call(hosted.is_async, lambda hosted=hosted: self._host.cleanup(hosted))
            except Exception as error:
                failure = failure or error
        self._pool.shutdown(wait=False)
        if failure is not None:
            raise failure

    async def _call(self, on_loop: bool, work: Callable[[], Awaitable[Any] | None]) -> None:
        """Runs something of a node: coroutines on the loop, plain functions on a thread."""
        rest = work() if on_loop else await self._loop.in_thread(self._pool, work)
        if rest is not None:
            await rest

    def _look(self) -> None:
        while (job := self._host.take()) is not None:
            if self._host.is_async(job):
                self._loop.spawn(self._do(job))
                continue
            work = self._pool.submit(self._on_thread, job)
            self._running.add(work)
            work.add_done_callback(self._running.discard)

    async def _do(self, job: Job) -> None:
        # Begun here, so that a task that is cancelled before it begins leaves nothing behind.
        rest = self._host.run(job)
        if rest is not None:
            await rest

    def _on_thread(self, job: Job) -> None:
        rest = self._host.run(job)
        if rest is not None:
            # A plain function that gives something to be awaited.
            self._loop.from_thread(lambda: self._loop.spawn(_awaited(rest)))


async def _awaited(rest: Awaitable[Any]) -> None:
    await rest
