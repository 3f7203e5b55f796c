"""Exceptions of the package.

Everything that the engine reports is a `RemoteMediaError`, with the engine's stable detail id
(`docs/reference/errors.md`), and where they are known the node, the port, the JSON pointer into the
manifest, and what to do. Text that helps is also a note (`__notes__`) of the exception.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ArgumentError",
    "BackpressureError",
    "ConfigurationError",
    "ForkError",
    "FormatError",
    "InternalError",
    "Interrupted",
    "LateError",
    "LimitError",
    "ManifestError",
    "MediaFileError",
    "NodeError",
    "NotFoundError",
    "PipelineCancelled",
    "PipelineError",
    "Problem",
    "PullTimeout",
    "RateAssumedWarning",
    "RemoteExecutionError",
    "RemoteMediaError",
    "SerializationError",
    "StateError",
    "UnsupportedError",
    "WebRTCError",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a manifest."""

    detail: str
    message: str
    pointer: str | None = None
    node: str | None = None
    hint: str | None = None
    line: int | None = None
    column: int | None = None
    severity: str = "error"
    #: Everything about it, as the engine says it.
    report: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)

    @classmethod
    def of(cls, problem: dict[str, Any]) -> Problem:
        """From the engine's JSON."""
        known = {name: problem.get(name) for name in ("pointer", "node", "hint", "line", "column")}
        detail, message = problem.get("detail", ""), problem.get("message", "")
        severity = problem.get("severity", "error")
        return cls(detail, message, severity=severity, report=problem, **known)

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: " if self.line else ""
        pointer = f" (at {self.pointer})" if self.pointer else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}{self.message}{pointer}{hint}"


class RemoteMediaError(Exception):
    """Something went wrong in the engine or the package.

    `code`: the coarse status, e.g. "InvalidManifest"; `detail`: the stable id of what went wrong;
    `node`, `port`, `pointer`, `hint`: where and what to do, if known; `report`: everything as the
    engine says it.
    """

    code: str = ""
    detail: str = ""
    node: str | None = None
    port: str | None = None
    pointer: str | None = None
    hint: str | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.report: dict[str, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (type(self), self.args, self.__dict__))

    def _tell(self, note: str) -> None:
        # Python 3.11 shows notes; before it they are only kept.
        self.__dict__.setdefault("__notes__", []).append(note)


def _restored(
    kind: type[RemoteMediaError], args: tuple[Any, ...], state: dict[str, Any]
) -> RemoteMediaError:
    made = kind.__new__(kind, *args)
    Exception.__init__(made, *args)
    made.__dict__.update(state)
    return made


class PipelineError(RemoteMediaError):
    """A pipeline can't do what is asked."""


class ManifestError(PipelineError, ValueError):
    """A manifest does not describe a pipeline that can run. `problems` lists all that is wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = ()


class ArgumentError(RemoteMediaError, ValueError):
    """A value is not what the call takes."""


class FormatError(PipelineError, ValueError):
    """Data of this kind, type, shape or format does not fit here."""

    #: Of `pull_into`: the packet that did not fit.
    packet: Any = None


class NotFoundError(RemoteMediaError, LookupError):
    """A file, node, port or type of that name does not exist."""


class UnsupportedError(RemoteMediaError, NotImplementedError):
    """Understood, but this build does not do it."""


class MediaFileError(RemoteMediaError, OSError):
    """The system refused a file operation."""


class LimitError(PipelineError):
    """A stated limit (memory, size, depth, count) would be passed."""


class StateError(PipelineError):
    """The pipeline is not in a state in which the call has a meaning, e.g. closed."""


class PipelineCancelled(StateError):
    """The pipeline was cancelled."""


class LateError(PipelineError):
    """A packet lies before what its port has already passed. It was not taken."""


class BackpressureError(PipelineError):
    """There is no room: the packet was not taken, and stays with the caller."""


class Interrupted(PipelineError):
    """An interrupt came while a push waited for room: the packet was not taken."""


class PullTimeout(RemoteMediaError, TimeoutError):
    """No packet came in time. Nothing is lost: pull again."""


class NodeError(RemoteMediaError):
    """A node failed. `node` is its id; a node written in Python has its exception as
    `__cause__`."""


class ForkError(RemoteMediaError, RuntimeError):
    """The process was forked after the engine was used: the child can't use it."""


class InternalError(RemoteMediaError):
    """A fault of the engine or the package itself. Its pipeline is over, the process lives on."""


class ConfigurationError(RemoteMediaError, ValueError):
    """A configuration is not right."""


class SerializationError(RemoteMediaError):
    """A value can't be made bytes, or bytes no value."""


class RemoteExecutionError(RemoteMediaError):
    """Something failed on a server; `remote_traceback` is the server's, if it gave one."""

    def __init__(self, message: str = "", remote_traceback: str | None = None) -> None:
        super().__init__(message)
        self.remote_traceback = remote_traceback


class WebRTCError(RemoteMediaError):
    """A WebRTC connection failed."""


class RateAssumedWarning(UserWarning):
    """Audio came without a rate, so 48 kHz was taken."""


_BY_STATUS: dict[str, type[RemoteMediaError]] = {
    "InvalidArgument": ArgumentError,
    "InvalidManifest": ManifestError,
    "NotFound": NotFoundError,
    "Unsupported": UnsupportedError,
    "Format": FormatError,
    "Io": MediaFileError,
    "Limit": LimitError,
    "State": StateError,
    "Closed": StateError,
    "Cancelled": PipelineCancelled,
    "Node": NodeError,
    "Panic": InternalError,
    "Reentrant": StateError,
    "Late": LateError,
    "Unavailable": RemoteExecutionError,
    "BadHandle": StateError,
    "Forked": ForkError,
}

_FORK_HINT = (
    "start processes with multiprocessing's 'spawn' or 'forkserver', "
    "or fork before the engine is used"
)


def from_native(status: int, name: str, detail: str, message: str, report: str) -> RemoteMediaError:
    """The exception for an error of the engine: what the native module calls."""
    error = _BY_STATUS.get(name, RemoteMediaError)(message)
    error.code, error.detail = name, detail
    error.report = {"status": status, "code": name, "detail": detail, "message": message}
    if report:
        error.report.update(json.loads(report))
    for part in ("node", "port", "pointer", "hint"):
        setattr(error, part, error.report.get(part))
    if isinstance(error, ManifestError):
        problems = error.report.get("problems") or ()
        error.problems = tuple(Problem.of(problem) for problem in problems)
        for problem in error.problems[1:]:
            error._tell(f"also: {problem}")  # pyright: ignore[reportPrivateUsage]
    if isinstance(error, ForkError) and not error.hint:
        error.hint = _FORK_HINT
    if error.hint and error.hint not in message:
        error._tell(f"hint: {error.hint}")  # pyright: ignore[reportPrivateUsage]
    return error
