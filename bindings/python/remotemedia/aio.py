"""Pipelines for asyncio, trio and anyio."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, Self

from ._async import Async
from ._native import Packet
from ._place import fill, place


class AsyncPipeline(Async):
    """A pipeline whose waits are awaited.

        async with AsyncPipeline("voice.yaml") as pipeline:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pipeline.feed(microphone(), rate=48_000))
                async for packet in pipeline:
                    await websocket.send_bytes(packet)

    It lives on one event loop. A call that is cancelled loses nothing: a packet is taken in the
    last step of a pull, and a push that has not ended has pushed nothing. Nodes of the engine run
    in these calls, unless the manifest places them on threads, which is right for all that takes
    long. Coroutines of Python nodes are tasks of the loop, plain functions run on threads.
    """

    @classmethod
    def _of(cls, other: Async) -> AsyncPipeline:
        """The async form of a pipeline that is not open."""
        made = cls(name=other.name, enable_metrics=other.enable_metrics)
        made._source = other._source
        made._memory_limit, made._untrusted = other._memory_limit, other._untrusted
        return made

    def _serve(self, seconds: float) -> bool:
        # Jobs are taken on the loop.
        return False

    async def open(self) -> Self:
        """Opens it now: validates the manifest, makes and initializes all nodes."""
        await self._open_async(again=True)
        return self

    async def push(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, data: Any, port: str | None = None, *, timeout: float | None = None, **options: Any
    ) -> None:
        """As `Pipeline.push`, waiting for room up to `timeout` seconds: it looks for it every 0.5
        to 20 ms. For ever, if nobody pulls."""
        await self._push_async(data, port, timeout, options)

    async def pull(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, port: str | None = None, timeout: float | None = None
    ) -> Packet | None:
        """The next packet; None at the end, and with `timeout=0` when there is none now."""
        return await self._pull_async(port, timeout)

    async def pull_into(
        self, out: Any, port: str | None = None, timeout: float | None = None
    ) -> int | None:
        """As `Pipeline.pull_into`."""
        target = place(out)
        packet = await self.pull(port, timeout)
        return None if packet is None else fill(target, packet)

    async def feed(
        self, items: Iterable[Any] | AsyncIterable[Any], port: str | None = None, **options: Any
    ) -> None:
        """Pushes all items, then ends the input."""
        if isinstance(items, AsyncIterable):
            async for item in items:
                await self.push(item, port, **options)
        else:
            for item in items:
                await self.push(item, port, **options)
        self.end(port)

    async def close(self, timeout: float | None = None) -> str:
        """As `Pipeline.close`."""
        return await self._close_async(timeout)

    async def __aiter__(self) -> AsyncIterator[Packet]:
        """Packets as they come, until the end."""
        while (packet := await self.pull()) is not None:
            yield packet

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            await self.close()
        else:
            self.cancel()
            await self._shut_async()
