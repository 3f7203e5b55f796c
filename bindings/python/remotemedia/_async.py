"""What async pipelines do: try, and wait for the engine's descriptor where that gives nothing.

A packet is taken in the last step of a wait, with nothing awaited after it, so that a call that is
cancelled has taken none.
"""

from __future__ import annotations

import math
import time
import weakref
from typing import TYPE_CHECKING, Any

from ._base import Base
from ._log import LOG
from ._native import Packet
from .errors import BackpressureError, Interrupted, PullTimeout, StateError

if TYPE_CHECKING:
    from . import _loop
    from ._host import Host
    from ._server import Server

#: Seconds between two tries where nothing tells of a change: at first, and at most.
_SHORTEST, _LONGEST = 0.0005, 0.02
#: Wakes that may bring nothing, before a pull waits a while between two of them.
_IN_VAIN = 3
#: Calls after which other tasks get a turn.
_CALLS = 32


def _deadline(timeout: float | None) -> float | None:
    """When a wait of so many seconds ends."""
    if timeout is None:
        return None
    if math.isnan(timeout):
        raise ValueError("timeout is not a number; give seconds, or None")
    return time.monotonic() + timeout


class Async(Base):
    """A pipeline's calls for event loops."""

    _server: Server | None = None
    _on: _loop.Loop | None = None
    #: Closes that when the pipeline is gone.
    _forgotten: weakref.finalize[Any, Any]
    #: A task initializes the nodes.
    _starting = False
    _calls = 0

    def _loop_here(self) -> _loop.Loop:
        """The loop that this pipeline lives on: the first that it was used on, as long as that
        runs."""
        on = self._on
        if on is not None and on.is_here():
            return on
        if on is not None and not on.is_over():
            raise StateError(
                "the pipeline lives on another event loop, which still runs: use it there, or make "
                "one pipeline for each loop"
            )
        # What only pipelines on loops need is imported here: importing asyncio takes a while.
        from . import _loop

        self._off_loop()
        on = self._on = _loop.current()
        # A pipeline that is forgotten while open is not to stay for as long as its loop.
        self._forgotten = weakref.finalize(self, _loop.let_go, on)
        self._forgotten.atexit = False
        if self._server is not None:
            self._server.move(on)
        return on

    def _off_loop(self) -> None:
        """Leaves the loop."""
        on, self._on = self._on, None
        if on is not None:
            self._forgotten.detach()
            on.close()

    def _serve_here(self, host: Host) -> Server:
        """Has the jobs of Python nodes done on this loop."""
        from ._server import Server

        return Server(host, self._loop_here())

    def _is_at_home(self) -> bool:
        """Whether it is open and lives on the loop that runs: then there is nothing to do first."""
        on = self._on
        return on is not None and self._is_open and not self._starting and on.is_here()

    async def _open_async(self, again: bool = False) -> None:
        if self.is_initialized:
            if self._on is not None:
                # Another loop is told so.
                self._loop_here()
            if self._host is not None and self._server is None:
                # It was opened where no loop ran: its jobs are this loop's from now on.
                self._server = self._serve_here(self._host)
            await self._initialized()
            return
        if self._is_open and not again:
            # What it came to is told by the call that asks.
            return
        if self._host is not None:
            # Of a run that failed.
            await self._shut_async(quiet=True)
        self._make()
        if self._host is None:
            return
        self._server = self._serve_here(self._host)
        self._starting = True
        try:
            await self._server.start()
        except BaseException:
            self.cancel()
            await self._shut_async(quiet=True)
            raise
        finally:
            self._starting = False

    async def _wait(self, deadline: float | None) -> bool:
        """Waits until something has changed since a pull found nothing. False: time was up."""
        # Events that nobody takes would keep the descriptor readable.
        self._collect()
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return False
        return await self._loop_here().readable(self.fileno(), left)

    async def _pause(self, seconds: float) -> float:
        """Lets others run for so long; how long to do so the next time."""
        await self._loop_here().sleep(seconds)
        return min(2 * seconds, _LONGEST)

    async def _push_async(
        self, data: Any, port: str | None, timeout: float | None, options: dict[str, Any]
    ) -> None:
        if not self._is_at_home():
            await self._open_async()
        packet = self._packet(data, port, **options)
        self._calls += 1
        if not self._calls % _CALLS:
            await self._loop_here().sleep(0)
        deadline = None if timeout is None else _deadline(timeout)
        pause = _SHORTEST
        while (reason := self._offer(packet, port)) is not None:
            if reason == "interrupted":
                raise Interrupted(
                    "an interrupt came while the packet waited for room; push it again"
                )
            if deadline is not None and time.monotonic() >= deadline:
                raise BackpressureError(
                    "the input stayed full for as long as the push was to wait: pull what has come "
                    "to the outputs, or give a longer timeout"
                )
            # Room comes by pulls of other tasks, which no descriptor tells of.
            pause = await self._pause(pause)

    async def _pull_async(self, port: str | None, timeout: float | None) -> Packet | None:
        if not self._is_at_home():
            await self._open_async()
        self._calls += 1
        if not self._calls % _CALLS:
            await self._loop_here().sleep(0)
        deadline = None if timeout is None else _deadline(timeout)
        pause, in_vain = _SHORTEST, 0
        while True:
            taken = self._take_awake(port)
            if isinstance(taken, Packet):
                return taken
            reason, about = taken
            if reason == "end":
                return None
            if reason == "full":
                if deadline is not None and time.monotonic() >= deadline:
                    raise BackpressureError(
                        f"the output '{about}' is full, and nothing more comes here before it is "
                        "pulled"
                    )
                # Another task may be about to pull there, which no descriptor tells of.
                pause = await self._pause(pause)
                continue
            if not await self._wait(deadline):
                if timeout is not None and timeout <= 0:
                    return None
                raise PullTimeout("no packet came within the timeout; pull again")
            in_vain += 1
            if in_vain > _IN_VAIN:
                # What waits at other outputs keeps the descriptor readable.
                pause = await self._pause(pause)

    def _take_awake(self, port: str | None) -> Any:
        """As `_take`. That it is over, the descriptor says once: it is for all that wait."""
        try:
            taken = self._take(port)
        except BaseException:
            self._wake()
            raise
        if not isinstance(taken, Packet) and taken[0] == "end":
            self._wake()
        return taken

    def _wake(self) -> None:
        if self._on is not None and self._on.is_here():
            self._on.wake()

    async def _close_async(self, timeout: float | None) -> str:
        self._enter()
        deadline = _deadline(timeout)
        try:
            if (closed := self._closed_before()) is not None:
                return closed
            if self.state == "failed":
                return self._close(0)
            self.end()
            while True:
                taken = self._take_awake(None)
                if isinstance(taken, Packet):
                    continue
                if taken[0] == "end":
                    return self._close(0)
                if not await self._wait(deadline):
                    return self._close(0)
        except BaseException:
            # Whoever closes again is not to wait for what nobody does any more.
            self.cancel()
            raise
        finally:
            await self._shut_async()

    async def _initialized(self) -> None:
        """Waits until another task, which opens it, has initialized the nodes."""
        while self._starting:
            await self._loop_here().sleep(0.001)

    def _leave_loop(self) -> None:
        """Jobs are taken in calls from now on."""
        self._server = None
        self._off_loop()

    async def _shut_async(self, quiet: bool = False) -> None:
        """Keeps what is to be seen, and cleans the nodes up. `quiet`: another failure is on its
        way to the caller."""
        self._before_end()
        host, self._host = self._host, None
        server, self._server = self._server, None
        try:
            if server is not None:
                await self._loop_here().finish(server.stop())
            elif host is not None:
                host.stop()
        except Exception as error:
            if not quiet:
                raise
            LOG.warning("%s: %s", self.name, error)
        finally:
            self._off_loop()

    def _start(self) -> None:
        raise StateError("the pipeline is not open: `async with` it, or await a call of it first")
