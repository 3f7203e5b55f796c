#!/usr/bin/env python3
"""Compiles the drivers in C and C++ and prints the fronts for run.py, one a line.

    build.py --include DIR... --lib DIR --out DIR [--programs DIR] | xargs python3 run.py

`--include` has rmedia.h, and rmedia.hpp (without it there is no front `cpp`); `--lib` has the
library; `--programs` is where cargo has put conformance-rust, conformance-binding and rmedia.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

DRIVERS = Path(__file__).resolve().parent / "drivers"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
LIBRARIES = ["librmedia.so", "librmedia.dylib"]


@dataclass(frozen=True)
class Place:
    """Where things are."""

    include: list[Path]
    lib: Path
    out: Path
    programs: Path | None

    def library(self) -> Path:
        """The shared library."""
        for name in LIBRARIES:
            if (self.lib / name).exists():
                return self.lib / name
        sys.exit(f"{self.lib} has no {LIBRARIES[0]}")

    def compile(self, compiler: list[str], suffix: str) -> Path:
        """Compiles a driver."""
        made = self.out / f"conformance-{suffix}"
        sources = sorted(str(path) for path in (DRIVERS / suffix).glob(f"*.{suffix}"))
        folders = [f"-I{folder}" for folder in self.include]
        link = [f"-L{self.lib}", f"-Wl,-rpath,{self.lib}", "-lrmedia", "-o", str(made)]
        flags = shlex.split(os.environ.get("CFLAGS", "-O1 -g"))
        command = [*compiler, *WARNINGS, *flags, *folders, *sources, *link]
        if subprocess.run(command, check=False).returncode != 0:
            sys.exit(f"the driver in {suffix} can't be compiled")
        return made


def arguments() -> Place:
    """What is asked for."""
    parser = argparse.ArgumentParser(description="Compiles drivers, prints fronts.")
    parser.add_argument("--include", action="append", required=True, type=Path, metavar="DIR")
    parser.add_argument("--lib", required=True, type=Path, metavar="DIR")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--programs", type=Path, metavar="DIR")
    given = parser.parse_args()
    include = [folder.absolute() for folder in cast(list[Path], given.include)]
    programs = cast("Path | None", given.programs)
    lib, out = cast(Path, given.lib).absolute(), cast(Path, given.out).absolute()
    return Place(include, lib, out, programs.absolute() if programs else None)


def main() -> None:
    """Compiles and prints."""
    place = arguments()
    place.out.mkdir(parents=True, exist_ok=True)
    fronts: dict[str, list[str | Path]] = {}
    if place.programs is not None:
        fronts["rust"] = [place.programs / "conformance-rust"]
        fronts["binding-rust"] = [place.programs / "conformance-binding"]
        fronts["cli"] = [sys.executable, DRIVERS / "cli.py", place.programs / "rmedia"]
    compiler = os.environ.get("CC", "cc")
    fronts["c"] = [place.compile([compiler, "-std=c11", "-D_XOPEN_SOURCE=700"], "c")]
    if any((folder / "rmedia.hpp").exists() for folder in place.include):
        compiler = os.environ.get("CXX", "c++")
        fronts["cpp"] = [place.compile([compiler, "-std=c++17"], "cpp")]
    else:
        print("no rmedia.hpp: no front 'cpp'", file=sys.stderr)
    fronts["ctypes"] = [sys.executable, DRIVERS / "ctypes_driver.py", place.library()]
    for name, command in fronts.items():
        words = shlex.join(str(word) for word in command)
        print(shlex.join(["--front", f"{name}={words}"]))


if __name__ == "__main__":
    main()
