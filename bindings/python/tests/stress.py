"""Runs the programs of `programs.py` many times on every Python that is there.

    STRESS=200 python bindings/python/tests/stress.py [NAME...]

`PYTHONS`: the interpreters, parted by `:`; else those of pyenv and of PATH from 3.11 on. They all
have the `remotemedia` that this program has (`PYTHONPATH`). Prints a table; the status is 1 if
anything went wrong.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from programs import PROGRAMS, program
from support import program as run


def pythons() -> list[str]:
    """Every Python from 3.11 on, one of each version."""
    if named := os.environ.get("PYTHONS"):
        return named.split(":")
    found = sorted(Path.home().glob(".pyenv/versions/*/bin/python"))
    found += [Path(at) for n in range(11, 20) if (at := shutil.which(f"python3.{n}"))]
    by_version: dict[str, str] = {}
    for path in found:
        asked = subprocess.run([str(path), "-V"], capture_output=True, text=True)
        version = re.search(r"Python (3\.(\d+)\.\S+)", asked.stdout)
        if version and int(version[2]) >= 11:
            by_version.setdefault(version[1], str(path))
    return list(by_version.values()) or [sys.executable]


def once(python: str, name: str) -> str:
    """Runs a program once; what went wrong."""
    code, status = program(name)
    try:
        done = run(code, python)
    except subprocess.TimeoutExpired as error:
        return f"hang: {(error.stderr or b'').decode(errors='replace')[-2000:]}"
    if done.returncode != status or done.stderr:
        return f"status {done.returncode} for {status}: {done.stderr[-3000:]}"
    return ""


def main() -> int:
    """Runs everything."""
    times = int(os.environ.get("STRESS", "20"))
    names, bad = sys.argv[1:] or list(PROGRAMS), 0
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "3"))) as pool:
        for python in pythons():
            version = subprocess.run([python, "-V"], capture_output=True, text=True).stdout.strip()
            for name in names:
                wrong = Counter(filter(None, pool.map(once, [python] * times, [name] * times)))
                bad += wrong.total()
                print(f"{version:15} {name:45} {wrong.total():4} of {times} went wrong", flush=True)
                for text, count in wrong.most_common(2):
                    print(f"    {count}x {text}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
