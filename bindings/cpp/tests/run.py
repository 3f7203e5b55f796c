#!/usr/bin/env python3
"""Compiles the headers in every way that they are for, and runs the tests of the C++ binding.

    bindings/cpp/tests/run.py --include include --include bindings/cpp/include --lib DIR

DIR holds librmedia.so. The last line is `test result: ok. N passed; M failed; K ignored`; a
compiler that is missing is listed as ignored, with what installs it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

STRICT = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]

# Everything that clang can warn of, but for:
CLANG = [
    *STRICT,
    "-Weverything",
    "-Wno-c++98-compat",  # The binding is for C++17; what older ones lack is no fault,
    "-Wno-c++98-compat-pedantic",
    "-Wno-c++98-compat-local-type-template-args",
    "-Wno-pre-c++14-compat",
    "-Wno-pre-c++17-compat",
    "-Wno-pre-c++20-compat-pedantic",
    "-Wno-pre-c11-compat",  # and neither in C.
    "-Wno-padded",  # Padding is as it is.
    "-Wno-weak-vtables",  # A header has no source file in which error's table could be.
    "-Wno-unsafe-buffer-usage",  # Pointers and lengths of C become spans somewhere.
    "-Wno-missing-noreturn",  # Nodes of the tests that do nothing but throw.
    "-Wno-declaration-after-statement",  # This one is for C89.
]

PROGRAMS: dict[str, list[str]] = {
    "ownership": ["ownership.cpp"],
    "errors": ["errors.cpp"],
    "pipeline": ["pipeline.cpp"],
    "nodes": ["nodes.cpp"],
    "wrap": ["wrap.cpp"],
    "allocations": ["allocations.cpp"],
    "abi": ["abi.cpp"],
    "no_exceptions": ["no_exceptions.cpp"],
    "unwanted_exceptions": ["no_exceptions.cpp"],
    "units": ["units_main.cpp", "units_other.cpp", "units_quiet.cpp"],
}

EXTRA: dict[str, list[str]] = {
    "no_exceptions": ["-fno-exceptions"],
    "unwanted_exceptions": ["-DRMEDIA_NO_EXCEPTIONS"],
}


@dataclasses.dataclass
class Compiler:
    """A compiler that is there."""

    name: str
    path: str
    version: str
    flags: list[str]


@dataclasses.dataclass
class Options:
    includes: list[Path]
    lib: Path
    out: Path

    def compile_flags(self) -> list[str]:
        return [f"-I{path}" for path in self.includes] + ["-pthread"]

    def link_flags(self) -> list[str]:
        return [f"-L{self.lib}", "-lrmedia", f"-Wl,-rpath,{self.lib}", "-pthread"]


@dataclasses.dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    ignored: int = 0

    def test(self, sentence: str, good: bool, output: str = "") -> bool:
        print(f"test {sentence} ... {'ok' if good else 'FAILED'}", flush=True)
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("\n".join("  " + line for line in output.splitlines()[:40]))
        return good

    def ignore(self, sentence: str, why: str) -> None:
        print(f"test {sentence} ... ignored, {why}")
        self.ignored += 1


def call(command: list[str], timeout_s: int = 300) -> tuple[bool, str]:
    """Runs a command; gives whether it was good, and what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return False, f"{' '.join(command)}: still running after {timeout_s} s"
    return done.returncode == 0, done.stdout + done.stderr


def find(name: str, flags: list[str]) -> Compiler | None:
    """The compiler of that name, or the newest with a version behind it (clang++-19)."""
    names = [name] + [f"{name}-{version}" for version in range(30, 8, -1)]
    path = next((found for n in names if (found := shutil.which(n))), None)
    if path is None:
        return None
    version = call([path, "-dumpfullversion" if name.startswith("g") else "-dumpversion"])
    return Compiler(name, path, version[1].strip(), flags)


def c_cells(compiler: Compiler, options: Options) -> list[tuple[str, list[str], Path]]:
    """Ways of compiling the C header, each into a program."""
    cells: list[tuple[str, list[str], Path]] = []
    for standard in ["c11", "c17", "c2x"]:
        for extra in ([], ["-fshort-enums"]):
            name = f"{compiler.name} {compiler.version} {' '.join([standard, *extra])}"
            program = options.out / re.sub(r"[^a-z0-9]+", "_", name)
            source = [str(HERE / "header.c"), "-o", str(program)]
            flags = [f"-std={standard}", *extra, *compiler.flags, *options.compile_flags()]
            cells.append((name, [compiler.path, *flags, *source, *options.link_flags()], program))
    return cells


