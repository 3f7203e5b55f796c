"""Compiles the C tests against a built librmedia and runs them: plain, under valgrind, with gcc's
address and undefined-behaviour sanitizers, and (with a static library built for it) with clang's
thread sanitizer.

    run.py --include DIR --lib DIR [--stress SECONDS] [--only NAME] [--tsan --static LIB.a]

The last line is that of a test program: `test result: ok. N passed; M failed; K ignored`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-g"]
LIBRARIES = ["-lpthread", "-ldl", "-lm"]
RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)
FAILED = re.compile(r"^test (.*) \.\.\. FAILED(.*)$", re.MULTILINE)

# `no_alloc` has an allocator of its own, which the tools replace.
PROGRAMS = [
    *["misuse", "callbacks", "threads", "ready", "states", "process", "release"],
    *["no_alloc", "stress"],
]


@dataclass
class Way:
    """A way of running the programs."""

    name: str
    compiler: str
    flags: list[str]
    before: list[str] = field(default_factory=list[str])
    environment: dict[str, str] = field(default_factory=dict[str, str])
    programs: list[str] = field(default_factory=list[str])
    # Programs run this much slower.
    slower: int = 1
    # What must be there besides the compiler.
    tool: str | None = None


@dataclass
class Outcome:
    """What came of one program run one way."""

    program: str
    way: str
    passed: int
    failed: int
    ignored: int
    seconds: float
    note: str = ""


def ways(tsan: bool) -> list[Way]:
    """All ways, or that of the thread sanitizer."""
    if tsan:
        # Without randomised addresses, which older runtimes of it can't do with.
        threads = ["callbacks", "threads", "ready", "release", "stress"]
        options = "die_after_fork=0:exitcode=66:second_deadlock_stack=1"
        return [
            Way(
                "tsan",
                "clang-19",
                ["-O1", "-fsanitize=thread"],
                ["setarch", "-R"],
                {"TSAN_OPTIONS": options, "CHECK_LESS": "5"},
                threads,
                5,
                "setarch",
            )
        ]
    tools = [p for p in PROGRAMS if p != "no_alloc"]
    # What the library keeps for its whole life (tables of handles, the default engine, names of
    # node types) is still reachable at the end, and is no leak.
    valgrind = ["valgrind", "-q", "--leak-check=full", "--error-exitcode=9"]
    valgrind += ["--errors-for-leak-kinds=definite", "--show-leak-kinds=definite"]
    valgrind += ["--fair-sched=yes"]
    sanitizer = {
        "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1:fast_unwind_on_malloc=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    return [
        Way("plain", "gcc", ["-O2"], programs=PROGRAMS),
        Way(
            "asan+ubsan",
            "gcc",
            ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
            ["setarch", "-R"],
            sanitizer | {"CHECK_LESS": "2"},
            tools,
            3,
            "setarch",
        ),
        Way("valgrind", "gcc", ["-O1"], valgrind, {"CHECK_LESS": "50"}, tools, 20, "valgrind"),
    ]


def missing(way: Way) -> str | None:
    """Why a way can't be run here."""
    for tool in [way.compiler, *([way.tool] if way.tool else [])]:
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def compile_program(
    program: str, way: Way, include: Path, library: list[str], to: Path
) -> str | None:
    """Compiles a program; gives the compiler's words when it can't."""
    command = [way.compiler, *WARNINGS, *way.flags, f"-I{include}", str(HERE / f"{program}.c")]
    command += ["-o", str(to), *library, *LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip() or "the compiler failed"


def run_program(program: str, way: Way, path: Path, stress: float, seconds: int) -> Outcome:
    """Runs a compiled program and reads its last line."""
    command = [*way.before, str(path)]
    limit = seconds * way.slower * 60.0
    if program == "stress":
        command.append(str(stress if way.slower < 10 else min(stress, 10)))
        limit = stress + 60.0 + 60.0 * way.slower
    environment = os.environ | way.environment
    environment |= {"CHECK_SECONDS": str(seconds * way.slower), "RUST_BACKTRACE": "0"}
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            timeout=limit,
            check=False,
        )
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as stopped:
        output, code = str(stopped.stdout or ""), -1
    took = time.monotonic() - begin
    # The sum at the end is what counts.
    shown = RESULT.sub("", output)
    print(f"--- {program}, {way.name}\n{shown}", flush=True)
    found = RESULT.search(output)
    if found is None:
        note = f"no result within {limit:.0f} s" if code == -1 else f"ended with {code}"
        print(f"test {program}, {way.name} ... FAILED {note}", flush=True)
        return Outcome(program, way.name, 0, 1, 0, took, note)
    passed, failed, ignored = (int(number) for number in found.groups())
    note = "; ".join(name + why for name, why in FAILED.findall(output))
    if code != 0 and failed == 0:
        # A tool found something in the program itself, after its last line.
        failed, note = 1, f"ended with {code}"
        print(f"test {program}, {way.name} ... FAILED {note}", flush=True)
    return Outcome(program, way.name, passed, failed, ignored, took, note)


