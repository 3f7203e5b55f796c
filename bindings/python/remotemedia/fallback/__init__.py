"""Runs a chain of nodes in Python with NumPy alone, for machines without the native engine."""

from __future__ import annotations

from .errors import FallbackError
from .run import LinearPipeline
from .values import Audio, Record

__all__ = ["Audio", "FallbackError", "LinearPipeline", "Record"]
