"""The exceptions, under the name that earlier versions had for them."""

from __future__ import annotations

from ..errors import (
    ConfigurationError,
    NodeError,
    PipelineError,
    RemoteExecutionError,
    RemoteMediaError,
    SerializationError,
    WebRTCError,
)

__all__ = [
    "ConfigurationError",
    "NodeError",
    "PipelineError",
    "RemoteExecutionError",
    "RemoteMediaError",
    "SerializationError",
    "WebRTCError",
]
