"""How programs end, fork and are interrupted; what garbage collection, threads and time leave
behind."""

from __future__ import annotations

import array
import gc
import json
import multiprocessing
import os
import re
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import programs
import pytest
import stress
import support
from remotemedia import Node, Packet, Pipeline, _native, errors
from support import PASS, THREADED, chain, ends_well

#: How many pipelines with threads or nodes of Python's are made in a test of leaks.
MANY = 10_000 if "STRESS" in os.environ else 2_000
#: How often each program is run here; `stress.py` does so on all interpreters.
TIMES = int(os.environ.get("STRESS", "10"))
SAMPLES = array.array("f", bytes(4 * 480))

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="signals are sent another way on Windows"
)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="this system has no /proc"
)


# -- the end --


@pytest.mark.parametrize("name", list(programs.PROGRAMS))
def test_a_program_ends_well(name: str) -> None:
    for _ in range(TIMES):
        assert stress.once(sys.executable, name) == ""


def test_an_import_is_silent_and_starts_nothing() -> None:
    out = ends_well(
        """
        import threading, os
        import remotemedia
        from remotemedia import Pipeline, Packet
        print(threading.active_count(), len(os.listdir("/proc/self/task")))
        """
    )
    assert out.split() == ["1", "1"] or not Path("/proc/self/task").is_dir()


def test_an_exception_in_atexit_is_the_only_thing_said() -> None:
    done = support.program(
        """
        import atexit
        from remotemedia import Pipeline
        node = {"id": "a", "node_type": "PassThrough"}
        pipeline = Pipeline({"version": "v1", "nodes": [node]}).open()
        def late():
            pipeline.push("x")
            raise KeyError("late")
        atexit.register(late)
        """
    )
    assert done.returncode == 0
    assert "KeyError: 'late'" in done.stderr and done.stderr.count("Traceback") == 1


# -- fork --


@needs_fork
def test_a_fork_before_the_first_use_works() -> None:
    ends_well(
        """
        import os
        import remotemedia
        from remotemedia import Pipeline
        node = {"id": "a", "node_type": "PassThrough", "placement": "thread"}
        manifest = {"version": "v1", "nodes": [node]}
        child = os.fork()
        with Pipeline(manifest) as pipeline:
            for n in range(100):
                pipeline.push(n, timeout=60)
                assert pipeline.pull(timeout=60).value == n
        if child:
            assert os.waitpid(child, 0)[1] == 0
        """
    )


@needs_fork
def test_a_fork_after_use_is_refused_in_the_child_and_the_parent_goes_on() -> None:
    for end in ("os._exit(0)", "sys.exit(0)", "gc.collect(); sys.exit(0)"):
        ends_well(
            f"""
            import gc, os, sys, warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            from remotemedia import AsyncPipeline, Packet, Pipeline, _native, errors
            passes = {{"id": "a", "node_type": "PassThrough", "placement": "thread"}}
            manifest = {{"version": "v1", "nodes": [passes]}}
            def node(data):
                return data
            pipelines = [Pipeline(manifest), Pipeline(node)]
            packets = []
            for pipeline in pipelines:
                pipeline.push("x", timeout=60)
                packets.append(pipeline.pull(timeout=60))
                pipeline.push("y", timeout=60)
            borrowed = Packet(b"0123456789", copy=False)
            child = os.fork()
            if child == 0:
                def refused(call):
                    try:
                        call()
                    except errors.ForkError as error:
                        assert "spawn" in error.hint, error.hint
                        assert any("spawn" in note for note in error.__notes__)
                        return
                    except BaseException as error:
                        os.write(2, repr(error).encode())
                    os.write(2, b"not refused")
                    os._exit(9)
                for pipeline in pipelines:
                    refused(lambda: pipeline.push("z"))
                    refused(lambda: pipeline.pull())
                    refused(lambda: pipeline.metrics())
                    refused(lambda: pipeline.close())
                refused(lambda: Pipeline(manifest).open())
                refused(lambda: Pipeline(node).open())
                refused(lambda: packets[0].text)
                refused(lambda: Packet("new"))
                refused(lambda: _native.live())
                del packets, borrowed, pipelines, pipeline
                {end}
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            for pipeline in pipelines:
                assert pipeline.pull(timeout=60).text == "y"
                pipeline.push("z", timeout=60)
                assert pipeline.pull(timeout=60).text == "z"
                pipeline.close()
            """
        )


