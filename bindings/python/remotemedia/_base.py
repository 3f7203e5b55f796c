"""What sync and async pipelines have in common: what they are made of, events, metrics, life."""

from __future__ import annotations

import atexit
import collections
import json
import logging
import os
import sys
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from . import _log, _manifest, _native
from ._node import Node, NodeType, registered
from .errors import ManifestError, PipelineError, RateAssumedWarning, StateError

if TYPE_CHECKING:
    from ._host import Host

_LOG = _log.LOG
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}
#: Pipelines that are open, to be cancelled when the interpreter goes.
_open: weakref.WeakSet[Base] = weakref.WeakSet()
_PACKAGE = __file__.removesuffix("_base.py")
#: Whose pipelines they are: a forked child has none.
_process = os.getpid()


def _at_exit() -> None:
    """Threads must be out of calls of this package before the interpreter is gone."""
    if os.getpid() == _process:
        _native._leave()
        for pipeline in list(_open):
            pipeline.cancel()


atexit.register(_at_exit)


def _caller() -> int:
    """How many calls above this function's caller the package was entered."""
    level, frame = 1, sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


class Base(_native.Pipeline):
    """See Pipeline and AsyncPipeline."""

    def __init__(
        self,
        *source: Any,
        name: str | None = None,
        enable_metrics: bool = False,
        memory_limit: int = 0,
        untrusted: bool = False,
    ) -> None:
        self._source = _manifest.source(source, name)
        self.name = name or self._source.name or "pipeline"
        self.enable_metrics = enable_metrics
        self._memory_limit = memory_limit
        self._untrusted = untrusted
        self._host: Host | None = None
        #: One thread opens it; one run is under way.
        self._opening = threading.RLock()
        self._run_lock = threading.Lock()
        #: Whose log is to be taken; None: the default engine.
        self._runs_in: _native.Engine | None = None
        #: The newest; those before them were in the log.
        self._events: collections.deque[dict[str, Any]] = collections.deque(maxlen=1024)
        self._metrics: dict[str, Any] | None = None

    # -- what it is made of --

    @property
    def nodes(self) -> list[Node]:
        """The nodes that were given as objects."""
        return list(self._source.nodes)

    def add_node(self, node: Any) -> Any:
        """Adds a node behind the last one, before the pipeline runs. Gives the pipeline."""
        if not self._source.is_nodes:
            raise PipelineError("nodes can be added to a pipeline of nodes, not to a manifest")
        if self.is_initialized:
            raise PipelineError("the pipeline runs: add nodes before")
        self._source.nodes.append(_manifest.as_node(node))
        return self

    def remove_node(self, name: str) -> bool:
        """Removes a node by its name. Whether there was one."""
        if self.is_initialized:
            raise PipelineError("the pipeline runs: remove nodes before")
        for n, node in enumerate(self._source.nodes):
            if node.name == name:
                del self._source.nodes[n]
                return True
        return False

    def get_node(self, name: str) -> Node | None:
        """The node of that name."""
        return next((node for node in self._source.nodes if node.name == name), None)

    @property
    def node_count(self) -> int:
        """How many nodes there are."""
        if self._source.is_nodes:
            return len(self._source.nodes)
        return len(self.describe()["nodes"])

    @property
    def is_initialized(self) -> bool:
        """Whether it is open, and not over."""
        return self._is_open and self.state in ("running", "closing")

    def __len__(self) -> int:
        return self.node_count

    def __bool__(self) -> bool:
        return True

    def export_definition(self, description: str | None = None) -> dict[str, Any]:
        """The manifest, as a dict."""
        if self._source.is_nodes:
            return _manifest.exported(self._source.nodes, self.name, description)
        return _manifest.as_dict(self._source.text or _manifest.read(self._source.path or ""))

    get_config = export_definition

    def serialize(self, include_capabilities: bool = True, description: str | None = None) -> str:
        """The manifest, as JSON."""
        definition = self.export_definition(description)
        if not include_capabilities:
            for node in definition.get("nodes", ()):
                node.pop("capabilities", None)
        return json.dumps(definition, ensure_ascii=False)

    # -- its life; `_start` is called by the native part when something needs it open --

    def _plan(self) -> tuple[Host | None, str | None]:
        """The host of its Python nodes, and its manifest's text; None where it is a file."""
        source = self._source
        if source.is_nodes:
            plan = _manifest.plan(source.nodes, self.name)
            host = self._host_of(plan.types)
            for name, node in plan.given.items():
                assert host is not None
                host.give(name, node)
            return host, json.dumps(plan.manifest)
        # Whatever is wrong with a file, the engine says.
        text = source.text
        try:
            known = text if text is not None else _manifest.read(source.path or "")
        except (OSError, UnicodeDecodeError):
            known = ""
        types = _manifest.registered_in(known)
        return self._host_of(types), text

    def _host_of(self, types: list[NodeType]) -> Host | None:
        """What runs nodes of these types, if there are any."""
        if not types:
            return None
        # Imported here, with asyncio: pipelines without Python nodes do without.
        from ._host import Host

        return Host(types, self._memory_limit)

    def _make(self) -> None:
        try:
            self._make_with(*self._plan())
        except ManifestError as error:
            # An engine that knows the registered types can say which of them is meant.
            unknown = any(p.detail == "manifest.unknown_type" for p in error.problems)
            types = list(registered().values())
            if not unknown or not types or self._source.is_nodes:
                raise
            self._make_with(self._host_of(types), self._source.text)
        _open.add(self)

    def _make_with(self, host: Host | None, text: str | None) -> None:
        engine = host.engine if host is not None else None
        if engine is None and self._memory_limit:
            engine = _native.Engine(self._memory_limit)
        self._runs_in = engine
        if text is not None:
            self._open(text, engine, self._untrusted)
        else:
            self._open_file(self._source.path or "", engine, self._untrusted)
        self._host = host

    def _enter(self) -> None:
        if self._host is not None and self._host.is_inside():
            raise StateError(
                "a node can't push to, pull from or close the pipeline that it is in: "
                "it would wait for itself; give its output by return or yield, "
                "or call from a thread of its own"
            )

    def _explain(self, error: BaseException) -> None:
        if self._host is None:
            return
        self._host.explain(error)
        if isinstance(error.__cause__, (SystemExit, KeyboardInterrupt)):
            # A node that ends the program ends it.
            raise error.__cause__

    def _rate_assumed(self, port: str | None) -> None:
        where = f" into '{port}'" if port else ""
        message = f"audio was pushed{where} without a rate: 48000 Hz was taken; give rate="
        event = {"event": "warning", "warning": "audio.rate_assumed", "rate": 48_000, "port": port}
        self._events.append(event)
        warnings.warn(message, RateAssumedWarning, stacklevel=_caller())

    # -- what there is to see --

    def events(self) -> list[dict[str, Any]]:
        """Takes what has happened since the last call: state, errors, drops, params, warnings, …"""
        self._collect()
        taken = list(self._events)
        self._events.clear()
        return taken

    def _collect(self) -> None:
        """Takes the engine's events and its log, into Python's log, too."""
        while self._is_open and (event := self._next_event()) is not None:
            self._events.append(event)
            level = _LEVELS.get(event.get("event", ""), logging.DEBUG)
            if _LOG.isEnabledFor(level):
                _LOG.log(level, "%s: %s", self.name, event)
        if self._is_open:
            _log.drain_log(self._runs_in or _native.Engine.default())

    def _closed_before(self) -> str | None:
        """What a close gives that has nothing to do. One that has failed is to be asked why."""
        if not self._is_open or self.state == "closed":
            return "drained"
        return "cut" if self.state == "cancelled" else None

    def _before_end(self) -> None:
        """Keeps what is to be seen of a run that is over."""
        if self._is_open:
            self._collect()
            if self.enable_metrics:
                self._metrics = self.metrics()

    def get_metrics(self) -> dict[str, Any] | None:
        """What the last run took: `{pipeline_id, total_executions, total_duration_us, node_metrics:
        [{node_id, execution_count, …}], …}`. None without `enable_metrics`, and before a run."""
        if not self.enable_metrics:
            return None
        metrics = self.metrics() if self._is_open else self._metrics
        return metrics and {**metrics, "pipeline_id": metrics["pipeline_id"] or self.name}

    def set(self, node: str, /, *, at_ns: int | None = None, **params: Any) -> int:
        """Sets live params of a node, from that time of its input on. Gives a number: exactly one
        `params` event with it says what became of it."""
        return self._set(node, params, at_ns)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.state}>"

    def __getstate__(self) -> Any:
        raise TypeError("a pipeline can't be pickled: pickle its manifest (export_definition)")
