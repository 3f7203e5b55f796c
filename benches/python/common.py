"""What the scripts share. Imports nothing beyond the standard library, so that a measured process
holds only what its side needs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MEDIA = HERE.parent.parent / "media"

Result = dict[str, Any]


def memory_mb(field: str = "VmRSS") -> float:
    """Resident memory of this process in MB: VmRSS now, VmHWM the most so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Clock:
    """Wall time and CPU time (all threads) of this process."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def us_per(self, count: int) -> Result:
        """Microseconds since it was made, over `count`."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return {"cpu_us": cpu / count * 1e6, "wall_us": wall / count * 1e6}


def say(result: Result) -> None:
    """Prints a result as one line of JSON."""
    print(json.dumps(result), flush=True)


def in_process(script: str, *args: str, python: str = sys.executable) -> Result:
    """Runs a side in a process of its own: what it said, with the wall time of the whole process.
    What a side could not do is under "failed"."""
    command = [python, str(HERE / script), *args]
    # NumPy's OpenBLAS otherwise starts threads that spin for a while, which is no side's work.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    begin = time.perf_counter()
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    wall = time.perf_counter() - begin
    if run.returncode != 0:
        errors = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
        return {"failed": errors[-1]}
    result: Result = json.loads(run.stdout.strip().splitlines()[-1])
    result["process_ms"] = wall * 1e3
    return result


def median(results: Iterable[Result], key: str) -> float:
    """Median of what the results have under a key."""
    values = [float(result[key]) for result in results if key in result]
    return statistics.median(values) if values else float("nan")


def table(title: str, columns: list[tuple[str, Callable[[str], str]]], rows: list[str]) -> None:
    """Prints a table: columns are a heading and what gives the cell of a row."""
    cells = [["", *(heading for heading, _ in columns)]]
    cells += [[row, *(cell(row) for _, cell in columns)] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    print(f"\n{title}")
    for line in cells:
        first, rest = line[0].ljust(widths[0]), zip(line[1:], widths[1:], strict=True)
        print("  ".join([first, *(cell.rjust(width) for cell, width in rest)]))
