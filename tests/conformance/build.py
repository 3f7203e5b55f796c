#!/usr/bin/env python3
"""Compiles the drivers in C and C++ and prints the fronts for run.py, one a line.

    build.py --include DIR... --lib DIR --out DIR [--programs DIR] [--wasm FILE] |
        xargs python3 run.py

`--include` has rmedia.h, and rmedia.hpp (without it there is no front `cpp`); `--lib` has the
library; `--programs` is where cargo has put conformance-rust, conformance-binding and rmedia;
`--wasm` is the driver's WebAssembly module; `--python` is a Python that has the package installed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DRIVERS = Path(__file__).resolve().parent / "drivers"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
LIBRARIES = ["librmedia.so", "librmedia.dylib"]


@dataclass(frozen=True)
class Place:
    """Where things are."""

    include: list[Path]
    lib: Path
    out: Path
    programs: Path | None = None
    wasm: Path | None = None
    python: Path | None = None

    def module(self) -> Path:
        """The native module of the installed package, which is a C library, too."""
        find = "import remotemedia._native as native; print(native.__file__)"
        run = subprocess.run([str(self.python), "-c", find], capture_output=True, check=False)
        if run.returncode != 0:
            sys.exit(f"{self.python} has no package: {run.stderr.decode()}")
        return Path(run.stdout.decode().strip())

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


def path(text: str) -> Path:
    """A path that is right from every folder."""
    return Path(text).absolute()


def fronts(place: Place) -> dict[str, str]:
    """Compiles the drivers. The commands of all fronts, by name."""
    place.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[str | Path]] = {}
    if place.programs is not None:
        found["rust"] = [place.programs / "conformance-rust"]
        found["remote"] = ["env", "CONFORMANCE_PLACEMENT=remote", *found["rust"]]
        found["binding-rust"] = [place.programs / "conformance-binding"]
        found["cli"] = [sys.executable, DRIVERS / "cli.py", place.programs / "rmedia"]
    if place.wasm is not None:
        found["wasm"] = ["node", DRIVERS / "wasm" / "play.mjs", place.wasm]
    compiler = os.environ.get("CC", "cc")
    found["c"] = [place.compile([compiler, "-std=c11", "-D_XOPEN_SOURCE=700"], "c")]
    if any((folder / "rmedia.hpp").exists() for folder in place.include):
        compiler = os.environ.get("CXX", "c++")
        found["cpp"] = [place.compile([compiler, "-std=c++17"], "cpp")]
    else:
        print("no rmedia.hpp: no front 'cpp'", file=sys.stderr)
    found["ctypes"] = [sys.executable, DRIVERS / "ctypes_driver.py", place.library()]
    if place.python is not None:
        found["python"] = [place.python, DRIVERS / "python_driver.py"]
        found["ctypes-wheel"] = [place.python, DRIVERS / "ctypes_driver.py", place.module()]
    return {name: shlex.join(str(word) for word in words) for name, words in found.items()}


def main() -> None:
    """Compiles and prints."""
    parser = argparse.ArgumentParser(description="Compiles drivers, prints fronts.")
    parser.add_argument("--include", action="append", required=True, type=path, metavar="DIR")
    parser.add_argument("--lib", required=True, type=path, metavar="DIR")
    parser.add_argument("--out", required=True, type=path, metavar="DIR")
    parser.add_argument("--programs", type=path, metavar="DIR")
    parser.add_argument("--wasm", type=path, metavar="FILE")
    parser.add_argument("--python", type=path, metavar="PROGRAM")
    place = Place(**vars(parser.parse_args()))
    for name, command in fronts(place).items():
        print(shlex.join(["--front", f"{name}={command}"]))


if __name__ == "__main__":
    main()
