"""A manifest as a chain of nodes. What the fallback can't do is refused, never ignored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from . import fields
from .catalog import NodeType, find
from .errors import FallbackError, unfit, unsupported
from .params import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .caps import Ports
    from .params import Values
    from .values import Json

_ID = re.compile(r"[A-Za-z0-9_-]+\Z")


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
            hint = f"its outputs are {', '.join(names)}"
            raise unfit(f"there is no output '{port}'", hint, self.id)
        return names.index(port)

    def check_input(self, port: str | None) -> None:
        """Refuses another input than the one that all nodes here have."""
        if port not in (None, "in"):
            raise unfit(f"there is no input '{port}'", "its input is 'in'", self.id)


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
    doc = fields.read(document, fields.DOCUMENT, "the manifest")
    if doc.get("version") != "v1":
        found = repr(doc.get("version"))
        raise unfit(f"unsupported manifest version: {found}", 'write "version": "v1"')
    steps = [_step(node) for node in fields.listed(doc, "nodes")]
    if not steps:
        raise unfit("the manifest has no node", "give at least one")
    by_id = {step.id: step for step in steps}
    if len(by_id) < len(steps):
        raise unfit("two nodes have the same id", "ids are unique")
    steps = _connected(by_id, fields.listed(doc, "connections"))
    metadata = fields.mapped(doc, "metadata")
    input_name, late = _input(fields.mapped(doc, "inputs"), steps[0], by_id)
    names = _outputs(fields.mapped(doc, "outputs"), by_id)
    name = cast("str", metadata.get("name", ""))
    auto_negotiate = metadata.get("auto_negotiate") is not False
    return Chain(name, steps, input_name, late, names, auto_negotiate)


def _step(value: Json) -> Step:
    given = value.get("id") if isinstance(value, dict) else None
    name = given if isinstance(given, str) else ""
    node = fields.read(value, fields.NODE, "the node", name)
    if not _ID.match(fields.text(node, "id", "a node")):
        raise unfit(f"the node id '{name}'", "ids have letters, digits, '_' and '-'")
    if "lane" in node and node.get("placement") != "thread":
        raise unfit("'lane' without placement: thread", 'add "placement": "thread"', name)
    try:
        node_type = find(fields.text(node, "node_type", "the node"))
        params = check(node_type.params, fields.mapped(node, "params"), node_type.name)
        ports = node_type.ports(params)
    except FallbackError as error:
        raise error.at(name) from None
    return Step(name, node_type, params, ports, node.get("is_output_node") is True)


def _connected(by_id: dict[str, Step], connections: list[Json]) -> list[Step]:
    """The nodes in the order of their connections, which have to be one chain."""
    following: dict[str, Step] = {}
    fed: set[str] = set()
    for connection in connections:
        link = fields.read(connection, fields.CONNECTION, "a connection")
        source, port = _end(fields.text(link, "from", "a connection"), "a connection", by_id)
        target, into = _end(fields.text(link, "to", "a connection"), "a connection", by_id)
        target.check_input(into)
        index = source.output(port)
        if source.id in following:
            raise unsupported("more than one connection from a node (only a chain)", source.id)
        if target.id in fed:
            raise unsupported("more than one connection to a node (only a chain)", target.id)
        following[source.id] = target
        fed.add(target.id)
        source.next_port = index
    first = next((step for step in by_id.values() if step.id not in fed), None)
    if first is None:
        raise unfit("the connections form a cycle", "take one of them out")
    chain = [first]
    while chain[-1].id in following:
        chain.append(following[chain[-1].id])
    placed = {step.id for step in chain}
    for name in by_id:
        if name not in placed:
            raise unsupported("a node beside the chain (all nodes have to be one chain)", name)
    return chain


def _input(named: dict[str, Json], first: Step, by_id: dict[str, Step]) -> tuple[str, str]:
    """Name of the input, and what happens to what comes too late."""
    found = (first.id, "error")
    if len(named) > 1:
        raise unfit("a chain has one input, and 'inputs' names more", "take the others out")
    for name, value in named.items():
        step, port, options = _named(name, value, fields.INPUT, "input", by_id)
        step.check_input(port)
        if step is not first:
            message = f"the input '{name}' is fed by a connection"
            raise unfit(message, "name the first node", step.id)
        found = (name, cast("str", options.get("late", "error")))
    return found


def _outputs(named: dict[str, Json], by_id: dict[str, Step]) -> list[str]:
    """Gives the steps their outputs: those that are named, as listed; then the default outputs of
    output nodes, and that of the last node unless one of its ports is named."""
    names: list[str] = []
    for name, value in named.items():
        step, port, _ = _named(name, value, fields.OUTPUT, "output", by_id)
        index = step.output(port)
        if index in step.outputs:
            raise unfit(f"the output '{name}' has two names", "take one of them out", step.id)
        step.outputs[index] = name
        names.append(name)
    for step in by_id.values():
        wanted = step.is_output or (step.next_port is None and not step.outputs)
        if wanted and 0 not in step.outputs:
            if step.id in names:
                raise unfit(f"two outputs are called '{step.id}'", "take another name", step.id)
            step.outputs[0] = step.id
            names.append(step.id)
    return names


def _named(
    name: str, value: Json, shape: fields.Object, what: str, by_id: dict[str, Step]
) -> tuple[Step, str | None, dict[str, Json]]:
    """Node, port and options of a named input or output."""
    if not name:
        raise unfit(f"the name of an {what} is empty", "give it one")
    title = f"the {what} '{name}'"
    given: Json = {"port": value} if isinstance(value, str) else value
    options = fields.read(given, shape, title)
    step, port = _end(fields.text(options, "port", title), title, by_id)
    return step, port, options


def _end(value: str, what: str, by_id: dict[str, Step]) -> tuple[Step, str | None]:
    """The node, and the port if one is named, of `node` or `node.port`."""
    node, dot, port = value.partition(".")
    if node not in by_id:
        raise unfit(f"{what} names an unknown node: '{node}'", f"nodes are {', '.join(by_id)}")
    return by_id[node], port if dot else None
