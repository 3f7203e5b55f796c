"""Runs the nodes of a pipeline that are written in Python: takes the engine's jobs, calls the
node, and hands over what comes of it.

A pipeline with such nodes has an engine of its own, so that its jobs are nobody else's. In a sync
pipeline they run inside its calls, on the thread that makes them; coroutines there run on a loop of
the pipeline's own. In an async pipeline coroutines are tasks of the caller's loop, and plain
functions run on threads, so that none of them holds up the loop or another node.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, cast

from ._native import Engine, Job, Packet
from ._node import Done, NodeType, Output
from ._values import value
from .errors import ConfigurationError, NodeError

_NS = 1_000_000_000


class Hosted:
    """A node that lives: the object, and what was done with it."""

    def __init__(self, node: Any, ports: tuple[list[str], list[str]]) -> None:
        self.node = node
        self.inputs, self.outputs = ports
        self.initialized = False
        process = getattr(node, "process", node)
        self._process: Callable[..., Any] = process
        self.is_async = _is_async(node, process)
        self._takes_port = _takes_port(process)
        self._wants_packets = _wants_packets(getattr(node, "function", process))
        self.stream = Stream(self) if getattr(node, "is_streaming", False) else None

    def call(self, job: Job, emit: Callable[[Any], None]) -> Awaitable[None] | None:
        """Does what a job asks for. What is to be awaited, if anything is."""
        match job.kind:
            case "process":
                packet = cast("Packet", job.packet)
                data = packet if self._wants_packets else value(packet)
                if self.stream is not None:
                    return self.stream.feed(data, emit)
                port = (self.inputs[job.port],) if self._takes_port else ()
                return _emitted(self._process(data, *port), emit)
            case "drain":
                if self.stream is not None:
                    return self.stream.finish(emit)
                flush = getattr(self.node, "flush", None) or getattr(self.node, "drain", None)
                return _emitted(flush(), emit) if flush else None
            case "reset":
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


class Stream:
    """The stream of a node whose `process` gets all of it: items go in one by one, and each job
    waits until the node asks for the next."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted
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
        process = getattr(self._hosted.node, "process", self._hosted.node)
        made = process(self._source())
        if not isinstance(made, AsyncGenerator):
            name = type(self._hosted.node).__name__
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


