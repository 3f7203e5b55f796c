"""Nodes for packets of any kind."""

from __future__ import annotations

from typing import Any

from .._manifest import NativeNode

__all__ = ["BufferNode", "PassThroughNode"]


class PassThroughNode(NativeNode):
    """Hands every packet on as it is."""

    def __init__(self, *, name: str | None = None, **params: Any) -> None:
        super().__init__("PassThrough", name=name, **params)


class BufferNode(NativeNode):
    """Collects `buffer_size` packets. Audio comes out joined to one packet, JSON as one array;
    others come out one by one, all at once. What is left at the end comes out then."""

    def __init__(self, buffer_size: int = 10, *, name: str | None = None, **params: Any) -> None:
        super().__init__("Buffer", {"buffer_size": buffer_size}, name=name, **params)
