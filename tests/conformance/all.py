#!/usr/bin/env python3
"""Every front plays every case, and the table of names is checked.

    all.py --include DIR... --lib DIR

The programs that cargo builds (conformance-rust, conformance-binding, rmedia) are there already, in
target/debug; the front `wasm` plays if `cargo xtask wasm-test` has built its module.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

from build import Place, fronts, path

HERE = Path(__file__).resolve().parent
TARGET = path(os.environ.get("CARGO_TARGET_DIR", str(HERE.parent.parent / "target")))
WASM = TARGET / "wasm/wasm32-unknown-unknown/wasm/conformance_wasm.wasm"


def main() -> int:
    """Compiles, plays and checks; not 0 if anything is wrong."""
    parser = argparse.ArgumentParser(description="Plays all cases through all fronts.")
    parser.add_argument("--include", action="append", required=True, type=path, metavar="DIR")
    parser.add_argument("--lib", required=True, type=path, metavar="DIR")
    parser.add_argument("--python", type=path, metavar="PROGRAM", help="has the package installed")
    given = parser.parse_args()
    include, lib = cast(list[Path], given.include), cast(Path, given.lib)
    wasm = WASM if WASM.exists() else None
    python = cast(Path | None, given.python)
    place = Place(include, lib, TARGET / "conformance", TARGET / "debug", wasm, python)
    names = subprocess.run([sys.executable, str(HERE / "parity.py")], check=False)
    words = [f"--front={name}={command}" for name, command in fronts(place).items()]
    cases = subprocess.run([sys.executable, str(HERE / "run.py"), *words], check=False)
    return names.returncode or cases.returncode


if __name__ == "__main__":
    sys.exit(main())
