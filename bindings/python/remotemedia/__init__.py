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

from ._lazy import lazily

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
__getattr__, __dir__, __all__ = lazily(globals(), _PLACES)  # pyright: ignore[reportUnsupportedDunderAll]
