"""`Pipeline`, under the name that earlier versions had for it."""

from __future__ import annotations

from ..pipeline import Pipeline

__all__ = ["Pipeline"]
