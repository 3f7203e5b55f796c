"""Nodes written in Python.

    @remotemedia.node
    def shout(text: str) -> str:
        return text.upper()

    class Louder(remotemedia.Node):
        def process(self, data):
            return np.asarray(data) * 2

`process` gets what a packet holds: text as str, json as its value, bytes, tensors as arrays; audio
and video as a `Packet`, which is a read-only array to NumPy and knows its rate, channels and time.
It
returns or yields the same, `(array, rate)` for audio of another rate, a `Packet`, an `Output` for a
certain port, or None for nothing. It may be a function, a generator, or one of both with `async`.
"""

from __future__ import annotations

import inspect
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast, overload

from .errors import ConfigurationError

T = TypeVar("T")

#: Sessions that a node keeps the state of, unless it says otherwise.
MAX_SESSIONS = 1000
#: Seconds after which the state of a session that nobody asks for is forgotten.
STATE_TTL = 24 * 3600.0


class Done:
    """Something that is done: it may be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


class SessionState(dict[str, Any]):
    """What a node keeps for a session."""

    def set(self, key: str, value: Any) -> None:
        """As `state[key] = value`."""
        self[key] = value


class Node:
    """Base class of nodes written in Python.

    `__init__` stores the configuration and nothing more. `initialize` is called once before the
    first item, `process` for each item, `flush` (if there is one) at the end for what is still
    inside, `cleanup` once at the end, also after an error. Each of them may be `async`.

    `is_streaming = True`: `process` is an async generator that gets the whole stream, an async
    iterator, and is called once.

    A class may say what it takes and gives: `inputs`, `outputs` (as in `remotemedia.node`), and
    `max_in_flight`, how many items an async `process` works on at a time.
    """

    is_streaming: bool = False
    max_in_flight: int = 1
    inputs: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None
    outputs: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None

    def __init__(
        self,
        name: str | None = None,
        *,
        enable_state: bool = True,
        state_ttl: float | None = None,
        max_sessions: int | None = None,
        **config: Any,
    ) -> None:
        self.name = name or type(self).__name__
        self.config = config
        self.enable_state = enable_state
        self._state_ttl = STATE_TTL if state_ttl is None else state_ttl
        self._max_sessions = MAX_SESSIONS if max_sessions is None else max_sessions
        self._session_id: str | None = None
        self._sessions: OrderedDict[str, tuple[float, SessionState]] = OrderedDict()

    def initialize(self) -> Any:
        """Loads what is heavy: models, files, devices. Runs where the node runs."""
        return Done()

    def process(self, data: Any) -> Any:
        """Works on one item."""
        raise NotImplementedError(f"{type(self).__name__} has no process()")

    def cleanup(self) -> Any:
        """Lets go of what `initialize` has made."""
        return Done()

    def get_config(self) -> dict[str, Any]:
        """The configuration, as it was given."""
        return dict(self.config)

    def set_session_id(self, session_id: str | None) -> None:
        """Says whose items come next."""
        self._session_id = session_id

    def get_session_id(self) -> str | None:
        """Whose items come."""
        return self._session_id

    def get_session_state(self, session_id: str | None = None) -> SessionState:
        """What this node keeps for a session; new ones begin empty, old ones are forgotten."""
        if not self.enable_state:
            raise ConfigurationError(
                f"the node '{self.name}' keeps no state: enable_state is False"
            )
        key, now = session_id or self._session_id or "default", time.monotonic()
        while self._sessions and now - next(iter(self._sessions.values()))[0] > self._state_ttl:
            self._sessions.popitem(last=False)
        _, state = self._sessions.pop(key, (now, SessionState()))
        self._sessions[key] = (now, state)
        while len(self._sessions) > self._max_sessions:
            self._sessions.popitem(last=False)
        return state


@dataclass(frozen=True)
class Output:
    """What `process` gives, with more said: the port, and what `Packet` takes beside data."""

    value: Any
    port: str = "out"
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def to(cls, port: str, value: Any, **options: Any) -> Output:
        """`Output.to("levels", 0.3)`; options are those of `Packet`: rate, pts_ns, kind, …"""
        return cls(value, port, options)


@dataclass(frozen=True)
class NodeType:
    """A type of node that manifests can name."""

    name: str
    make: Callable[[dict[str, Any]], Any]
    declaration: dict[str, Any]


_types: dict[str, NodeType] = {}


def registered() -> dict[str, NodeType]:
    """The types that `node` has registered, by full name."""
    return dict(_types)


def unregister(name: str) -> None:
    """Forgets a type; pipelines that run keep it."""
    _types.pop(_full(name), None)


@overload
def node(target: Callable[..., Any], /) -> Callable[..., Any]: ...
@overload
def node(
    name: str | None = None,
    /,
    *,
    inputs: Mapping[str, Mapping[str, Any]] | None = None,
    outputs: Mapping[str, Mapping[str, Any]] | None = None,
    kind: str | None = None,
    rate: int | None = None,
    channels: int | None = None,
    samples: str | None = None,
    max_in_flight: int = 1,
    summary: str = "",
) -> Callable[[T], T]: ...
def node(
    target: Any = None,
    /,
    *,
    inputs: Mapping[str, Mapping[str, Any]] | None = None,
    outputs: Mapping[str, Mapping[str, Any]] | None = None,
    kind: str | None = None,
    rate: int | None = None,
    channels: int | None = None,
    samples: str | None = None,
    max_in_flight: int = 1,
    summary: str = "",
) -> Any:
    """Makes a function or class a node type, for manifests and for `Pipeline`.

    Its name is that of the function or class, in the namespace `python`, or the one that is given.
    Arguments of the function behind the first, and of the class's `__init__`, are its params.

    `kind`, `rate`, `channels`, `samples` ("f32", "i16", …) say what the input takes: audio is
    adapted to it. `inputs` and `outputs` name several ports, each with `kinds`, `rates`,
    `channels`, `samples`.
    """
    if target is not None and not isinstance(target, str):
        return node(None)(target)

    def register(made: T) -> T:
        plain = cast("Any", made)
        name = _full(target or plain.__name__)
        takes: dict[str, Any] = {
            **({"kinds": [kind]} if kind else {}),
            **({"rates": [rate]} if rate else {}),
            **({"channels": [channels]} if channels else {}),
            **({"samples": [samples]} if samples else {}),
        }
        if takes and not kind and len(takes) > 0:
            takes["kinds"] = ["audio"]
        ports = inputs or getattr(plain, "inputs", None) or {"in": takes}
        declaration = declare(
            name,
            ports,
            outputs or getattr(plain, "outputs", None),
            max(max_in_flight, getattr(plain, "max_in_flight", 1)),
            summary or (inspect.getdoc(made) or "").split("\n")[0],
        )
        declaration["params"] = _params(made)
        # Objects of it, and the function itself, are that in a `Pipeline`, too.
        plain.__remotemedia__ = declaration
        make = _instance if inspect.isclass(made) else _function
        _types[name] = NodeType(name, lambda params: make(plain, params), declaration)
        return made

    return register


def declare(
    name: str,
    inputs: Mapping[str, Mapping[str, Any]] | None,
    outputs: Mapping[str, Mapping[str, Any]] | None,
    max_in_flight: int,
    summary: str = "",
) -> dict[str, Any]:
    """What the engine is told of a node type."""
    return {
        "name": name,
        "summary": summary or "A node written in Python.",
        "category": "python",
        "inputs": [{"name": port, **caps} for port, caps in (inputs or {"in": {}}).items()],
        "outputs": [{"name": port, **caps} for port, caps in (outputs or {"out": {}}).items()],
        "max_in_flight": max_in_flight,
        # What Python code does is not known, so that equal bytes are not promised.
        "determinate": False,
    }


def declared(node: Any, name: str) -> dict[str, Any]:
    """What the engine is told of a node that is given as an object."""
    own = cast("Any", getattr(node, "function", None) or type(node))
    said: dict[str, Any] | None = getattr(own, "__dict__", {}).get("__remotemedia__")
    if said is not None:
        # Its params are set already.
        return {**said, "name": name, "params": []}
    return declare(
        name,
        getattr(node, "inputs", None),
        getattr(node, "outputs", None),
        int(getattr(node, "max_in_flight", 1)),
    )


def _full(name: str) -> str:
    return name if "/" in name else f"python/{name}"


_KINDS: dict[Any, str] = {bool: "bool", int: "int", float: "float", str: "text"}


def _params(made: Any) -> list[dict[str, Any]]:
    parameters = list(inspect.signature(made).parameters.values())
    if not inspect.isclass(made):
        parameters = [p for p in parameters[1:] if p.name != "port"]
    params: list[dict[str, Any]] = []
    for p in parameters:
        if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
            continue
        param: dict[str, Any] = {"name": p.name, "live": not inspect.isclass(made)}
        if p.default is p.empty:
            param |= {"type": "any", "required": True}
        elif p.default is None:
            param |= {"type": "any"}
        else:
            try:
                json.dumps(p.default)
            except (TypeError, ValueError):
                raise ConfigurationError(
                    f"the argument '{p.name}' of {made.__name__} has the default {p.default!r}, "
                    "which is no JSON: params are; give it another default, or take @node away"
                ) from None
            param |= {
                "type": _KINDS.get(type(p.default), "any"),
                "default": p.default,
            }
        params.append(param)
    return params


def _instance(made: Any, params: dict[str, Any]) -> Any:
    return made(**params)


class FunctionNode(Node):
    """A node that is a function; its params are the function's other arguments."""

    def __init__(self, function: Callable[..., Any], params: dict[str, Any]) -> None:
        super().__init__(name=getattr(function, "__name__", "function"))
        self.function = function
        self.params = params

        self._takes_port = "port" in inspect.signature(function).parameters
        if inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function):
            self.is_async = True

    def process(self, data: Any, port: str = "in") -> Any:
        """Works on one item."""
        if self._takes_port:
            return self.function(data, port=port, **self.params)
        return self.function(data, **self.params)

    def set_params(self, params: dict[str, Any]) -> None:
        """Takes new values."""
        self.params = params


def _function(made: Any, params: dict[str, Any]) -> Any:
    return FunctionNode(made, params)
