"""A manifest as a chain of nodes. What the fallback can't do is refused, never ignored."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from .catalog import NodeType, find
from .errors import FallbackError, unfit, unsupported
from .params import check
from .values import MAX_RATE, json_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .caps import Ports
    from .params import Values
    from .values import Json

_ID = re.compile(r"[A-Za-z0-9_-]+\Z")
_DOCUMENT_READ = {"version", "metadata", "nodes", "connections", "inputs", "outputs", "queue"}
#: What it was made for, and defaults of an earlier tool: the engine ignores them, too.
_DOCUMENT_IGNORED = {"runtime", "defaults"}
_FLAG = ("true", "false")
#: Fields of the document that change no result here, with the values that they take.
_DOCUMENT_VALUES = {
    "timing": ("all", "sampled", "none"),
    "placement": ("inline", "thread"),
    "untrusted": _FLAG,
}
_NODE_READ = {"id", "node_type", "params", "source_rate", "capabilities", "execution"}
#: Fields of a node that change no result here with these values.
_NODE_VALUES = {
    "is_output_node": _FLAG,
    "is_streaming": _FLAG,
    "fast_path": _FLAG,
    "lane": ("pool", "blocking", "realtime"),
    "placement": ("inline", "thread"),
    "runtime_hint": ("auto", "rust_python"),
    "on_error": ("fail",),
    "pace": ("free",),
}


@dataclass
class Step:
    """A node of the chain."""

    id: str
    node_type: NodeType
    params: Values
    ports: Ports
    is_output: bool = False
    #: Output port that leads to the next node; None at the end.
    next_port: int | None = None
    #: Names of the outputs of the pipeline, by output port.
    outputs: dict[int, str] = field(default_factory=lambda: dict[int, str]())

    def output(self, port: str | None) -> int:
        """Index of an output port; the default one for None."""
        names = [p.name for p in self.ports.outputs]
        if port is None:
            return 0
        if port not in names:
            raise unfit(
                f"there is no output '{port}'", f"its outputs are {', '.join(names)}", self.id
            )
        return names.index(port)


@dataclass
class Chain:
    """What a manifest says: nodes in the order in which they run, and the names of the ends."""

    name: str
    steps: list[Step]
    input_name: str
    #: What happens to audio that comes too late: error, clamp or drop.
    late: str
    output_names: list[str]
    auto_negotiate: bool


def read(document: Mapping[str, Any]) -> Chain:
    """The chain of a manifest, checked through."""
    doc = _object(document, "the manifest")
    _only(doc, _DOCUMENT_READ | _DOCUMENT_IGNORED | set(_DOCUMENT_VALUES), "the manifest")
    _values(doc, _DOCUMENT_VALUES)
    if doc.get("version") != "v1":
        found = repr(doc.get("version"))
        raise unfit(f"unsupported manifest version: {found}", 'write "version": "v1"')
    _queue(doc.get("queue"))
    metadata = _optional(doc.get("metadata"), "'metadata'")
    auto = metadata.get("auto_negotiate")
    if auto is not None and not isinstance(auto, bool):
        raise unfit("'auto_negotiate' is true or false")
    steps = [_step(_object(node, "a node")) for node in _list(doc.get("nodes"), "'nodes'")]
    if not steps:
        raise unfit("the manifest has no node", "give at least one")
    if len({step.id for step in steps}) < len(steps):
        raise unfit("two nodes have the same id", "ids are unique")
    steps = _connected(steps, _list(doc.get("connections"), "'connections'"))
    input_name, late = _input(_optional(doc.get("inputs"), "'inputs'"), steps)
    names = _outputs(_optional(doc.get("outputs"), "'outputs'"), steps)
    name = metadata.get("name")
    return Chain(
        name if isinstance(name, str) else "", steps, input_name, late, names, auto is not False
    )


def _step(node: dict[str, Json]) -> Step:
    name = _text(node.get("id"), "the 'id' of a node")
    if not _ID.match(name):
        raise unfit(f"the node id '{name}'", "ids have letters, digits, '_' and '-'")
    _only(node, _NODE_READ | set(_NODE_VALUES), "a node", name)
    _values(node, _NODE_VALUES, name)
    if node.get("lane") is not None and node.get("placement") != "thread":
        raise unfit("'lane' without placement: thread", 'add "placement": "thread"', name)
    if _optional(node.get("capabilities"), "'capabilities'").get("gpu") is not None:
        raise unsupported("'capabilities' with a gpu", name)
    execution = _optional(node.get("execution"), "'execution'")
    if execution.get("placement") not in (None, "auto", "local", "prefer_local", "prefer_remote"):
        raise unsupported(f"execution.placement: {execution.get('placement')!r}", name)
    node_type = find(_text(node.get("node_type"), f"the 'node_type' of '{name}'"), name)
    try:
        _source_rate(node)
        given = _optional(node.get("params"), "'params'")
        params = check(node_type.params, given, node_type.name)
        ports = node_type.ports(params)
    except FallbackError as error:
        raise error.at(name) from None
    return Step(name, node_type, params, ports, node.get("is_output_node") is True)


def _connected(steps: list[Step], connections: list[Json]) -> list[Step]:
    """The nodes in the order of their connections, which have to be one chain."""
    by_id = {step.id: step for step in steps}
    following: dict[str, Step] = {}
    fed: set[str] = set()
    for connection in connections:
        link = _object(connection, "a connection")
        _only(link, {"from", "to", "queue"}, "a connection")
        _queue(link.get("queue"))
        source, port = _end(link.get("from"), "a connection's 'from'", by_id)
        target, into = _end(link.get("to"), "a connection's 'to'", by_id)
        _check_input(target, into)
        index = source.output(port)
        if source.id in following:
            raise unsupported("more than one connection from a node (only a chain)", source.id)
        if target.id in fed:
            raise unsupported("more than one connection to a node (only a chain)", target.id)
        following[source.id] = target
        fed.add(target.id)
        source.next_port = index
    first = [step for step in steps if step.id not in fed]
    if not first:
        raise unfit("the connections form a cycle", "take one of them out")
    chain = [first[0]]
    while chain[-1].id in following:
        chain.append(following[chain[-1].id])
    if len(chain) < len(steps):
        away = next(step for step in steps if step not in chain)
        raise unsupported("a node beside the chain (all nodes have to be one chain)", away.id)
    return chain


def _input(named: dict[str, Json], steps: list[Step]) -> tuple[str, str]:
    """Name of the input, and what happens to what comes too late."""
    by_id = {step.id: step for step in steps}
    found = (steps[0].id, "error")
    if len(named) > 1:
        raise unfit("a chain has one input, and 'inputs' names more", "take the others out")
    for name, value in named.items():
        options = {"port": value} if isinstance(value, str) else _object(value, "an input")
        _only(options, {"port", "queue", "late", "source_rate"}, "an input")
        _queue(options.get("queue"))
        _source_rate(options)
        step, port = _end(options.get("port"), f"the input '{name}'", by_id)
        _check_input(step, port)
        if step is not steps[0]:
            raise unfit(
                f"the input '{name}' is fed by a connection", "name the first node", step.id
            )
        late = options.get("late") or "error"
        if late not in ("error", "clamp", "drop"):
            raise unfit(f"late: {late!r}", "it is error, clamp or drop")
        if not name:
            raise unfit("the name of an input is empty")
        found = (name, cast("str", late))
    return found


def _outputs(named: dict[str, Json], steps: list[Step]) -> list[str]:
    """Gives the steps their outputs: those that are named, as listed; then the default outputs of
    output nodes, and that of the last node unless one of its ports is named."""
    by_id = {step.id: step for step in steps}
    names: list[str] = []
    for name, value in named.items():
        options = {"port": value} if isinstance(value, str) else _object(value, "an output")
        _only(options, {"port", "queue"}, "an output")
        _queue(options.get("queue"))
        step, port = _end(options.get("port"), f"the output '{name}'", by_id)
        index = step.output(port)
        if index in step.outputs or not name:
            raise unfit(f"the output '{name}' has two names, or none", "give it one", step.id)
        step.outputs[index] = name
        names.append(name)
    for step in steps:
        wanted = step.is_output or (step.next_port is None and not step.outputs)
        if wanted and 0 not in step.outputs:
            if step.id in names:
                raise unfit(f"two outputs are called '{step.id}'", "take another name", step.id)
            step.outputs[0] = step.id
            names.append(step.id)
    return names


def _end(value: Json, what: str, by_id: dict[str, Step]) -> tuple[Step, str | None]:
    """The node, and the port if one is named, of `node` or `node.port`."""
    node, dot, port = _text(value, what).partition(".")
    if node not in by_id:
        raise unfit(f"{what} names an unknown node: '{node}'", f"nodes are {', '.join(by_id)}")
    return by_id[node], port if dot else None


def _check_input(step: Step, port: str | None) -> None:
    if port not in (None, "in"):
        raise unfit(f"there is no input '{port}'", "its input is 'in'", step.id)


def _queue(value: Json) -> None:
    """Nothing ever waits here, so that limits are kept; but nothing is dropped either."""
    queue = _optional(value, "a queue")
    _only(queue, {"items", "bytes", "ms", "policy"}, "a queue")
    if queue.get("policy") not in (None, "block"):
        raise unsupported(f"a queue with policy: {queue.get('policy')!r}")


def _source_rate(value: Mapping[str, Json]) -> None:
    """The rate of audio that comes without one; here all audio has one."""
    rate = value.get("source_rate")
    whole = rate is None or (isinstance(rate, int) and not isinstance(rate, bool))
    if not whole or (isinstance(rate, int) and not 1 <= rate <= MAX_RATE):
        raise unfit(f"source_rate: {rate!r}", f"it is a whole number from 1 to {MAX_RATE}, in Hz")


def _values(
    value: Mapping[str, Json], known: Mapping[str, tuple[str, ...]], node: str = ""
) -> None:
    for key, good in known.items():
        found = value.get(key)
        named = found if isinstance(found, str) and good is not _FLAG else json.dumps(found)
        if found is not None and named not in good:
            raise unsupported(f"{key}: {named}", node)


def _only(value: Mapping[str, Json], known: set[str], what: str, node: str = "") -> None:
    for key, inner in value.items():
        if key not in known and inner is not None:
            raise unsupported(f"the field '{key}' of {what}", node)


def _object(value: object, what: str) -> dict[str, Json]:
    found = json_value(value)
    if isinstance(found, dict):
        return found
    raise unfit(f"{what} is an object, not {value!r}")


def _optional(value: Json, what: str) -> dict[str, Json]:
    return {} if value is None else _object(value, what)


def _list(value: Json, what: str) -> list[Json]:
    if value is None or isinstance(value, list):
        return value or []
    raise unfit(f"{what} is a list, not {value!r}")


def _text(value: Json, what: str) -> str:
    if isinstance(value, str):
        return value
    raise unfit(f"{what} is text, not {value!r}", "give it")
