"""Nodes that get a whole stream."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, cast

from ._running import asyncio_loop
from .errors import ConfigurationError, UnsupportedError


class Stream:
    """The stream of a node whose `process` gets all of it: items go in one by one, and each job
    waits until the node asks for the next."""

    def __init__(self, name: str, process: Callable[..., Any]) -> None:
        self._name = name
        self._process = process
        self._items: list[Any] = []
        self._ended = False
        self._task: asyncio.Task[None] | None = None
        self._more: asyncio.Event | None = None
        self._idle: asyncio.Event | None = None
        self._emit: Callable[[Any], None] = lambda _: None

    async def _source(self) -> AsyncIterator[Any]:
        more, idle = cast("asyncio.Event", self._more), cast("asyncio.Event", self._idle)
        while True:
            while self._items:
                yield self._items.pop(0)
            if self._ended:
                return
            idle.set()
            more.clear()
            await more.wait()

    async def _run(self) -> None:
        made = self._process(self._source())
        if not isinstance(made, AsyncGenerator):
            name = self._name
            if inspect.iscoroutine(made):
                made.close()
            raise ConfigurationError(
                f"{name}.is_streaming is True, so {name}.process must be an async generator: "
                "`async def process(self, stream): async for item in stream: yield ...`"
            )
        async for each in cast("AsyncGenerator[Any, Any]", made):
            self._emit(each)

    async def _until_idle(self, emit: Callable[[Any], None]) -> None:
        self._emit = emit
        if asyncio_loop() is None:
            raise UnsupportedError(
                f"{self._name}.is_streaming is True, and such nodes run under asyncio only: under "
                "trio give process() single items"
            )
        if self._task is None:
            self._more, self._idle = asyncio.Event(), asyncio.Event()
            self._task = asyncio.ensure_future(self._run())
        idle = asyncio.ensure_future(cast("asyncio.Event", self._idle).wait())
        await asyncio.wait({self._task, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        if self._task.done():
            task, self._task = self._task, None
            task.result()

    async def feed(self, data: Any, emit: Callable[[Any], None]) -> None:
        """One more item."""
        self._items.append(data)
        if self._task is not None:
            cast("asyncio.Event", self._idle).clear()
            cast("asyncio.Event", self._more).set()
        await self._until_idle(emit)

    async def finish(self, emit: Callable[[Any], None]) -> None:
        """No more items: everything that is still inside comes out."""
        if self._task is None and not self._items:
            return
        self._ended = True
        cast("asyncio.Event", self._idle).clear()
        cast("asyncio.Event", self._more).set()
        await self._until_idle(emit)
        self._ended = False

    async def forget(self) -> None:
        """Begins anew."""
        task, self._task, self._items = self._task, None, []
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
