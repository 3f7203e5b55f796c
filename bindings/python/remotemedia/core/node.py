"""`Node` and what belongs to it, under the name that earlier versions had for it."""

from __future__ import annotations

from .._node import Node, SessionState
from ..remote import RemoteExecutorConfig

__all__ = ["Node", "RemoteExecutorConfig", "SessionState"]
