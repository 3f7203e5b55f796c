"""The names under which earlier versions had pipelines and nodes."""

from __future__ import annotations

from .._node import Node
from ..pipeline import Pipeline
from ..remote import RemoteExecutorConfig
from .exceptions import *  # noqa: F403
from .exceptions import __all__ as _exceptions

__all__ = ["Node", "Pipeline", "RemoteExecutorConfig", *_exceptions]  # pyright: ignore