def run(
    include: Path, library: list[str], only: str | None, stress: float, seconds: int, tsan: bool
) -> list[Outcome]:
    """Compiles and runs everything."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="rmedia-tests-") as folder:
        for way in ways(tsan):
            why_not = missing(way)
            for program in way.programs:
                if only is not None and only not in (program, way.name):
                    continue
                if why_not is not None:
                    outcomes.append(Outcome(program, way.name, 0, 0, 1, 0, why_not))
                    continue
                path = Path(folder) / f"{program}-{way.name}"
                wrong = compile_program(program, way, include, library, path)
                if wrong is not None:
                    print(wrong, flush=True)
                    outcomes.append(Outcome(program, way.name, 0, 1, 0, 0, "it does not compile"))
                    continue
                outcomes.append(run_program(program, way, path, stress, seconds))
    return outcomes


def print_table(outcomes: list[Outcome]) -> None:
    """Prints what came of everything."""
    print(f"{'program':<10} {'way':<11} {'passed':>6} {'failed':>6} {'seconds':>7}  note")
    for o in outcomes:
        note = o.note if len(o.note) < 300 else o.note[:297] + "..."
        print(f"{o.program:<10} {o.way:<11} {o.passed:>6} {o.failed:>6} {o.seconds:>7.1f}  {note}")


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Runs the C tests of librmedia.")
    parser.add_argument("--include", type=Path, required=True, help="folder of rmedia.h")
    parser.add_argument("--lib", type=Path, help="folder of librmedia.so")
    parser.add_argument("--static", type=Path, help="static library, built for --tsan")
    parser.add_argument("--tsan", action="store_true", help="run with the thread sanitizer")
    parser.add_argument("--stress", type=float, default=10, help="seconds of the stress test")
    parser.add_argument("--only", help="name of a program or a way")
    parser.add_argument("--seconds", type=int, default=30, help="what a test may take, plain")
    given = parser.parse_args()
    include: Path = given.include.resolve()
    static: Path | None = given.static
    folder: Path | None = given.lib
    if given.tsan and static is not None:
        library = [str(static.resolve())]
    elif not given.tsan and folder is not None:
        library = [f"-L{folder.resolve()}", "-lrmedia", f"-Wl,-rpath,{folder.resolve()}"]
    else:
        parser.error("give --lib, or --tsan with --static")
    outcomes = run(include, library, given.only, given.stress, given.seconds, given.tsan)
    if not outcomes:
        parser.error(f"nothing is called {given.only}")
    print_table(outcomes)
    passed = sum(o.passed for o in outcomes)
    failed = sum(o.failed for o in outcomes)
    ignored = sum(o.ignored for o in outcomes)
    word = "ok" if failed == 0 else "FAILED"
    print(f"test result: {word}. {passed} passed; {failed} failed; {ignored} ignored")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