def cpp_cells(compiler: Compiler, options: Options) -> dict[str, list[list[str]]]:
    """Ways of compiling every C++ file, without making anything."""
    cells: dict[str, list[list[str]]] = {}
    for standard in ["c++17", "c++20", "c++23"]:
        flags = [f"-std={standard}", *compiler.flags, *options.compile_flags(), "-fsyntax-only"]
        plain = [
            [compiler.path, *flags, *EXTRA.get(program, []), str(HERE / source)]
            for program, sources in PROGRAMS.items()
            for source in sources
        ]
        name = f"{compiler.name} {compiler.version} {standard}"
        cells[name] = plain
        short = [[compiler.path, *flags, "-fshort-enums", str(HERE / "units_other.cpp")]]
        cells[name + " -fshort-enums"] = short
    return cells


def matrix(options: Options, tally: Tally) -> dict[str, Compiler]:
    """Compiles everything in every way. Gives the compilers that are there."""
    there: dict[str, Compiler] = {}
    for name, flags, package in [
        ("gcc", STRICT, "gcc"),
        ("clang", CLANG, "clang"),
        ("g++", STRICT, "g++"),
        ("clang++", CLANG, "clang"),
    ]:
        compiler = find(name, flags)
        if compiler is None:
            tally.ignore(
                f"{name} compiles the headers", f"{name} is missing: apt install {package}"
            )
        else:
            there[name] = compiler
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for name in ["gcc", "clang"]:
            if name not in there:
                continue
            cells = c_cells(there[name], options)
            for (cell, _, program), (good, output) in zip(
                cells, pool.map(call, [command for _, command, _ in cells]), strict=True
            ):
                if good:
                    good, output = call([str(program)])
                tally.test(f"the C header is compiled and works: {cell}", good, output)
        for name in ["g++", "clang++"]:
            if name not in there:
                continue
            for cell, commands in cpp_cells(there[name], options).items():
                outcomes = list(pool.map(call, commands))
                bad = "\n".join(output for good, output in outcomes if not good)
                files = f"{len(commands)} files" if len(commands) > 1 else "1 file"
                tally.test(f"{files} compiled without a warning: {cell}", not bad, bad)
    return there


def run_tests(compiler: Compiler, standard: str, options: Options, tally: Tally) -> None:
    """Builds the test programs in one way, and runs them."""
    print(f"\nrunning the tests as {compiler.name} {compiler.version} {standard} builds them")

    def build(program: str) -> tuple[bool, str]:
        flags = [f"-std={standard}", "-O1", "-g", *compiler.flags, *EXTRA.get(program, [])]
        sources = [str(HERE / source) for source in PROGRAMS[program]]
        out = ["-o", str(options.out / program)]
        where = [*options.compile_flags(), *sources, *out, *options.link_flags()]
        return call([compiler.path, *flags, *where])

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        built = dict(zip(PROGRAMS, pool.map(build, PROGRAMS), strict=True))
    for program, (good, output) in built.items():
        print(f"\n{program}:")
        if not good:
            tally.test(f"{program} is built", False, output)
            continue
        good, output = call([str(options.out / program)], 120)
        results = re.findall(r"^test result: .* (\d+) passed; (\d+) failed", output, re.M)
        print(re.sub(r"^test result: .*\n?", "", output, flags=re.M), end="")
        if not results:
            tally.test(f"{program} comes to its end", False, output)
            continue
        passed, failed = map(int, results[-1])
        tally.passed += passed
        tally.failed += failed
        if not good and failed == 0:
            tally.test(f"{program} ends well", False, output)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--include",
        action="append",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder of rmedia.h or rmedia.hpp; may be given twice",
    )
    parser.add_argument(
        "--lib", required=True, type=Path, metavar="DIR", help="folder of librmedia.so"
    )
    given = parser.parse_args()
    if not (given.lib / "librmedia.so").exists():
        parser.error(f"there is no librmedia.so in {given.lib}")
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="rmedia-cpp-") as out:
        includes = [path.resolve() for path in given.include]
        options = Options(includes, given.lib.resolve(), Path(out))
        there = matrix(options, tally)
        for name, standard in [("g++", "c++17"), ("clang++", "c++20")]:
            if name in there:
                run_tests(there[name], standard, options, tally)
    word = "ok" if tally.failed == 0 else "FAILED"
    print(
        f"\ntest result: {word}. {tally.passed} passed; {tally.failed} failed; "
        f"{tally.ignored} ignored"
    )
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
