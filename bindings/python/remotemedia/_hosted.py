"""A node written in Python that lives: what it is called with, and what its calls come to."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from ._native import Job, Packet
from ._passed import Passed
from ._stream import Stream
from ._values import value

if TYPE_CHECKING:
    from . import _loop


class Hosted:
    """A node that lives: the object, and what was done with it."""

    def __init__(self, node: Any, ports: tuple[list[str], list[str]]) -> None:
        self.node = node
        self.inputs, self.outputs = ports
        self.initialized = False
        #: Initializing is for one thread; and coroutines wait for one that is at it.
        self.starting = threading.Lock()
        self.is_starting = False
        self.waiting: list[_loop.Event] = []
        self.failure: Exception | None = None
        process = getattr(node, "process", node)
        self._process: Callable[..., Any] = process
        self.is_async = _is_async(node, process)
        self._takes_port = _takes_port(process)
        self._wants_packets = _wants_packets(getattr(node, "function", process))
        #: What has gone through it, for what comes out at its end.
        self.passed = Passed()
        self.stream = (
            Stream(type(node).__name__, process) if getattr(node, "is_streaming", False) else None
        )

    def call(self, job: Job, emit: Callable[[Any], None]) -> Awaitable[None] | None:
        """Does what a job asks for. What is to be awaited, if anything is."""
        match job.kind:
            case "process":
                packet = cast("Packet", job.packet)
                data = packet if self._wants_packets else value(packet)
                if self.stream is not None:
                    return self.stream.feed(data, emit)
                port = {"port": self.inputs[job.port]} if self._takes_port else {}
                return _emitted(self._process(data, **port), emit)
            case "drain":
                if self.stream is not None:
                    return self.stream.finish(emit)
                flush = getattr(self.node, "flush", None) or getattr(self.node, "drain", None)
                return _emitted(flush(), emit) if flush else None
            case "reset":
                self.passed.forget()
                if self.stream is not None:
                    return self.stream.forget()
                reset = getattr(self.node, "reset", None)
                return _emitted(reset(), emit) if reset else None
            case "params":
                set_params = getattr(self.node, "set_params", None)
                if set_params is not None:
                    set_params(json.loads(job.params))
                return None
            case _:
                return None


def _is_async(node: Any, process: Callable[..., Any]) -> bool:
    if getattr(node, "is_streaming", False) or getattr(node, "is_async", False):
        return True
    return inspect.iscoroutinefunction(process) or inspect.isasyncgenfunction(process)


def _takes_port(process: Callable[..., Any]) -> bool:
    try:
        return "port" in inspect.signature(process).parameters
    except (TypeError, ValueError):
        return False


def _wants_packets(process: Callable[..., Any]) -> bool:
    """Whether the first argument is said to be a Packet."""
    try:
        first = next(iter(inspect.signature(process).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    said = first.annotation if first else None
    return said is Packet or (isinstance(said, str) and said.split(".")[-1] == "Packet")


def _emitted(result: Any, emit: Callable[[Any], None]) -> Awaitable[None] | None:
    """Hands over what a call gave; what must be awaited for it is given back."""
    if isinstance(result, Generator):
        for each in cast("Generator[Any, Any, Any]", result):
            emit(each)
        return None
    if isinstance(result, AsyncGenerator):
        return _drained(cast("AsyncGenerator[Any, Any]", result), emit)
    if inspect.isawaitable(result):
        return _awaited(result, emit)
    emit(result)
    return None


async def _awaited(result: Awaitable[Any], emit: Callable[[Any], None]) -> None:
    rest = _emitted(await result, emit)
    if rest is not None:
        await rest


async def _drained(results: AsyncGenerator[Any, Any], emit: Callable[[Any], None]) -> None:
    async for each in results:
        emit(each)