def _child(manifest: Any) -> list[Any]:
    try:
        return [Pipeline(manifest).run(["a", "b"]).value]
    except errors.ForkError as error:
        return ["refused", str(error.hint)]


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_multiprocessing_works_with_spawn_and_says_so_with_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Other tests put the sources of the package in front; the child is to have what we have.
    monkeypatch.setattr(sys, "path", [str(support.PACKAGE), *sys.path])
    assert Pipeline(THREADED).run("x").value == "x"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(_child, (PASS,)).get(support.HANG) == [["a", "b"]]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        said, hint = pool.apply_async(_child, (PASS,)).get(support.HANG)
    assert said == "refused" and "spawn" in hint
    assert Pipeline(THREADED).run("x").value == "x"


# -- Ctrl-C --

_INTERRUPTED = """
import array, asyncio, json, os, signal, sys, threading, time
from remotemedia import AsyncPipeline, Node, Pipeline, _native, errors
# A shell in the background has its children ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
def held():
    engine = _native.Engine()
    ports = {"inputs": [{"name": "in"}], "outputs": [{"name": "out"}]}
    engine.add_host_node({"name": "test/Hold", **ports})
    manifest = {"version": "v1", "nodes": [{"id": "a", "node_type": "test/Hold"}]}
    pipeline = Pipeline(manifest)
    pipeline._open(json.dumps(manifest), engine)
    pipeline.push("x")
    return pipeline, engine.next_job(5)
def soon():
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
async def sleeps(data):
    await asyncio.sleep(300)
def works(data):
    while True:
        pass
def interrupted(call):
    soon()
    try:
        call()
    except KeyboardInterrupt:
        return
    sys.exit("no KeyboardInterrupt")
"""


@needs_signals
@pytest.mark.parametrize(
    "code",
    [
        "pipeline, job = held(); interrupted(pipeline.pull)",
        "pipeline, job = held(); interrupted(lambda: pipeline.pull(timeout=300))",
        "pipeline, job = held(); interrupted(pipeline.close)",
        "pipeline, job = held(); interrupted(lambda: pipeline.close(timeout=300)); job.done()",
        "pipeline, job = held()\ninterrupted(lambda: [pipeline.push('x') for _ in range(1000)])",
        "pipeline, job = held(); interrupted(lambda: list(pipeline))",
        "pipeline = Pipeline(works); interrupted(lambda: pipeline.push('x'))",
        "pipeline = Pipeline(sleeps); interrupted(lambda: pipeline.push('x'))",
        "pipeline = Pipeline(sleeps); interrupted(lambda: pipeline.push('x')); pipeline.cancel()",
        "pipeline = Pipeline(sleeps); interrupted(lambda: pipeline.run('x'))",
        "interrupted(lambda: _native.Engine().next_job(None))",
        "async def main():\n    async with AsyncPipeline({'version': 'v1', 'nodes': "
        "[{'id': 'a', 'node_type': 'PassThrough'}]}) as p:\n        await p.pull()\n"
        "interrupted(lambda: asyncio.run(main()))",
        "async def main():\n    async with Pipeline(sleeps).aio() as p:\n"
        "        await p.push('x')\n        await p.pull()\n"
        "interrupted(lambda: asyncio.run(main()))",
    ],
)
def test_ctrl_c_ends_every_wait(code: str) -> None:
    for _ in range(3):
        ends_well(_INTERRUPTED + code)


