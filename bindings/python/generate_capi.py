#!/usr/bin/env python3
"""Writes `remotemedia/capi.py` (the C library for ctypes) and `tests/layout.c` from the header.

    generate_capi.py            writes both
    generate_capi.py --check    fails when they are not what the header asks for

The header is generated itself and regular: one form of each thing, a comment before it. What stands
in another form is an error here and not left out. Behind the plain functions `capi.py` has the few
classes of `capi_classes.in`.
"""

from __future__ import annotations

import keyword
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = HERE.parent.parent / "include" / "rmedia.h"

PLAIN = {
    "int32_t": ("c_int32", "int"),
    "uint32_t": ("c_uint32", "int"),
    "int64_t": ("c_int64", "int"),
    "uint64_t": ("c_uint64", "int"),
    "size_t": ("c_size_t", "int"),
    "const char *": ("c_char_p", "bytes | None"),
    "void *": ("c_void_p", "int | None"),
    "const void *": ("c_void_p", "int | None"),
    "const float *": ("POINTER(c_float)", "Pointer"),
}
LIMITS = {"UINT32_MAX": 2**32 - 1, "INT64_MIN": -(2**63), "SIZE_MAX": None}
# Macros with nothing to say outside C.
SKIPPED = re.compile(r"RMEDIA_(H|API|STRUCT_INIT|DEFAULT_ENGINE|[A-Z_]+_INIT)\b")


@dataclass
class Member:
    """A member of a struct, or a parameter of a function."""

    name: str
    type: str
    doc: str = ""


@dataclass
class Header:
    """What the header declares, in its order."""

    constants: list[Member] = field(default_factory=lambda: [])
    # Names of function pointer types.
    callbacks: dict[str, str] = field(default_factory=lambda: {})
    structs: dict[str, tuple[str, list[Member]]] = field(default_factory=lambda: {})
    functions: dict[str, tuple[str, str, list[Member]]] = field(default_factory=lambda: {})


def comment(text: str) -> str:
    """The words of a doc comment."""
    lines = text.removeprefix("/**").removesuffix("*/").strip().splitlines()
    return "\n".join(line.strip().removeprefix("*").strip() for line in lines).strip()


def declared(text: str, doc: str = "") -> Member:
    """A type and a name: `const char *name`."""
    words = " ".join(text.split())
    if pointer := re.fullmatch(r".*\(\*(\w+)\)\(.*\)", words):
        return Member(pointer[1], "function", doc)
    found = re.fullmatch(r"(.*?)(\w+)", words)
    if found is None:
        raise SystemExit(f"'{words}' is no declaration that this script knows")
    kind = found[1].strip().removeprefix("struct ").replace("const struct ", "const ")
    name = f"{found[2]}_" if keyword.iskeyword(found[2]) else found[2]
    return Member(name, kind, doc)


def parameters(text: str) -> list[Member]:
    """The parameters of a function."""
    return [] if text.strip() == "void" else [declared(part) for part in text.split(",")]


def value(text: str) -> str:
    """The value of a constant, as Python."""
    if text in LIMITS:
        limit = LIMITS[text]
        return "ctypes.c_size_t(-1).value" if limit is None else str(limit)
    number = re.sub(r"(\d)u\b", r"\1", text.strip("()"))
    if not re.fullmatch(r"-?\d+( << \d+)?", number):
        raise SystemExit(f"'{text}' is no constant that this script knows")
    return number


def read_struct(body: str) -> list[Member]:
    """The members of a struct."""
    parts = re.findall(r"(/\*\*.*?\*/)\s*([^;]*);", body, re.S)
    if len(parts) != re.sub(r"/\*.*?\*/", "", body, flags=re.S).count(";"):
        raise SystemExit(f"a member without a comment in:\n{body}")
    return [declared(text, comment(doc)) for doc, text in parts]


def read_header(text: str) -> Header:
    """Reads the header: each declaration with the comment before it."""
    header = Header()
    begin = text.index("#define RMEDIA_NUL_TERMINATED")
    begin = text.rindex("/**", 0, begin)
    text = text[begin : text.index("template <class T>")]
    pattern = re.compile(
        r"(?P<doc>/\*\*(?:(?!\*/).)*\*/)?\s*(?:"
        r"^\#define (?P<macro>\w+)[ ]?(?P<value>[^\n]*)$"
        r"|^typedef struct (?P<struct>\w+) \{(?P<body>.*?)^\} (?P=struct);"
        r"|^typedef (?P<pointed>[^;]*?\(\*(?P<callback>\w+)\)\([^;]*\));"
        r"|^RMEDIA_API\s+(?P<result>[\w ]+?[ *]+)(?P<function>rmedia_\w+)\((?P<params>[^;]*)\);)",
        re.M | re.S,
    )
    for found in pattern.finditer(text):
        doc = comment(found["doc"] or "")
        if name := found["macro"]:
            if not SKIPPED.match(name):
                header.constants.append(Member(name, value(found["value"]), doc))
        elif name := found["struct"]:
            header.structs[name] = (doc, read_struct(found["body"]))
        elif name := found["callback"]:
            header.callbacks[name] = doc
        else:
            params = parameters(found["params"])
            header.functions[found["function"]] = (found["result"].strip(), doc, params)
    left = re.sub(r"/\*.*?\*/|^#.*?$", "", pattern.sub("", text), flags=re.M | re.S)
    left = left.replace('extern "C" {', "").replace("}", "").strip()
    if left:
        raise SystemExit(f"not understood: {left[:200]}")
    return header


