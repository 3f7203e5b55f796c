"""What the package and the engine have to tell, as logs of Python's.

`remotemedia` tells events of pipelines, `remotemedia.engine` lines of the engine. Nothing is
printed unless the program asks for it: the package adds no handler but a `NullHandler`. The command
`remotemedia` listens where `REMOTEMEDIA_LOG` (or, without it, `RUST_LOG`) says so: `debug`, or
`remotemedia=debug,remotemedia.engine=trace`; levels are off, error, warn, info, debug and trace.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from .errors import ConfigurationError

__all__ = ["ENGINE", "LOG", "configure", "directives", "drain_log"]

LOG = logging.getLogger("remotemedia")
# What nobody listens to is not printed.
LOG.addHandler(logging.NullHandler())
ENGINE = logging.getLogger("remotemedia.engine")

#: Below debug.
TRACE = 5
LEVELS = {
    "off": logging.CRITICAL + 1,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}
VARIABLES = ("REMOTEMEDIA_LOG", "RUST_LOG")
_HANDLER = "remotemedia.environment"
#: Names under which earlier versions logged.
_EARLIER = ("remotemedia_ffi", "remotemedia_runtime", "remotemedia_runtime_core")


class Engine(Protocol):
    """What has a log."""

    def next_log(self) -> dict[str, Any] | None:
        """Takes the oldest line."""
        ...


def drain_log(engine: Engine) -> int:
    """Takes what the engine has logged into the logger `remotemedia.engine`. Gives how many lines.

    Does nothing where that logger takes not even errors; the engine keeps its newest 1024 lines.
    """
    if not ENGINE.isEnabledFor(logging.ERROR):
        return 0
    count = 0
    while (line := engine.next_log()) is not None:
        count += 1
        level = LEVELS.get(str(line.get("level")), logging.INFO)
        if not ENGINE.isEnabledFor(level):
            continue
        if line.get("lost"):
            ENGINE.log(level, "%s lines of the engine's log were lost", line["lost"])
        where = f"{line['pipeline']}: " if line.get("pipeline") else ""
        ENGINE.log(level, "%s%s", where, line.get("message"), extra={"time_ns": line["time_ns"]})
    return count


def directives(text: str, strict: bool) -> dict[str, int]:
    """The level of each logger that a text like `info,remotemedia.engine=trace` names.

    A level alone is for `remotemedia`; names of others are left out. `strict`: ConfigurationError
    for a level that is none, which is else left out, too.
    """
    levels: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, has_level, level = part.partition("=")
        if not has_level:
            name, level = ("remotemedia", part) if part.lower() in LEVELS else (part, "trace")
        name = name.strip().replace("::", ".")
        base = name.split(".")[0]
        if base in _EARLIER:
            name = "remotemedia" + name.removeprefix(base)
        found = LEVELS.get(level.strip().lower())
        known = name == "remotemedia" or name.startswith("remotemedia.")
        if strict and (found is None or not known):
            raise ConfigurationError(
                f"REMOTEMEDIA_LOG: {part!r} is not understood: write a level "
                f"({', '.join(key for key in LEVELS if key != 'warning')}) or remotemedia=LEVEL, "
                "parted by commas"
            )
        if found is not None and known:
            levels[name] = found
    return levels


def configure(environment: Mapping[str, str] = os.environ, stream: TextIO | None = None) -> bool:
    """Sets levels, and a handler that writes to `stream` (standard error), as the variables say.

    For programs, not for libraries. Whether a variable is set. ConfigurationError: REMOTEMEDIA_LOG
    is not understood; what RUST_LOG says is also for others, so that is only left out.
    """
    logging.addLevelName(TRACE, "TRACE")
    name = next((name for name in VARIABLES if environment.get(name)), None)
    if name is None:
        return False
    for logger, level in directives(environment[name], name == "REMOTEMEDIA_LOG").items():
        logging.getLogger(logger).setLevel(level)
    # Asked again, it takes the place of the one before.
    for before in [handler for handler in LOG.handlers if handler.name == _HANDLER]:
        LOG.removeHandler(before)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(_HANDLER)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    LOG.addHandler(handler)
    return True
