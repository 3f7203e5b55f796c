"""The names under which earlier versions had pipelines and nodes."""

from __future__ import annotations

from .._node import Node
from ..errors import (
    ConfigurationError,
    NodeError,
    PipelineError,
    RemoteExecutionError,
    RemoteMediaError,
    SerializationError,
    WebRTCError,
)
from ..pipeline import Pipeline
from ..remote import RemoteExecutorConfig

__all__ = [
    "ConfigurationError",
    "Node",
    "NodeError",
    "Pipeline",
    "PipelineError",
    "RemoteExecutionError",
    "RemoteExecutorConfig",
    "RemoteMediaError",
    "SerializationError",
    "WebRTCError",
]
