"""From what a pipeline is made of to a manifest."""

from __future__ import annotations

import datetime
import difflib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ._jsontext import dumps
from ._node import FunctionNode, Node, NodeType, declared, registered
from .errors import PipelineError

SUFFIXES = (".json", ".yaml", ".yml")


@dataclass
class Source:
    """What a pipeline is made of: nodes, a manifest's text, or its file."""

    nodes: list[Node] = field(default_factory=list[Node])
    text: str | None = None
    path: str | None = None
    name: str | None = None

    @property
    def is_nodes(self) -> bool:
        """Whether nodes are listed, and may be added."""
        return self.text is None and self.path is None


def source(given: Sequence[Any], name: str | None) -> Source:
    """From the arguments of `Pipeline`."""
    if len(given) == 1:
        only = given[0]
        if isinstance(only, (str, os.PathLike)):
            path = str(os.fspath(cast("os.PathLike[str]", only)))
            return _from_text(path, isinstance(only, str), name)
        if isinstance(only, Mapping):
            return Source(text=dumps(cast("Any", only)), name=name)
        if isinstance(only, Sequence) and not isinstance(only, (bytes, bytearray)):
            return Source([as_node(each) for each in cast("Sequence[Any]", only)], name=name)
        if only is None:
            return Source(name=name)
    return Source([as_node(each) for each in given], name=name)


def is_text(given: str) -> bool:
    """Whether it is a manifest and no name of a file."""
    return given.lstrip().startswith("{") or "\n" in given


def _from_text(text: str, may_be_text: bool, name: str | None) -> Source:
    if may_be_text and is_text(text):
        return Source(text=text, name=name)
    # What looks like a file's name is meant as one, be it written wrong.
    suffix = Path(text).suffix.lower()
    meant = "/" in text or "\\" in text or difflib.get_close_matches(suffix, SUFFIXES)
    if not may_be_text or meant:
        return Source(path=text, name=name)
    return Source(name=text)


def as_node(given: Any) -> Node:
    """A node, or a function as one."""
    if isinstance(given, Node):
        return given
    if callable(given) and not isinstance(given, type):
        return FunctionNode(given, {})
    if callable(getattr(given, "process", None)) and not isinstance(given, type):
        return cast("Node", given)
    what = f"the class {given.__name__}" if isinstance(given, type) else f"a {type(given).__name__}"
    hint = "; make an instance of it" if isinstance(given, type) else ""
    raise PipelineError(
        f"{what} is no node: nodes are remotemedia.Node objects, objects with a process method, "
        f"and functions{hint}"
    )


