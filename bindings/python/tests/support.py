"""What the tests of the package share: where it is, manifests, programs that must end well."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import remotemedia
from remotemedia import _native

#: Where programs that the tests run find the package that the tests themselves have.
PACKAGE = Path(remotemedia.__file__).resolve().parents[1]
#: Seconds after which a program counts as hung, on the most loaded of machines.
HANG = 120


def chain(*nodes: dict[str, Any] | str, **fields: Any) -> dict[str, Any]:
    """The manifest of a chain of nodes, which are given as dicts or as types."""
    listed: list[dict[str, Any]] = [
        {"id": f"n{n}", "node_type": node} if isinstance(node, str) else {"id": f"n{n}", **node}
        for n, node in enumerate(nodes)
    ]
    ids = [node["id"] for node in listed]
    links = [{"from": a, "to": b} for a, b in zip(ids, ids[1:], strict=False)]
    return {"version": "v1", "nodes": listed, "connections": links, **fields}


PASS = chain("PassThrough")
THREADED = chain({"node_type": "PassThrough", "placement": "thread"})


def live() -> dict[str, int]:
    """How many handles of each kind are live, after all garbage is gone."""
    for _ in range(3):
        gc.collect()
    # Memory that packets had borrowed is given back by a call.
    _native.Packet(b"")
    return _native.live()


def settled(before: dict[str, int], seconds: float = 30) -> dict[str, int]:
    """As `live`; the engine's threads get time to let go of what they have."""
    end = time.monotonic() + seconds
    while (now := live()) != before and time.monotonic() < end:
        time.sleep(0.01)
    return now


def program(
    code: str, python: str = sys.executable, timeout: float = HANG, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program that finds the package. A hang is an error that shows what it printed."""
    inside = os.pathsep.join(
        part for part in (str(PACKAGE), os.environ.get("PYTHONPATH", "")) if part
    )
    return subprocess.run(
        [python, "-X", "faulthandler", "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": inside},
    )


def ends_well(code: str, python: str = sys.executable, expected: int = 0) -> str:
    """Runs a program that must end with that status and print no error. What it has printed."""
    done = program(code, python)
    assert (done.returncode, done.stderr) == (expected, ""), (
        f"{python}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done.stdout
