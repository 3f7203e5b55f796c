"""Runs the nodes of a pipeline that are written in Python: takes the engine's jobs, calls the
node, and hands over what comes of it.

A pipeline with such nodes has an engine of its own, so that its jobs are nobody else's. In a sync
pipeline they run inside its calls, on the thread that makes them; coroutines there run on a loop of
the pipeline's own. In an async pipeline coroutines are tasks of the caller's loop, and plain
functions run on threads, so that none of them holds up the loop or another node.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import threading
import weakref
from collections.abc import Awaitable, Coroutine
from typing import Any, cast

from . import _loop
from ._elsewhere import run_on
from ._emitter import Emitter
from ._hosted import Hosted
from ._native import Engine, Job
from ._node import Done, Node, NodeType
from ._stream import Stream
from .errors import NodeError, StateError


class _Work:
    """A job that is being done, and the one in which that happens, if any."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.outer = _work.get()
        self.is_over = False


#: What the code that runs is part of.
_work: contextvars.ContextVar[_Work | None] = contextvars.ContextVar(
    "remotemedia_work", default=None
)


#: Whose the nodes are that were initialized, by their id: a host keeps its nodes alive.
_owners: dict[int, weakref.ref[Host]] = {}


def _disown(key: int, owner: weakref.ref[Host]) -> None:
    if _owners.get(key) is owner:
        del _owners[key]


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
        #: What a coroutine of a sync pipeline raised that is no Exception.
        self._exit: BaseException | None = None
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
        """Initializes a node, once. What is to be awaited, if anything is. One whose `initialize`
        has failed stays failed."""
        with hosted.starting:
            if hosted.failure is not None:
                raise hosted.failure
            if hosted.is_starting:
                return _started(hosted)
            if hosted.initialized:
                return None
            self._claim(hosted.node)
            # Also where it fails: `cleanup` gets to see what it has made before.
            hosted.initialized = True
            try:
                rest = self._of_life(hosted, "initialize")
            except Exception as error:
                hosted.failure = error
                raise
            hosted.is_starting = rest is not None
        return None if rest is None else _starting(hosted, rest)

    def _claim(self, node: Any) -> None:
        """A node's state is that of one pipeline."""
        if not isinstance(node, Node):
            return
        key = id(node)
        owner = _owners[key]() if key in _owners else None
        if owner is not None and owner is not self:
            raise StateError(
                f"the node '{node.name}' is at work in another pipeline: close that one before, or "
                "make a node for each"
            )
        _owners[key] = weakref.ref(self, functools.partial(_disown, key))

    def cleanup(self, hosted: Hosted) -> Awaitable[Any] | None:
        """Cleans a node up that was initialized. What is to be awaited, if anything is."""
        if not hosted.initialized:
            return None
        hosted.initialized, hosted.failure = False, None
        _owners.pop(id(hosted.node), None)
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
        emitter, work = Emitter(job), _Work(self)
        former, done = _work.set(work), None
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
                    emitter.belongs_to(hosted)
                    done = hosted.call(job, emitter)
                else:
                    done = _then(done, hosted, job, emitter)
        except Exception as error:
            self._fail(job, error)
            return None
        except BaseException as error:
            self._fail(job, error)
            raise
        finally:
            _work.reset(former)
            work.is_over = done is None
        if done is None:
            job.done()
            return None
        return self._finish(job, done, work)

    async def _finish(self, job: Job, done: Awaitable[None], work: _Work) -> None:
        # This runs as a task of its own, whose context ends with it.
        _work.set(work)
        try:
            await done
        except Exception as error:
            self._fail(job, error)
        except BaseException as error:
            self._fail(job, error)
            raise
        else:
            job.done()
        finally:
            work.is_over = True

    def is_inside(self) -> bool:
        """Whether the code that runs is that of a node here."""
        work = _work.get()
        while work is not None:
            if work.host is self and not work.is_over:
                return True
            work = work.outer
        return False

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
        message = _text(error) if isinstance(error, NodeError) else _named(error)
        with self._lock:
            self._failures.pop(message, None)
            self._failures[message] = error
            while len(self._failures) > 64:
                self._failures.pop(next(iter(self._failures)))
        job.fail(message)

    def explain(self, error: BaseException) -> None:
        """Gives an error of a node what the node has raised as its cause."""
        if not isinstance(error, NodeError):
            return
        with self._lock:
            # The longest that is in it: others may be the beginning of that.
            for message in sorted(self._failures, key=len, reverse=True):
                if message in str(error):
                    error.__cause__ = self._failures[message]
                    return

    # -- in a sync pipeline --

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which coroutines of a sync pipeline run."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    def start(self) -> None:
        """Initializes the nodes that were given as objects; other threads' jobs come after it."""
        with self._serving:
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
        self._close_loop()
        if failure is not None:
            raise failure

    def _finish_now(self, rest: Awaitable[Any] | None) -> None:
        if rest is not None:
            run_on(self._own_loop(), _bare(rest))

    def serve(self, seconds: float) -> bool:
        """Runs the jobs that wait, on this thread. False: another one does so, and was not through
        after so many seconds."""
        if not self._serving.acquire(timeout=seconds):
            return False
        try:
            while (job := self.take()) is not None:
                rest = self.run(job)
                if rest is not None:
                    self._run_together(rest)
        except BaseException:
            # A signal has ended the wait: nobody would go on with what was begun.
            self._end_tasks()
            raise
        finally:
            self._serving.release()
        return True

    def _end_tasks(self) -> None:
        loop = self._loop
        if loop is None or loop.is_running() or loop.is_closed():
            return
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            run_on(loop, _gathered(tasks))

    def _run_together(self, rest: Awaitable[None]) -> None:
        run_on(self._own_loop(), self._together(self._job(rest)))
        exit, self._exit = self._exit, None
        if exit is not None:
            raise exit

    async def _together(self, first: Coroutine[Any, Any, None]) -> None:
        """Awaits a job, and with it those that come meanwhile."""
        _loop.quiet(cast("asyncio.Task[None]", asyncio.current_task()))
        tasks = {_loop.quiet(asyncio.ensure_future(first))}
        while tasks:
            while (job := self.take()) is not None:
                rest = self.run(job)
                if rest is not None:
                    tasks.add(_loop.quiet(asyncio.ensure_future(self._job(rest))))
            _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _job(self, rest: Awaitable[None]) -> None:
        try:
            await rest
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            # No Exception, SystemExit for example: out of a task it would leave the loop in the
            # middle, and be told of twice.
            self._exit = error

    def _close_loop(self) -> None:
        """Closes the loop of a sync pipeline."""
        loop, self._loop = self._loop, None
        if loop is None or loop.is_running():
            return
        run_on(loop, loop.shutdown_asyncgens())
        loop.close()