@needs_signals
def test_a_pipeline_goes_on_after_ctrl_c_in_a_pull() -> None:
    ends_well(
        _INTERRUPTED
        + """
from remotemedia import Packet
pipeline, job = held()
for _ in range(5):
    interrupted(pipeline.pull)
job.emit(0, Packet("at last"))
job.done()
assert pipeline.pull(timeout=60).text == "at last"
"""
    )


# -- garbage --


class Echo(Node):
    """Gives what it gets."""

    def process(self, data: Any) -> Any:
        """Gives it back."""
        return data


def test_cycles_through_pipeline_node_and_callback_are_collected() -> None:
    before, gone = support.live(), []
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for n in range(50):
            node = Echo()
            pipeline = (
                Pipeline(node) if n % 2 else Pipeline(lambda data, node=node: node.process(data))
            )
            node.pipeline = pipeline  # type: ignore[attr-defined]
            node.callback = lambda p=pipeline: p.pull()  # type: ignore[attr-defined]
            pipeline.push("x")
            packet = pipeline.pull()
            assert packet is not None
            pipeline.last = packet  # type: ignore[attr-defined]
            gone.append(weakref.ref(pipeline))
            gone.append(weakref.ref(node))
            gone.append(weakref.ref(packet))
        del node, pipeline, packet
    finally:
        gc.set_threshold(*threshold)
    assert support.settled(before) == before
    assert not [ref for ref in gone if ref() is not None]


def test_garbage_collection_at_every_step_breaks_nothing() -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        with Pipeline(Echo()) as pipeline:
            for n in range(200):
                pipeline.push({"n": [n]})
                packet = pipeline.pull()
                assert packet is not None and packet.value == {"n": [n]}
                with pytest.raises(errors.RemoteMediaError):
                    pipeline.pull("nowhere")
            pipeline.metrics()
    finally:
        gc.set_threshold(*threshold)


def test_errors_of_nodes_do_not_keep_their_pipelines() -> None:
    before = support.live()

    def broken(data: Any) -> Any:
        raise KeyError(data)

    def once() -> weakref.ref[Any]:
        pipeline = Pipeline(broken)
        with pytest.raises(errors.NodeError):
            pipeline.run("x")
        return weakref.ref(pipeline)

    gone = [once() for _ in range(20)]
    assert support.settled(before) == before
    assert not [ref for ref in gone if ref() is not None]


# -- threads --


