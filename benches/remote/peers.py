"""An array of float32 to a server and back, from Python: our package beside what people use there.

All sides run in turn, in rounds, client and server in a process each; figures are medians over the
rounds. The exit status is 1 where something that came back is wrong, or a side of ours did not run.
No time makes it fail.

    pip install ./bindings/python -r benches/remote/requirements.txt
    python benches/remote/peers.py --rmedia target/release/rmedia
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sides import LOADS, SIDES, Results

#: Seconds that a server may take to listen, and a client to be done.
PATIENCE, DONE = 30.0, 300.0

PROGRAM = [sys.executable, str(Path(__file__).with_name("sides.py"))]

# NumPy's threads spin for a while, Ray calls home.
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}

#: By side and way: what each round found, by load.
Found = dict[tuple[str, str], list[Results]]


class Failed(Exception):
    """A side that did not run, with what it said."""


def free_port() -> int:
    """One that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(place: str) -> bool:
    """Whether somebody does."""
    host, _, port = place.rpartition(":")
    family = socket.AF_UNIX if host == "unix" else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.connect(port if host == "unix" else (host, int(port)))
        except OSError:
            return False
        return True


@contextmanager
def server(name: str, way: str, rmedia: str, folder: Path) -> Generator[str]:
    """A side's server for as long as it is needed, and where it is."""
    side = SIDES[name]
    if way not in ("TCP", "unix"):
        yield way
        return
    place = f"127.0.0.1:{free_port()}" if way == "TCP" else f"unix:{folder / 'socket'}"
    (folder / "socket").unlink(missing_ok=True)
    ours = [rmedia, "serve", "--listen", place]
    command = ours if side.serve is None else [*PROGRAM, "serve", name, place]
    log = folder / "server.log"
    with log.open("w") as said:
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=said, stderr=said)
    try:
        end = time.monotonic() + PATIENCE
        while not listens(place):
            if process.poll() is not None or time.monotonic() > end:
                lines = log.read_text().strip().splitlines() or ["it does not listen"]
                raise Failed(f"server: {lines[-1]}")
            time.sleep(0.02)
        yield place
    finally:
        process.kill()
        process.wait()


def measure(name: str, way: str, scale: float, rmedia: str, folder: Path) -> Results:
    """A side, once."""
    with server(name, way, rmedia, folder) as place:
        run = subprocess.run(
            [*PROGRAM, "call", name, place, str(scale)],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
            timeout=DONE,
        )
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
        raise Failed(lines[-1])
    found: Results = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def table(found: Found) -> str:
    """The medians, and how they compare with ours within each round, by TCP where there is no such
    way."""
    heads = [f"{load}: {what}" for load in LOADS for what in ("p50", "p99", "ratio of p50")]
    lines = [["", "way", *heads], ["---"] * (2 + len(heads))]
    for (name, way), rounds in found.items():
        line = [name, way]
        ours = found.get(("ours", way)) or found[("ours", "TCP")]
        for load in LOADS:
            line += [
                f"{statistics.median(each[load][part] for each in rounds):,.0f}"
                for part in ("p50", "p99")
            ]
            pairs = zip(rounds, ours, strict=False)
            ratio = statistics.median(each[load]["p50"] / us[load]["p50"] for each, us in pairs)
            line.append(f"{ratio:.2f}")
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", nargs="*", help="beside ours (absent: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="how many calls, 1: 3000 of 20 ms")
    parser.add_argument("--rmedia", default="rmedia", help="the command whose server is measured")
    options = parser.parse_args()
    if unknown := [name for name in options.side if name not in SIDES]:
        parser.error(f"no side {unknown[0]!r}; there are {', '.join(SIDES)}")
    sides = [name for name in SIDES if not options.side or name in ("ours", *options.side)]
    found: Found = {}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, options.rounds + 1):
            print(f"peers: round {number} of {options.rounds}", flush=True)
            for name in sides:
                for way in SIDES[name].ways:
                    try:
                        result = measure(name, way, options.scale, options.rmedia, Path(folder))
                    except (Failed, subprocess.TimeoutExpired) as failure:
                        missing[f"{name}, {way}"] = str(failure)
                    else:
                        found.setdefault((name, way), []).append(result)
    if ("ours", "TCP") in found:
        print("\n" + table(found))
        print(f"\nmicroseconds; medians of {options.rounds} rounds; ratios are to ours by that way")
    for name, why in missing.items():
        print(f"NOT RUN: {name}: {why}")
    wrong = [name for name, why in missing.items() if name.startswith("ours") or "what came" in why]
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