class Module:
    """The text of `capi.py`."""

    def __init__(self, header: Header) -> None:
        self.header = header

    def kind(self, c_type: str) -> tuple[str, str]:
        """The ctypes type, and what Python programs see of it."""
        if c_type in PLAIN:
            return PLAIN[c_type]
        if c_type == "function" or c_type in self.header.callbacks:
            return "c_void_p", "int | None"
        if c_type in self.header.structs:
            return c_type, c_type
        if c_type.endswith("*"):
            inner = c_type.removesuffix("*").strip().removeprefix("const ").strip()
            return f"POINTER({self.kind(inner)[0]})", "Pointer"
        raise SystemExit(f"'{c_type}' is no type that this script knows")

    def constants(self) -> str:
        """Constants, with their comments."""
        lines: list[str] = []
        for constant in self.header.constants:
            lines += [f"#: {line}" for line in constant.doc.splitlines()]
            lines.append(f"{constant.name} = {constant.type}")
        return "\n".join(lines)

    def struct(self, name: str, doc: str, members: list[Member]) -> str:
        """A structure."""
        lines = [f"class {name}(ctypes.Structure):", docstring(doc, 4), ""]
        for member in members:
            lines += [f"    #: {line}" for line in member.doc.splitlines()]
            lines.append(f"    {member.name}: {self.kind(member.type)[1]}")
        fields = [f'        ("{m.name}", {self.kind(m.type)[0]}),' for m in members]
        return "\n".join([*lines, "", "    _fields_: ClassVar[Json] = [", *fields, "    ]"])

    def function(self, name: str, result: str, doc: str, params: list[Member]) -> str:
        """A function, as a method whose types `_function` gives to ctypes."""
        kinds = [self.kind(param.type) for param in params]
        types = [self.kind(result)[0], *(kind for kind, _ in kinds)]
        seen = [f"{p.name}: {kind[1]}" for p, kind in zip(params, kinds, strict=True)]
        lines = [
            call("    @_function(", types, ")"),
            call(f"    def {name}(", ["self", *seen], ")"),
        ]
        lines[1] += f" -> {self.kind(result)[1]}:"
        return "\n".join([*lines, docstring(doc, 8), "        ..."])

    def text(self) -> str:
        """All of it."""
        structs = [self.struct(name, *what) for name, what in self.header.structs.items()]
        functions = [self.function(name, *what) for name, what in self.header.functions.items()]
        classes = (HERE / "capi_classes.in").read_text(encoding="utf-8")
        begin, rest = classes.split("# === constants and structs ===\n")
        middle, end = rest.split("    # === functions ===\n")
        made = [begin, self.constants(), "\n\n\n", "\n\n\n".join(structs), "\n\n", middle]
        return "".join([*made, "\n\n".join(functions), "\n", end])


def docstring(doc: str, indent: int) -> str:
    """A docstring, indented."""
    return textwrap.indent(f'"""{doc}"""' if "\n" not in doc else f'"""{doc}\n"""', " " * indent)


def call(head: str, words: list[str], tail: str) -> str:
    """A list of words in brackets, on one line if it fits."""
    line = f"{head}{', '.join(words)}{tail}"
    if len(line) <= 88:
        return line
    indent = " " * (len(head) - len(head.lstrip()))
    inner = "".join(f"{indent}    {word},\n" for word in words)
    return f"{head}\n{inner}{indent}{tail}"


def layout(header: Header) -> str:
    """A C program that prints size and offsets of every struct."""
    lines: list[str] = []
    for name, (_, members) in header.structs.items():
        lines.append(f'    printf("{name} %zu\\n", sizeof({name}));')
        for member in members:
            what = f"{name}, {member.name}"
            lines.append(f'    printf("{name}.{member.name} %zu\\n", offsetof({what}));')
    head = "/* Generated by generate_capi.py; do not edit. Sizes and offsets as C has them. */"
    includes = "#include <rmedia.h>\n#include <stddef.h>\n#include <stdio.h>"
    return "\n".join([head, includes, "", "int main(void) {", *lines, "    return 0;", "}", ""])


def main() -> int:
    """Writes or checks."""
    header = read_header(HEADER.read_text(encoding="utf-8"))
    files = {
        HERE / "remotemedia" / "capi.py": Module(header).text(),
        HERE / "tests" / "layout.c": layout(header),
    }
    stale = [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is not what the header asks for; run {Path(__file__).name}")
        return 1 if stale else 0
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
