"""YAML as the engine reads it: the core schema of YAML 1.2. Needs PyYAML; only the fallback uses
it."""

from __future__ import annotations

import re
from typing import Any, ClassVar, cast

from .errors import ConfigurationError


def load(text: str) -> dict[str, Any]:
    """A manifest's YAML."""
    try:
        import yaml  # pyright: ignore[reportMissingModuleSource]
    except ImportError as error:
        message = "reading YAML without the native engine needs PyYAML: pip install pyyaml"
        raise ImportError(message) from error
    plain = cast("Any", yaml)

    class Core(plain.SafeLoader):
        """Plain scalars as YAML 1.2 has them, so that `no` and `12:30` are text."""

        yaml_implicit_resolvers: ClassVar[Any] = {}

    for tag, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("null", r"~|null|Null|NULL|", "~nN\0"),
        ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ):
        Core.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}",
            re.compile(f"^(?:{pattern})$"),
            [*first.replace("\0", ""), ""],
        )
    loaded = plain.load(text, Core)
    if not isinstance(loaded, dict):
        raise ConfigurationError("a manifest is an object with version, nodes and connections")
    return cast("dict[str, Any]", loaded)
