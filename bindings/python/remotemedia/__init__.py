"""RemoteMedia: media pipelines from a manifest.

    import remotemedia

    with remotemedia.Pipeline("voice.yaml") as pipeline:
        pipeline.push(samples, rate=48_000)      # a NumPy array: (frames,) or (frames, channels)
        pipeline.end()
        for packet in pipeline:
            print(packet, numpy.asarray(packet))

Everything is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_PLACES = {
    "_detect": ("get_rust_runtime", "is_rust_runtime_available", "try_load_rust_runtime"),
    "_native": ("Packet", "__version__"),
    "aio": ("AsyncPipeline",),
    "errors": (
        "ArgumentError",
        "BackpressureError",
        "ConfigurationError",
        "ForkError",
        "FormatError",
        "InternalError",
        "Interrupted",
        "LateError",
        "LimitError",
        "ManifestError",
        "MediaFileError",
        "NodeError",
        "NotFoundError",
        "PipelineCancelled",
        "PipelineError",
        "Problem",
        "PullTimeout",
        "RateAssumedWarning",
        "RemoteExecutionError",
        "RemoteMediaError",
        "SerializationError",
        "StateError",
        "UnsupportedError",
        "WebRTCError",
    ),
    "_node": ("Node", "Output", "node"),
    "pipeline": ("Pipeline",),
    "remote": ("RemoteExecutorConfig",),
    "_run": ("Run",),
    "runtime": ("execute_pipeline", "execute_pipeline_with_input"),
    "_catalogue": ("node_types", "validate"),
}
_WHERE = {name: place for place, names in _PLACES.items() for name in names}

__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    place = _WHERE.get(name)
    if place is None:
        raise AttributeError(f"module 'remotemedia' has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{place}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