class NativeNode(Node):
    """A node of the engine, by its type: `NativeNode("Gain", gain_db=-6)`."""

    #: What a pipeline gives that ends with this node: names, and the node's ports. None: what its
    #: default port gives.
    ends: Mapping[str, str] | None = None

    def __init__(
        self,
        node_type: str,
        params: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        fields: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(name=name)
        if name is None:
            own = type(self).__name__
            self.name = node_type.rsplit("/", 1)[-1] if own == "NativeNode" else own
        self.node_type = node_type
        self.params: dict[str, Any] = {**(params or {}), **more}
        #: Fields of the manifest's node beside its params, e.g. `placement`.
        self.fields: dict[str, Any] = dict(fields or {})
        self.config = self.params

    def entry(self, identity: str) -> dict[str, Any]:
        """The manifest's node."""
        own = {"id": identity, "node_type": self.node_type, "params": self.params}
        return {**own, **self.fields}

    def process(self, data: Any) -> Any:
        """Not for callers: the engine runs it."""
        raise PipelineError(
            f"the node '{self.name}' is the engine's: put it in a Pipeline, and run that"
        )


@dataclass
class Plan:
    """A manifest, and the nodes of Python's in it."""

    manifest: dict[str, Any]
    types: list[NodeType] = field(default_factory=list[NodeType])
    given: dict[str, Any] = field(default_factory=dict[str, Any])


def plan(nodes: Sequence[Node], name: str | None) -> Plan:
    """The chain of these nodes."""
    if not nodes:
        raise PipelineError("the pipeline has no nodes: give some, or add them with add_node()")
    made = Plan({"version": "v1", "metadata": {"name": name or "pipeline"}})
    ids = identities(nodes)
    made.manifest.update(_ends(nodes, ids))
    listed: list[dict[str, Any]] = []
    for node, identity in zip(nodes, ids, strict=True):
        refuse = getattr(node, "_refuse_here", None)
        if refuse is not None:
            refuse()
        if isinstance(node, NativeNode):
            listed.append(node.entry(identity))
            continue
        # A type of its own for each object, so that its jobs find it.
        own = f"python/{_word(type(node).__name__)}-{len(made.types)}"
        made.types.append(NodeType(own, lambda _: None, declared(node, own)))
        made.given[own] = node
        listed.append({"id": identity, "node_type": own})
    made.manifest["nodes"] = listed
    made.manifest["connections"] = _links(ids)
    return made


def _links(ids: Sequence[str]) -> list[dict[str, str]]:
    """The connections of a chain."""
    return [{"from": a, "to": b} for a, b in itertools.pairwise(ids)]


def _ends(nodes: Sequence[Node], ids: Sequence[str]) -> dict[str, Any]:
    """The manifest's `outputs`, where the last node says that there are several."""
    last = nodes[-1] if nodes else None
    if not isinstance(last, NativeNode) or not last.ends:
        return {}
    return {"outputs": {name: f"{ids[-1]}.{port}" for name, port in last.ends.items()}}


def identities(nodes: Sequence[Node]) -> list[str]:
    """An id for each node: its name, and a number where several have the same."""
    names = [_word(getattr(node, "name", None) or type(node).__name__) for node in nodes]
    taken = set(names)
    ids: list[str] = []
    for n, name in enumerate(names):
        if names.count(name) > 1:
            mine = f"{name}_{n}"
            while mine in taken:
                mine += "_"
            taken.add(mine)
            name = mine
        ids.append(name)
    return ids


def _word(name: str) -> str:
    """A name with only what ids may have."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name) or "node"


def registered_in(text: str) -> list[NodeType]:
    """The registered types that a manifest may name: those whose name is somewhere in it."""
    return [kind for name, kind in registered().items() if name.rsplit("/", 1)[-1] in text]


def definition(nodes: Sequence[Node], name: str | None, description: str | None) -> dict[str, Any]:
    """The manifest that describes these nodes, with the classes of those written in Python."""
    ids = identities(nodes)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    metadata: dict[str, Any] = {"name": name or "pipeline", "created_at": now.isoformat()}
    if description is not None:
        metadata["description"] = description
    listed: list[dict[str, Any]] = []
    for node, identity in zip(nodes, ids, strict=True):
        if isinstance(node, NativeNode):
            listed.append(node.entry(identity))
        else:
            params = cast("Any", getattr(node, "config", None) or {})
            listed.append({"id": identity, "node_type": type(node).__name__, "params": params})
    links = _links(ids)
    return {"version": "v1", "metadata": metadata, "nodes": listed, "connections": links}


def exported(nodes: Sequence[Node], name: str | None, description: str | None) -> dict[str, Any]:
    """The manifest that describes these nodes and what comes out of them."""
    return {**definition(nodes, name, description), **_ends(nodes, identities(nodes))}


def read(path: str) -> str:
    """The text of a file."""
    return Path(path).read_text(encoding="utf-8")


def as_dict(text: str) -> dict[str, Any]:
    """A manifest's text, JSON or YAML, as a dict."""
    if text.lstrip().startswith("{"):
        return cast("dict[str, Any]", json.loads(text))
    from ._yaml import load

    return load(text)
