"""The package among processes: exits, forks, signals, threads, the collector, subinterpreters.

Each program runs in a process of its own; `STRESS` says how often (10), and `PYTHONS` names further
interpreters that have the package.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest
import remotemedia as rm
import states
from remotemedia import _native

TIMES = int(os.environ.get("STRESS", "10"))
PYTHONS = [sys.executable, *os.environ.get("PYTHONS", "").split()]
#: Seconds after which a program hangs.
HANGS = 60


def play(python: str, program: str) -> None:
    """Runs a program: it may neither fail nor print anything."""
    done = subprocess.run(
        [python, "-W", "always", "-c", states.HEAD + program],
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("state", states.EXITS)
def test_the_interpreter_ends_cleanly_with(state: str, python: str) -> None:
    for _ in range(TIMES):
        play(python, states.EXITS[state])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("state", states.FORKS)
def test_fork(state: str, python: str) -> None:
    for _ in range(TIMES):
        play(python, states.FORKS[state])


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("state", states.SIGNALS)
def test_signals(state: str, python: str) -> None:
    play(python, states.SIGNALS[state])


def test_a_subinterpreter_is_refused_with_words() -> None:
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            interpreters = __import__(name)
        except ImportError:
            continue
        break
    else:
        pytest.skip("this Python has no module for subinterpreters")
    made = interpreters.create()
    code = """
try:
    import remotemedia._native
except ImportError as error:
    assert "subinterpreter" in str(error), error
else:
    raise AssertionError("it was imported")
"""
    path = str(Path(rm.__file__).parents[1])
    failure = interpreters.run_string(made, f"import sys; sys.path.insert(0, {path!r})\n{code}")
    interpreters.destroy(made)
    assert failure is None, failure


MANIFEST = {"version": "v1", "nodes": [{"id": "n", "node_type": "PassThrough"}]}


def test_eight_threads_push_and_four_pull_and_nothing_is_lost() -> None:
    pipeline = rm.Pipeline({**MANIFEST, "placement": "thread"}).open()
    each, seen, lock = 500, list[str](), threading.Lock()
    failures: list[BaseException] = []

    def push(n: int) -> None:
        for i in range(each):
            while True:
                try:
                    pipeline.push(f"{n}:{i}", timeout=0.05)
                    break
                except rm.BackpressureError:
                    continue

    def pull() -> None:
        while not pipeline.ended:
            try:
                packet = pipeline.pull(timeout=0.05)
            except rm.PullTimeout:
                continue
            except rm.RemoteMediaError as error:
                failures.append(error)
                return
            if packet is not None:
                with lock:
                    seen.append(packet.text)

    pushers = [threading.Thread(target=push, args=(n,)) for n in range(8)]
    pullers = [threading.Thread(target=pull) for _ in range(4)]
    for thread in pushers + pullers:
        thread.start()
    for thread in pushers:
        thread.join(HANGS)
    pipeline.end()
    for thread in pullers:
        thread.join(HANGS)
    assert not failures
    assert sorted(seen) == sorted(f"{n}:{i}" for n in range(8) for i in range(each))


def test_a_node_that_calls_its_own_pipeline_is_refused() -> None:
    node = Calls()
    pipeline = rm.Pipeline(node)
    node.pipeline = pipeline
    with pytest.raises(rm.NodeError, match="it would wait") as told:
        pipeline.run("x")
    assert isinstance(told.value.__cause__, rm.StateError)


class Calls(rm.Node):
    """Pushes into its own pipeline, once."""

    pipeline: rm.Pipeline | None = None

    def process(self, data: str) -> str:
        if self.pipeline is not None and data == "x":
            self.pipeline.push("y")
        return data


def test_a_cycle_of_pipeline_and_node_is_collected() -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(20):
            node = Calls()
            pipeline = rm.Pipeline(node).open()
            node.pipeline = pipeline
            pipeline.push("z")
            gone = weakref.ref(pipeline)
            del node, pipeline
            gc.collect()
            assert gone() is None
    finally:
        gc.set_threshold(*threshold)


def entries(what: str) -> int:
    """How many descriptors or threads this process has."""
    return len(list(Path("/proc/self", what).iterdir()))


def resident() -> int:
    """Resident memory in bytes."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_ten_thousand_pipelines_leave_nothing_behind() -> None:
    def use(n: int) -> None:
        pipeline = rm.Pipeline(MANIFEST if n % 5 else str.upper)
        if n % 2:
            assert pipeline.run("x").value in ("x", "X")
        else:
            pipeline.push("x")
            pipeline.pull()
        if n % 3:
            pipeline.close()

    for n in range(1000):
        use(n)
    gc.collect()
    before, fds = resident(), entries("fd")
    threads = entries("task")
    for n in range(10_000):
        use(n)
    gc.collect()
    live = _native.live()
    assert not any(live.values()), live
    assert entries("fd") <= fds
    assert entries("task") <= threads
    # What malloc keeps grows a little; 10,000 forgotten pipelines would be hundreds of megabytes.
    assert resident() - before < 8_000_000