@pytest.mark.parametrize("manifest", [PASS, THREADED], ids=["inline", "threads"])
def test_eight_pushers_and_four_pullers_lose_and_double_nothing(manifest: Any) -> None:
    count, failures = 500, []
    got: list[tuple[int, int]] = []
    lock, done = threading.Lock(), threading.Event()
    pipeline = Pipeline(manifest).open()

    def push(who: int) -> None:
        for n in range(count):
            while True:
                try:
                    pipeline.push([who, n], timeout=0.05)
                    break
                except errors.BackpressureError:
                    time.sleep(0.0005)

    def pull() -> None:
        while not done.is_set():
            try:
                packet = pipeline.pull(timeout=0.05)
            except errors.PullTimeout:
                continue
            if packet is None:
                time.sleep(0.0005)
                continue
            with lock:
                got.append(tuple(packet.value))
                if len(got) == 8 * count:
                    done.set()

    def guarded(work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:
            failures.append(error)
            done.set()

    threads = [threading.Thread(target=guarded, args=(push, n), daemon=True) for n in range(8)]
    threads += [threading.Thread(target=guarded, args=(pull,), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(support.HANG)
    assert not failures and not any(thread.is_alive() for thread in threads)
    assert sorted(got) == [(who, n) for who in range(8) for n in range(count)]
    assert pipeline.close() == "drained"


def test_a_close_in_one_thread_ends_the_calls_of_others() -> None:
    engine = _native.Engine()
    engine.add_host_node(
        {"name": "test/Hold", "inputs": [{"name": "in"}], "outputs": [{"name": "out"}]}
    )
    for way in ("close", "cancel"):
        pipeline = Pipeline(chain("test/Hold"))
        pipeline._open(json.dumps(chain("test/Hold")), engine)
        pipeline.push("x")
        job = engine.next_job(support.HANG)
        assert job is not None
        ends: list[Any] = []

        def pull(pipeline: Any = pipeline, ends: list[Any] = ends) -> None:
            try:
                ends.append(pipeline.pull())
            except errors.StateError as error:
                ends.append(error)

        threads = [threading.Thread(target=pull, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        if way == "close":
            pipeline.close(timeout=0)
        else:
            pipeline.cancel()
        for thread in threads:
            thread.join(support.HANG)
        assert len(ends) == 4, way


def test_the_first_use_by_many_threads_at_once_opens_one_pipeline() -> None:
    made: list[int] = []

    class Counted(Echo):
        """Counts."""

        def initialize(self) -> None:
            """Takes a while."""
            time.sleep(0.01)
            made.append(1)

    for _ in range(10):
        made.clear()
        pipeline = Pipeline(Counted())
        barrier, failures = threading.Barrier(8), []

        def work(
            pipeline: Any = pipeline, barrier: Any = barrier, failures: list[Any] = failures
        ) -> None:
            try:
                barrier.wait(support.HANG)
                pipeline.push("x", timeout=support.HANG)
            except errors.BackpressureError:
                pass
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(support.HANG)
        assert not failures and made == [1]
        pipeline.close()


# -- subinterpreters --


def test_a_subinterpreter_is_refused_with_an_import_error() -> None:
    """3.11 has the module under its first name."""
    inside = f"""
import sys
sys.path.insert(0, {str(support.PACKAGE)!r})
try:
    import remotemedia._native
except ImportError as error:
    assert "subinterpreter" in str(error), error
else:
    raise SystemError("it was imported")
"""
    ends_well(
        f"""
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import remotemedia._native
one = interpreters.create()
failed = interpreters.run_string(one, {inside!r})
assert failed is None, failed
interpreters.destroy(one)
"""
    )


# -- leaks --


def _kib(what: str) -> int:
    match = re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1])


def _close(pipeline: Pipeline) -> None:
    pipeline.close()


def _drop(pipeline: Pipeline) -> None:
    pass


@needs_proc
@pytest.mark.parametrize("end", [_close, _drop])
@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: Pipeline(PASS), 10_000),
        (lambda: Pipeline(THREADED), MANY),
        (lambda: Pipeline(Echo()), MANY),
    ],
    ids=["inline", "threads", "python node"],
)
def test_pipelines_leave_nothing_behind(make: Any, count: int, end: Any) -> None:
    """After a tenth as a warm-up, memory may grow by 16 MiB: most of that the allocator keeps."""

    def some(times: int) -> None:
        for _ in range(times):
            pipeline = make()
            pipeline.push(SAMPLES, rate=48_000)
            pipeline.pull(timeout=support.HANG)
            end(pipeline)
            del pipeline

    before = support.live()
    some(max(200, count // 10))
    assert support.settled(before) == before
    memory, files, threads = (
        _kib("VmRSS"),
        len(list(Path("/proc/self/fd").iterdir())),
        _kib("Threads"),
    )
    some(count)
    assert support.settled(before) == before
    assert _kib("VmRSS") - memory < 16 * 1024
    assert len(list(Path("/proc/self/fd").iterdir())) <= files
    assert _kib("Threads") <= threads


@needs_proc
def test_packets_errors_and_events_leave_nothing_behind() -> None:
    before = support.live()

    def some(times: int) -> None:
        with Pipeline(PASS) as pipeline:
            for n in range(times):
                pipeline.push(Packet({"n": n}))
                packet = pipeline.pull()
                assert packet is not None
                assert packet.value == {"n": n}
                with pytest.raises(errors.NotFoundError):
                    pipeline.pull("nowhere")
                packet.__class__(b"x" * 100, copy=False).__dlpack__()

    some(500)
    memory = _kib("VmRSS")
    some(10_000)
    assert support.settled(before) == before
    assert _kib("VmRSS") - memory < 16 * 1024
