"""The documents that the project began with, and the code in them, to be run as it stands.

`REMOTEMEDIA_SEEDS` names their folder; without it `../shared/seeds` beside the repository is taken.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import shutil
import tempfile
import textwrap
import unittest
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from helpers import MEDIA, ROOT

FOLDER = Path(os.environ.get("REMOTEMEDIA_SEEDS") or ROOT.parent / "shared" / "seeds")
_FENCED = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block. Its key: the document's number, and its place among all blocks there."""

    key: str
    language: str
    text: str


def documents() -> list[Path]:
    """The documents, in order; none where the folder is not there."""
    return sorted(FOLDER.glob("*.txt"))


def blocks() -> dict[str, Block]:
    """Every fenced block, by its key. The texts have bytes that are no UTF-8."""
    found: dict[str, Block] = {}
    for path in documents():
        text = path.read_text(encoding="utf-8", errors="replace")
        for n, (language, body) in enumerate(_FENCED.findall(text), 1):
            key = f"{path.name[:3]}-{n}"
            found[key] = Block(key, language, textwrap.dedent(body))
    return found


@dataclass
class Ran:
    """What running a block left: its names, and what it printed."""

    names: dict[str, Any]
    printed: str = ""
    lines: list[str] = field(default_factory=list[str])


@contextlib.contextmanager
def at(folder: Path) -> Generator[io.StringIO]:
    """In a folder, with what is printed caught."""
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        yield out


def run(block: Block, folder: Path, **given: Any) -> Ran:
    """Runs a block in a folder, with names that it presupposes. With an `await` outside of
    functions it runs in an event loop, as it would in a notebook."""
    code: CodeType = compile(
        block.text, f"seed {block.key}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    names: dict[str, Any] = {"__name__": f"seed_{block.key.replace('-', '_')}", **given}
    with at(folder) as out:
        # A block with `await` gives a coroutine.
        made = eval(code, names)
        if inspect.iscoroutine(made):
            asyncio.run(made)
    return Ran(names, out.getvalue(), out.getvalue().splitlines())


BLOCKS = blocks()


@unittest.skipUnless(BLOCKS, f"there are no seed documents in {FOLDER}")
class Seeds(unittest.TestCase):
    """With the documents, and a folder for each block."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)

    def run_block(self, key: str, **given: Any) -> Ran:
        """Runs a block of Python."""
        self.assertEqual(BLOCKS[key].language, "python")
        return run(BLOCKS[key], self.folder, **given)

    def provide(self, name: str, source: str) -> None:
        """A recording, under the name that a block has for one."""
        shutil.copy(MEDIA / source, self.folder / name)

    def write(self, name: str, text: str) -> None:
        """A file that a block reads."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