class Host:
    """The Python nodes of one pipeline, and the engine whose jobs they are."""

    def __init__(self, types: list[NodeType], memory_limit: int = 0) -> None:
        self.engine = Engine(memory_limit)
        self._types = {kind.name: kind for kind in types}
        for kind in types:
            self.engine.add_host_node(kind.declaration)
        self._nodes: dict[int, Hosted] = {}
        self._lock = threading.Lock()
        self._serving = threading.Lock()
        self._failures: dict[str, BaseException] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: Nodes that were given as objects: they are there before their first job.
        self._given: dict[str, Hosted] = {}

    def give(self, name: str, node: Any) -> None:
        """The object behind the node type of that name."""
        self._given[name] = Hosted(node, self._ports(name))

    def _ports(self, name: str) -> tuple[list[str], list[str]]:
        declared = self._types[name].declaration
        return ([p["name"] for p in declared["inputs"]], [p["name"] for p in declared["outputs"]])

    # -- their life --

    def given(self) -> list[Hosted]:
        """The nodes that were given as objects."""
        return list(self._given.values())

    def living(self) -> list[Hosted]:
        """The nodes that were initialized and not cleaned up, last one first."""
        with self._lock:
            every = [*self._given.values(), *self._nodes.values()]
        return [hosted for hosted in reversed(every) if hosted.initialized]

    def initialize(self, hosted: Hosted) -> Awaitable[Any] | None:
        """Initializes a node, once. What is to be awaited, if anything is."""
        if hosted.initialized:
            return None
        hosted.initialized = True
        return self._of_life(hosted, "initialize")

    def cleanup(self, hosted: Hosted) -> Awaitable[Any] | None:
        """Cleans a node up that was initialized. What is to be awaited, if anything is."""
        if not hosted.initialized:
            return None
        hosted.initialized = False
        if hosted.stream is None:
            return self._of_life(hosted, "cleanup")
        return self._end_stream(hosted, hosted.stream)

    async def _end_stream(self, hosted: Hosted, stream: Stream) -> None:
        await stream.forget()
        rest = self._of_life(hosted, "cleanup")
        if rest is not None:
            await rest

    def _of_life(self, hosted: Hosted, what: str) -> Awaitable[Any] | None:
        method = getattr(hosted.node, what, None)
        if method is None:
            return None
        try:
            done = method()
        except Exception as error:
            raise _failed(hosted.node, what, error) from error
        if isinstance(done, Done) or not inspect.isawaitable(done):
            return None
        return _checked(hosted.node, done, what)

    # -- their work --

    def is_async(self, job: Job) -> bool:
        """Whether a job is a coroutine's."""
        given = self._given.get(job.node_type) or self._nodes.get(job.node)
        return given is not None and given.is_async

    def take(self) -> Job | None:
        """The next job, if one waits."""
        return self.engine.next_job(0)

    def run(self, job: Job) -> Awaitable[None] | None:
        """Does a job, as far as that goes without waiting; what must be awaited then ends it."""
        emitter = _Emitter(job)
        try:
            hosted = self._hosted(job)
            if job.kind == "close":
                with self._lock:
                    self._nodes.pop(job.node, None)
                # One that was given lives as long as the pipeline.
                done = None if hosted in self._given.values() else self.cleanup(hosted)
            else:
                done = self.initialize(hosted)
                if done is None:
                    emitter.ports = hosted.outputs
                    done = hosted.call(job, emitter)
                else:
                    done = _then(done, hosted, job, emitter)
        except Exception as error:
            self._fail(job, error)
            return None
        if done is None:
            job.done()
            return None
        return self._finish(job, done)

    async def _finish(self, job: Job, done: Awaitable[None]) -> None:
        try:
            await done
        except Exception as error:
            self._fail(job, error)
        except BaseException as error:
            self._fail(job, error)
            raise
        else:
            job.done()

    def _hosted(self, job: Job) -> Hosted:
        given = self._given.get(job.node_type)
        if given is not None:
            return given
        with self._lock:
            found = self._nodes.get(job.node)
        if found is None:
            made = self._types[job.node_type].make(json.loads(job.params))
            found = Hosted(made, self._ports(job.node_type))
            with self._lock:
                self._nodes[job.node] = found
        return found

    def _fail(self, job: Job, error: BaseException) -> None:
        # A node that raises NodeError has said it as it is to be read.
        named = "" if isinstance(error, NodeError) else f"{type(error).__name__}: "
        message = f"{named}{error}"
        with self._lock:
            self._failures[message] = error
            while len(self._failures) > 64:
                self._failures.pop(next(iter(self._failures)))
        job.fail(message)

    def explain(self, error: BaseException) -> None:
        """Gives an error of a node what the node has raised as its cause."""
        if not isinstance(error, NodeError):
            return
        with self._lock:
            for message, cause in reversed(self._failures.items()):
                if message in str(error):
                    error.__cause__ = cause
                    return

    # -- in a sync pipeline --

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which coroutines of a sync pipeline run."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    def start(self) -> None:
        """Initializes the nodes that were given as objects."""
        for hosted in self.given():
            self._finish_now(self.initialize(hosted))

    def stop(self) -> None:
        """Cleans up, and closes the loop."""
        failure: BaseException | None = None
        for hosted in self.living():
            try:
                self._finish_now(self.cleanup(hosted))
            except Exception as error:
                failure = failure or error
        self.close_loop()
        if failure is not None:
            raise failure

    def _finish_now(self, rest: Awaitable[Any] | None) -> None:
        if rest is not None:
            self._on_loop(_bare(rest))

    def _on_loop(self, work: Coroutine[Any, Any, Any]) -> None:
        _run_on(self.loop(), work)

    def serve(self) -> None:
        """Runs the jobs that wait, on this thread; another thread that does so is left alone."""
        if not self._serving.acquire(blocking=False):
            return
        try:
            while (job := self.take()) is not None:
                rest = self.run(job)
                if rest is not None:
                    self._on_loop(self._together(_bare(rest)))
        finally:
            self._serving.release()

    async def _together(self, first: Coroutine[Any, Any, None]) -> None:
        """Awaits a job, and with it those that come meanwhile."""
        tasks = {asyncio.ensure_future(first)}
        while tasks:
            while (job := self.take()) is not None:
                rest = self.run(job)
                if rest is not None:
                    tasks.add(asyncio.ensure_future(_bare(rest)))
            _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    def close_loop(self) -> None:
        """Closes the loop of a sync pipeline."""
        loop, self._loop = self._loop, None
        if loop is None or loop.is_running():
            return
        _run_on(loop, loop.shutdown_asyncgens())
        loop.close()


