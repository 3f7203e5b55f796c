"""Nodes that run on a server (`rmedia serve`): those of types that the server has, and whole
pipelines.

Objects and code of Python run on none yet: such nodes can be made, so that programs that describe
them load, and a pipeline with one of them refuses to open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from .._manifest import NativeNode
from .._node import Node
from ..errors import UnsupportedError
from ..remote import RemoteExecutorConfig
from ._engine import only

__all__ = [
    "CodeExecutorNode",
    "RemoteExecutionNode",
    "RemoteObjectExecutionNode",
    "RemotePipelineNode",
    "SerializedClassExecutorNode",
]


class _RemoteNode(Node):
    """A node that needs a server which runs Python."""

    #: What to do instead.
    instead: str = ""

    def _refuse_here(self) -> NoReturn:
        raise UnsupportedError(
            f"no server runs Python for others: the node '{self.name}' ({type(self).__name__}) "
            f"can't run; {self.instead}"
        )

    def initialize(self) -> NoReturn:
        """Raises `UnsupportedError`."""
        self._refuse_here()

    def process(self, data: Any) -> NoReturn:
        """Raises `UnsupportedError`."""
        self._refuse_here()


def _server(config: RemoteExecutorConfig | None) -> dict[str, Any]:
    """The params that name a server; none: the environment names it."""
    return {} if config is None else config.settings()


class RemoteExecutionNode(NativeNode):
    """A node of a type that the server knows: `node_type=`, or `node_to_execute=`; and its
    params. Without a `remote_config` the server is the one of the environment's
    `REMOTEMEDIA_ENDPOINT`."""

    def __init__(
        self,
        node_type: str | None = None,
        remote_config: RemoteExecutorConfig | None = None,
        node_config: Mapping[str, Any] | None = None,
        serialization_format: str = "pickle",
        *,
        node_to_execute: str | None = None,
        name: str | None = None,
    ) -> None:
        own = type(self).__name__
        asked: str = only(own, node_type=node_type, node_to_execute=node_to_execute)
        self.node_config = dict(node_config or {})
        params = {"node_type": asked, "node_config": self.node_config, **_server(remote_config)}
        super().__init__("RemoteExecutionNode", params, name=name)
        #: The type on the server.
        self.node_type = asked
        self.config = {"node_type": asked, "node_config": self.node_config}
        self.remote_config = remote_config
        # Packets are typed on the wire; the documents' word for it is kept.
        self.serialization_format = serialization_format

    def entry(self, identity: str) -> dict[str, Any]:
        """The manifest's node."""
        return {**super().entry(identity), "node_type": "RemoteExecutionNode"}


class RemotePipelineNode(NativeNode):
    """A whole pipeline, with one input and one output, on a server: `manifest`, a dict."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        remote_config: RemoteExecutorConfig | None = None,
        *,
        name: str | None = None,
    ) -> None:
        params = {"manifest": dict(manifest), **_server(remote_config)}
        super().__init__("RemotePipelineNode", params, name=name)
        self.remote_config = remote_config


class RemoteObjectExecutionNode(_RemoteNode):
    """A node that is made here and runs on the server: `node_object=`, or `obj_to_execute=`."""

    instead = "put the object itself into the pipeline, to run it here"

    def __init__(
        self,
        node_object: Any = None,
        remote_config: RemoteExecutorConfig | None = None,
        node_config: Mapping[str, Any] | None = None,
        *,
        obj_to_execute: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        own = type(self).__name__
        self.node_object = only(own, node_object=node_object, obj_to_execute=obj_to_execute)
        self.remote_config = remote_config
        self.node_config = dict(node_config or {})


class SerializedClassExecutorNode(_RemoteNode):
    """Calls a method of an object that comes as bytes of cloudpickle."""

    instead = "call the object's method in a node of your own, to run it here"

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name=name)


class CodeExecutorNode(_RemoteNode):
    """Runs Python code that comes as text, away from this process."""

    instead = "write the code as a node of your own, to run it here"

    def __init__(
        self,
        code: str | None = None,
        input_data: Any = None,
        *,
        enable_safe_imports: bool = True,
        enable_pickle: bool = False,
        enable_cloudpickle: bool = False,
        allowed_modules: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.config = {
            "code": code,
            "input_data": input_data,
            "enable_safe_imports": enable_safe_imports,
            "enable_pickle": enable_pickle,
            "enable_cloudpickle": enable_cloudpickle,
            "allowed_modules": list(allowed_modules or ()),
        }
