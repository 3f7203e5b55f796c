"""Nodes that get a whole stream."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from . import _loop
from ._log import LOG
from .errors import ConfigurationError


class Stream:
    """The stream of a node whose `process` gets all of it: items go in one by one, and each job
    waits until the node asks for the next. A node that returns before the end has ended its
    output: what still comes is dropped."""

    def __init__(self, name: str, process: Callable[..., Any]) -> None:
        self._name = name
        self._process = process
        self._items: list[Any] = []
        self._ended = False
        #: `process` has returned.
        self._returned = False
        self._loop: _loop.Loop | None = None
        #: Ends the task that runs `process`; None: none does.
        self._stop: Callable[[], Awaitable[None]] | None = None
        self._more: _loop.Event | None = None
        self._idle: _loop.Event | None = None
        self._failure: Exception | None = None
        #: What takes outputs; None: no job is under way, and they wait for the next one.
        self._emit: Callable[[Any], None] | None = None
        self._held: list[Any] = []

    async def _source(self) -> AsyncIterator[Any]:
        while True:
            while self._items:
                yield self._items.pop(0)
            if self._ended:
                return
            more = self._more = cast("_loop.Loop", self._loop).event()
            self._rest()
            await more.wait()

    async def _run(self) -> None:
        try:
            await self._all()
            self._returned = True
        except Exception as error:
            self._failure = error
        finally:
            self._stop = None
            self._rest()

    async def _all(self) -> None:
        made = self._process(self._source())
        if not isinstance(made, AsyncGenerator):
            name = self._name
            if inspect.iscoroutine(made):
                made.close()
            raise ConfigurationError(
                f"{name}.is_streaming is True, so {name}.process must be an async generator: "
                "`async def process(self, stream): async for item in stream: yield ...`"
            )
        async with aclosing(cast("AsyncGenerator[Any, Any]", made)) as results:
            async for each in results:
                if self._emit is None:
                    self._held.append(each)
                else:
                    self._emit(each)

    def _rest(self) -> None:
        """The job need not wait any more."""
        if self._idle is not None:
            self._idle.set()

    async def _until_idle(self, emit: Callable[[Any], None]) -> None:
        if self._loop is None or not self._loop.is_here():
            self._loop = _loop.current()
        self._give_held(emit)
        self._emit, idle = emit, self._loop.event()
        self._idle = idle
        if self._stop is None:
            self._stop = self._loop.spawn(self._run())
        elif self._more is not None:
            self._more.set()
        try:
            await idle.wait()
        finally:
            self._emit = None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _give_held(self, emit: Callable[[Any], None]) -> None:
        held, self._held = self._held, []
        for each in held:
            emit(each)

    async def feed(self, data: Any, emit: Callable[[Any], None]) -> None:
        """One more item."""
        if self._returned:
            LOG.debug("%s has ended its stream: an item is dropped", self._name)
            return
        self._items.append(data)
        await self._until_idle(emit)

    async def finish(self, emit: Callable[[Any], None]) -> None:
        """No more items: everything that is still inside comes out."""
        if self._stop is not None or self._items:
            self._ended = True
            try:
                await self._until_idle(emit)
            finally:
                self._ended = False
        self._give_held(emit)
        self._items, self._returned = [], False

    async def forget(self) -> None:
        """Begins anew."""
        stop, self._stop, self._items, self._held = self._stop, None, [], []
        if stop is not None and self._loop is not None and self._loop.is_here():
            await stop()
        self._failure, self._returned = None, False
