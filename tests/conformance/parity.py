#!/usr/bin/env python3
"""Checks parity.toml: every function of the header has a name in every language, or a reason.

    parity.py [--cpp FILE]

Names are looked up in the sources: `--cpp` says where rmedia.hpp is, if it is elsewhere.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import cast

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Plain types of the languages, which no source declares.
PLAIN = {"String", "str"}


def header_functions() -> list[str]:
    """Functions of the header, in its order."""
    text = (ROOT / "include" / "rmedia.h").read_text(encoding="utf-8")
    return re.findall(r"^RMEDIA_API[^;]*?(rmedia_\w+)\(", text, re.M)


def source(path: Path) -> str:
    """The text of a file, or of all files in a folder."""
    # The Python package's ctypes module is a language of its own.
    kinds = ("*.rs", "*.pyi", "errors.py")
    files = sorted(f for k in kinds for f in path.rglob(k)) if path.is_dir() else [path]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return re.sub(r"^\s*(//|#).*$", "", text, flags=re.M)


def block(text: str, head: str, last: str) -> str:
    """Everything inside what begins so, up to the line that ends it."""
    found: list[str] = []
    for begin in re.finditer(head, text, re.M):
        lines = text[begin.start() :].splitlines()
        end = next((n for n, line in enumerate(lines[1:], 1) if re.match(last, line)), len(lines))
        found += lines[: end + 1]
    return "\n".join(found)


def exists(language: str, name: str, text: str) -> bool:
    """Whether the sources declare a name."""
    owner, _, member = re.sub(r"::|\.", " ", name).partition(" ")
    if name in PLAIN:
        return True
    heads = {
        "cpp": rf"^(class|struct) {owner}\b.*$|^(inline|template).*\b{owner}\(",
        "binding-rust": rf"^impl\b.*\b{owner}\b.*\{{$|^pub (struct|fn) {owner}\b",
        "ctypes": rf"^(class|def) {owner}\b",
        "python": rf"^(class|def) {owner}\b|^{owner}: ",
    }
    inside = block(text, heads[language], r"\S" if language in ("ctypes", "python") else r"\}")
    if not member or not inside:
        return bool(inside)
    members = {
        "cpp": rf"(?<!\.){re.escape(member)}\(",
        "binding-rust": rf"fn {member}\b",
        "ctypes": rf"def {member}\(|self\.{member}\b",
        "python": rf"def {member}\(|self\.{member}\b|^    {member}: ",
    }
    if re.search(members[language], inside, re.M):
        return True
    base = re.search(rf"^class {owner}\((\w+)\)", text, re.M)
    return base is not None and exists(language, f"{base[1]}.{member}", text)


def check(language: str, text: str, table: dict[str, dict[str, str]]) -> list[str]:
    """What is wrong with a language's column."""
    wrong: list[str] = []
    for function, names in table.items():
        name = names.get(language, "")
        used = re.search(rf"\b{function}\b", text) is not None
        if name.startswith("n/a: "):
            if used:
                wrong.append(f"{function}: n/a in {language}, but used there")
        elif not name or not exists(language, name, text):
            wrong.append(f"{function}: {language} has no '{name}'")
        elif not used and language != "python":
            # Python's module goes through the crate of the bindings.
            wrong.append(f"{function}: '{name}' of {language} does not use it")
    return wrong


def main() -> int:
    """Checks all columns; 1 if anything is wrong."""
    told = tomllib.loads((HERE / "parity.toml").read_text(encoding="utf-8"))
    table = cast(dict[str, dict[str, str]], told["functions"])
    functions = header_functions()
    wrong = [f"{name}: not in parity.toml" for name in functions if name not in table]
    wrong += [f"{name}: not in the header" for name in table if name not in functions]
    for language, place in cast(dict[str, str], told["sources"]).items():
        path = ROOT / place
        if language == "cpp" and "--cpp" in sys.argv:
            path = Path(sys.argv[sys.argv.index("--cpp") + 1])
        if path.exists():
            wrong += check(language, source(path), table)
        else:
            print(f"{place} is not there: '{language}' is not checked")
    for line in wrong:
        print(line)
    print(f"{len(functions)} functions, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
