"""`SerializedClassExecutorNode`, under the name that earlier versions had for its module."""

from __future__ import annotations

from .remote import SerializedClassExecutorNode

__all__ = ["SerializedClassExecutorNode"]
