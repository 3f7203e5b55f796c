"""Nodes that read and write files, or hand over to code."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .._manifest import NativeNode
from .._node import Node
from ._engine import only, text_of
from .transform import checked

__all__ = ["DataSinkNode", "LocalMediaReaderNode", "MediaReaderNode", "MediaWriterNode"]


class MediaReaderNode(NativeNode):
    """The audio of a WAV, FLAC, MP3, Ogg Vorbis, M4A, AIFF or Matroska file: `path=` or
    `file_path=`."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        file_path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        **params: Any,
    ) -> None:
        given = only(type(self).__name__, path=path, file_path=file_path)
        super().__init__("MediaReader", {"path": text_of(given)}, name=name, **params)


class LocalMediaReaderNode(MediaReaderNode):
    """The same as `MediaReaderNode`."""


class MediaWriterNode(NativeNode):
    """Writes a file: audio to WAV, FLAC or raw samples, as the ending of its name says; text and
    JSON to lines. Gives the path of the file, once, when it has been written."""

    def __init__(
        self, output_path: str | os.PathLike[str], *, name: str | None = None, **params: Any
    ) -> None:
        super().__init__("MediaWriter", {"path": text_of(output_path)}, name=name, **params)


class DataSinkNode(Node):
    """Hands each item to `callback(item)`, and on, as it came. Audio and video are packets that
    NumPy takes as arrays; see `remotemedia.Node.process`."""

    def __init__(self, callback: Callable[[Any], Any], *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.callback = checked(type(self).__name__, "callback", callback)

    def process(self, data: Any) -> Any:
        """One item."""
        self.callback(data)
        return data
