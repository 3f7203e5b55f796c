"""Nodes for video. All are the engine's; where the engine at hand lacks one, the pipeline says so
when it opens. Sizes are in pixels, (width, height)."""

from __future__ import annotations

from typing import Any

from .._manifest import NativeNode
from ..errors import ConfigurationError

__all__ = [
    "VideoBuffer",
    "VideoFlip",
    "VideoFormatConverter",
    "VideoResizer",
    "VideoScaler",
    "VideoTransform",
]


class VideoScaler(NativeNode):
    """Pictures at another size."""

    def __init__(self, width: int, height: int, *, name: str | None = None, **params: Any) -> None:
        super().__init__("VideoScaler", {"width": width, "height": height}, name=name, **params)


def _size(node: str, argument: str, size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = size
    except (TypeError, ValueError):
        raise ConfigurationError(f"{node}: {argument}={size!r} is no (width, height)") from None
    return int(width), int(height)


class VideoTransform(VideoScaler):
    """Pictures at another size: `resolution=(width, height)`."""

    def __init__(
        self, resolution: tuple[int, int], *, name: str | None = None, **params: Any
    ) -> None:
        width, height = _size("VideoTransform", "resolution", resolution)
        super().__init__(width, height, name=name, **params)


class VideoResizer(VideoScaler):
    """Pictures at another size: `target_resolution=(width, height)`."""

    def __init__(
        self, target_resolution: tuple[int, int], *, name: str | None = None, **params: Any
    ) -> None:
        width, height = _size("VideoResizer", "target_resolution", target_resolution)
        super().__init__(width, height, name=name, **params)


class VideoFlip(NativeNode):
    """Pictures turned over: `direction` is "horizontal" (left and right change) or "vertical"."""

    def __init__(
        self, direction: str = "horizontal", *, name: str | None = None, **params: Any
    ) -> None:
        super().__init__("VideoFlip", {"direction": direction}, name=name, **params)


class VideoFormatConverter(NativeNode):
    """Pictures in another pixel format, e.g. "rgb24"."""

    def __init__(self, format: str, *, name: str | None = None, **params: Any) -> None:
        super().__init__("VideoFormatConverter", {"format": format}, name=name, **params)


class VideoBuffer(NativeNode):
    """Collects `buffer_size` pictures, and hands them on one after the other, all at once. What is
    left at the end comes out then."""

    def __init__(self, buffer_size: int = 10, *, name: str | None = None, **params: Any) -> None:
        super().__init__("Buffer", {"buffer_size": buffer_size}, name=name, **params)
