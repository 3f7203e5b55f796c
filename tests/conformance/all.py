#!/usr/bin/env python3
"""Every front plays every case, and the table of names is checked.

    all.py --include DIR... --lib DIR

The programs that cargo builds (conformance-rust, conformance-binding, rmedia) are there already, in
target/debug.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

from build import Place, fronts

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")).absolute()


def main() -> int:
    """Compiles, plays and checks; not 0 if anything is wrong."""
    parser = argparse.ArgumentParser(description="Plays all cases through all fronts.")
    parser.add_argument("--include", action="append", required=True, type=Path, metavar="DIR")
    parser.add_argument("--lib", required=True, type=Path, metavar="DIR")
    given = parser.parse_args()
    include, lib = cast(list[Path], given.include), cast(Path, given.lib)
    place = Place.of(include, lib, TARGET / "conformance", TARGET / "debug")
    names = subprocess.run([sys.executable, str(HERE / "parity.py")], check=False)
    words = [f"--front={name}={command}" for name, command in fronts(place).items()]
    cases = subprocess.run([sys.executable, str(HERE / "run.py"), *words], check=False)
    return names.returncode or cases.returncode


if __name__ == "__main__":
    sys.exit(main())
