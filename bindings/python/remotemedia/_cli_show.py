"""`remotemedia info`, `nodes` and `validate`."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import platform
import sys
from typing import Any

from . import _catalogue, _native
from .cli import Usage, problem_line
from .errors import Problem

#: What a build may have, by the names of `rmedia_has_feature`.
FEATURES = {
    "media": "reads and writes media files",
    "fft": "resamples offline by FFT",
    "wait_handle": "event loops can wait for it",
}


def info() -> int:
    """Versions, features, threads, live handles."""
    table = _native.function_table()
    abi = int(ctypes.CFUNCTYPE(ctypes.c_uint32)(table["rmedia_abi_version"])())
    has = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p)(table["rmedia_has_feature"])
    features = [name for name in FEATURES if has(name.encode())]
    rows = {
        "remotemedia": _native.__version__,
        "engine ABI": f"{abi >> 8}.{abi & 255}",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "NumPy": _version("numpy"),
        "matplotlib": _version("matplotlib"),
        "features": ", ".join(features) or "none",
        "node types": str(len(_native.Engine.default().nodes())),
        "threads": _counts(_native.Engine.default().threads()),
        "live handles": _counts(_native.live()),
    }
    width = max(map(len, rows))
    for name, text in rows.items():
        print(f"{name:<{width}}  {text}")
    return 0


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"not installed (pip install {name})"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def nodes(name: str | None) -> int:
    """All node types by category, or one of them."""
    types = _catalogue.node_types()
    if name is not None:
        print(_page(_find(types, name)))
        return 0
    categories: dict[str, list[dict[str, Any]]] = {}
    for each in types:
        categories.setdefault(each["category"], []).append(each)
    width = max(len(_shown(each)) for each in types)
    for category in sorted(categories):
        print(category)
        for each in sorted(categories[category], key=_shown):
            print(f"  {_shown(each):<{width}}  {each['summary']}")
        print()
    print("`remotemedia nodes TYPE` shows ports and params of one.")
    return 0


def _shown(kind: dict[str, Any]) -> str:
    return str(kind["node_type"]).removeprefix("rmedia/")


def _find(types: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for kind in types:
        if name in (kind["node_type"], _shown(kind), *kind["aliases"]):
            return kind
    # Asked the way a manifest would, so that the advice is the same.
    asked = {"version": "v1", "nodes": [{"id": "node", "node_type": name}]}
    hints = [problem.hint for problem in _catalogue.validate(asked) if problem.hint]
    hint = hints[0] if hints else "`remotemedia nodes` lists them"
    raise Usage(f"there is no node type '{name}'; {hint}")


def _page(kind: dict[str, Any]) -> str:
    out = [f"{_shown(kind)}: {kind['summary']}", "", f"  category  {kind['category']}"]
    if kind["aliases"]:
        out.append(f"  aliases   {', '.join(kind['aliases'])}")
    for title, ports in (("Inputs", kind["inputs"]), ("Outputs", kind["outputs"])):
        out += ["", title] + ([] if ports else ["  none"])
        for port in ports:
            out.append(f"  {port['name']}  {port['caps']}{', from several' if port['any'] else ''}")
            out += [f"      {line}" for line in port["doc"].splitlines()]
    out += ["", "Params"] + ([] if kind["params"] else ["  none"])
    for param in kind["params"]:
        unit = f", in {param['unit']}" if param["unit"] else ""
        given = f"default {json.dumps(param['default'])}"
        given = "required" if param["required"] else given
        live = ", live" if param["live"] else ""
        out.append(f"  {param['name']}  {param['type']}{unit} ({given}{live})")
        out += [f"      {line.strip()}" for line in param["doc"].splitlines()]
        if param["aliases"]:
            out.append(f"      Other names: {', '.join(param['aliases'])}.")
    return "\n".join(out)


def validate(files: list[str], as_json: bool) -> int:
    """Checks manifests. 1 if one of them can't run."""
    bad = False
    for file in files:
        problems = _problems(file)
        wrong = any(problem.severity == "error" for problem in problems)
        bad = bad or wrong
        if as_json:
            listed = [dataclasses.asdict(problem) for problem in problems]
            print(json.dumps({"file": file, "ok": not wrong, "problems": listed}))
            continue
        for problem in problems:
            print(problem_line(file, problem), file=sys.stderr)
        if not wrong:
            print(f"ok {file}")
    return int(bad)


def _problems(file: str) -> list[Problem]:
    from pathlib import Path

    try:
        return _catalogue.validate(Path(file))
    except OSError as error:
        return [Problem("io.open", f"it can't be read: {error.strerror}")]
    except UnicodeDecodeError:
        return [Problem("manifest.syntax", "it is no text in UTF-8")]