def _run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
    """Runs something on a loop, and waits for it."""
    if _in_a_loop():
        # This thread's own loop is at work in the very call: another thread runs the other one.
        _Thread(lambda: loop.run_until_complete(work)).finish()
    else:
        loop.run_until_complete(work)


async def _then(done: Awaitable[Any], hosted: Hosted, job: Job, emitter: _Emitter) -> None:
    await done
    emitter.ports = hosted.outputs
    rest = hosted.call(job, emitter)
    if rest is not None:
        await rest


async def _bare(work: Awaitable[Any]) -> Any:
    return await work


async def _checked(node: Any, done: Awaitable[Any], what: str) -> None:
    try:
        await done
    except Exception as error:
        raise _failed(node, what, error) from error


def _failed(node: Any, what: str, error: BaseException) -> NodeError:
    name = getattr(node, "name", None) or type(node).__name__
    made = NodeError(f"{what}() of the node '{name}' failed: {type(error).__name__}: {error}")
    made.node, made.detail, made.code = name, "node.failed", "Node"
    made.__cause__ = error
    return made


def _in_a_loop() -> bool:
    return asyncio._get_running_loop() is not None  # pyright: ignore[reportPrivateUsage]


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


class _Emitter:
    """Makes packets of what a node gives, and hands them over."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._source = job.packet
        self._next_pts = self._source.pts_ns if self._source is not None else None
        self.ports: list[str] = ["out"]
        self._emitted = False

    def __call__(self, given: Any) -> None:
        if given is None:
            return
        if isinstance(given, Output):
            self._put(given.value, given.port, dict(given.options))
        else:
            self._put(given, None, {})

    def _put(self, given: Any, port: str | None, options: dict[str, Any]) -> None:
        if port is None:
            index = 0
        elif port in self.ports:
            index = self.ports.index(port)
        else:
            raise ConfigurationError(
                f"there is no output '{port}'; the node declares {', '.join(self.ports)}: "
                "name it in `outputs`"
            )
        packet = given if isinstance(given, Packet) else self._packet(given, options)
        self._job.emit(index, packet)

    def _packet(self, given: Any, options: dict[str, Any]) -> Packet:
        if isinstance(given, tuple):
            pair = cast("tuple[Any, ...]", given)
            if len(pair) == 2 and hasattr(pair[0], "__array__") and isinstance(pair[1], int):
                given, options = pair[0], {"rate": pair[1], **options}
        source = self._source
        if _is_array(given) and source is not None and "kind" not in options:
            if source.kind == "audio" and "rate" not in options:
                options["rate"] = source.rate
                options.setdefault("discont", source.discont and not self._emitted)
            elif (
                source.kind == "video" and str(getattr(cast("Any", given), "dtype", "")) == "uint8"
            ):
                options["kind"] = "video"
                shape = cast("tuple[int, ...]", cast("Any", given).shape)
                if len(shape) == 3 and "pixel_format" not in options:
                    options["pixel_format"] = _like(source.pixel_format, shape[2])
        if "pts_ns" not in options and self._next_pts is not None:
            options["pts_ns"] = self._next_pts
        packet = Packet(given, **options)
        self._emitted = True
        if packet.kind == "audio" and packet.pts_ns is not None:
            # What follows in the same call goes on where this ends.
            self._next_pts = packet.pts_ns + packet.frames * _NS // packet.rate
        return packet


def _is_array(given: Any) -> bool:
    if isinstance(given, (memoryview, array)):
        return True
    has_array = hasattr(given, "__array__") or hasattr(given, "__dlpack__")
    return has_array and getattr(given, "ndim", 1) > 0


def _like(pixel_format: str, channels: int) -> str:
    """The pixel format of a picture that was made of another."""
    names = {3: ("rgb24", "bgr24"), 4: ("rgba", "bgra")}.get(channels)
    if names is None:
        return pixel_format
    return names[1] if pixel_format.startswith("bgr") else names[0]