def _text(error: BaseException) -> str:
    """What an error says, in characters that every text can have: file names may have others."""
    try:
        said = str(error)
    except Exception as other:
        said = f"(what it says can't be had: {type(other).__name__})"
    return said.encode("utf-8", "backslashreplace").decode()


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {_text(error)}"


async def _starting(hosted: Hosted, rest: Awaitable[Any]) -> None:
    try:
        await rest
    except BaseException as error:
        is_own = isinstance(error, Exception)
        hosted.failure = error if is_own else _failed(hosted.node, "initialize", error)
        raise
    finally:
        hosted.is_starting = False
        for event in hosted.waiting:
            event.set()
        hosted.waiting.clear()


async def _started(hosted: Hosted) -> None:
    """Waits until another job's task has initialized the node."""
    if hosted.is_starting:
        event = _loop.current().event()
        hosted.waiting.append(event)
        await event.wait()
    if hosted.failure is not None:
        raise hosted.failure


async def _then(done: Awaitable[Any], hosted: Hosted, job: Job, emitter: Emitter) -> None:
    await done
    emitter.belongs_to(hosted)
    rest = hosted.call(job, emitter)
    if rest is not None:
        await rest


async def _gathered(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def _bare(work: Awaitable[Any]) -> Any:
    return await work


async def _checked(node: Any, done: Awaitable[Any], what: str) -> None:
    try:
        await done
    except Exception as error:
        raise _failed(node, what, error) from error


def _failed(node: Any, what: str, error: BaseException) -> NodeError:
    name = getattr(node, "name", None) or type(node).__name__
    made = NodeError(f"{what}() of the node '{name}' failed: {_named(error)}")
    made.node, made.detail, made.code = name, "node.failed", "Node"
    made.__cause__ = error
    return made
