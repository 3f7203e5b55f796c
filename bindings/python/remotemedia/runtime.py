"""Runs a manifest at once, by one call: the native runtime under the names of earlier versions.

    from remotemedia.runtime import execute_pipeline_with_input

    result = await execute_pipeline_with_input(manifest, [samples, more_samples])

A manifest is JSON (or YAML) text, a file's path, a dict, a Pipeline that is not open, or a list of
nodes, which is a chain: `remotemedia.Node` objects, functions, and dicts `{"node_type", "params"}`.

All inputs are processed and all outputs returned: None where nothing came, the value where one
came, else the list; a dict by name where the pipeline has several outputs. Audio that follows on
each other is one array; where audio came in as dicts it goes out as dicts. With metrics the result
is `{"outputs": …, "metrics": <JSON text>}`; times in them are as their names say.

Errors are those of the engine (`remotemedia.errors`); a manifest that can't run is a ManifestError,
which is a ValueError.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from . import _manifest, _values
from ._async import Async
from ._native import __version__ as __version__
from ._node import registered
from ._values import audio_dict_to_numpy, numpy_to_audio_dict
from .errors import ArgumentError, PipelineError
from .pipeline import Pipeline

__all__ = [
    "__version__",
    "audio_dict_to_numpy",
    "execute_pipeline",
    "execute_pipeline_with_input",
    "execute_pipeline_with_instances",
    "get_metrics",
    "get_runtime_version",
    "is_available",
    "numpy_to_audio_dict",
]


async def execute_pipeline(manifest: Any, enable_metrics: bool | None = False) -> Any:
    """Runs a manifest without input: for pipelines that read by themselves.

    Inputs of a pipeline that has some are ended at once, so that nothing comes of them: None.
    """
    return await _execute(_source(manifest), None, bool(enable_metrics))


async def execute_pipeline_with_input(
    manifest: Any, input_data: list[Any], enable_metrics: bool | None = False
) -> Any:
    """Runs a manifest over the items of a list, one after the other.

    Items: NumPy arrays, (samples,) or (frames, channels); `(array, rate in Hz)`; audio dicts; text,
    bytes, JSON values; packets. An array on an input for audio has the manifest's `source_rate`,
    else 48 kHz with a RateAssumedWarning; elsewhere it is a tensor. For a pipeline with several
    inputs an item is a dict by their names.

    TypeError: `input_data` is no list. ValueError: it is empty.
    """
    if not isinstance(cast("Any", input_data), list):
        raise TypeError(
            f"input_data is a {type(input_data).__name__}, not a list of items: "
            "write [item] for one item, list(items) for an iterator"
        )
    if not input_data:
        raise ValueError(
            "input_data is empty: give at least one item; execute_pipeline(manifest) runs a "
            "pipeline without input"
        )
    return await _execute(_source(manifest), input_data, bool(enable_metrics))


async def execute_pipeline_with_instances(
    nodes: Sequence[Any], input: Any = None, enable_metrics: bool | None = None
) -> Any:
    """Runs a chain of node objects over an item, a list of items, or nothing (None).

    TypeError: `nodes` is no list of nodes. ValueError: `nodes` or a list of items is empty.
    """
    if not isinstance(nodes, (list, tuple)):
        raise TypeError(f"nodes is a {type(nodes).__name__}, not a list of nodes: write [node]")
    if input is None:
        return await execute_pipeline(nodes, enable_metrics)
    items = cast("list[Any]", input) if isinstance(input, list) else [input]
    return await execute_pipeline_with_input(nodes, items, enable_metrics)


def get_runtime_version() -> str:
    """The version of the native engine."""
    return __version__


def is_available() -> bool:
    """Whether the native engine is there: it is, for without it this module can't be imported."""
    return True


def get_metrics(metrics_json: str) -> str:
    """The metrics of a result as text for people: their JSON, indented."""
    return json.dumps(json.loads(metrics_json), indent=2, ensure_ascii=False)


class _Execution(Pipeline):
    """A pipeline that is run once."""

    def __init__(self, source: _manifest.Source, metrics: bool, dicts: bool) -> None:
        super().__init__(name=source.name, enable_metrics=metrics)
        self._source = source
        self._dicts = dicts

    def _results(self) -> _values.Results:
        return _values.Results(self.outputs, self._dicts)

    async def over(self, items: list[Any]) -> AsyncIterator[_values.Item]:
        """What to push for each item."""
        inputs = self.inputs
        if not inputs:
            raise ArgumentError(
                "the pipeline has no input that could take input_data: it reads by itself; call "
                "execute_pipeline(manifest)"
            )
        for each in items:
            for item in _parts(each, inputs):
                yield item


def _parts(item: Any, inputs: Sequence[str]) -> list[_values.Item]:
    """An item of the list: what goes into the input, or into each that it names."""
    if (
        len(inputs) > 1
        and isinstance(item, Mapping)
        and not _values.is_audio_dict(cast("Any", item))
    ):
        named = cast("Mapping[str, Any]", item)
        if named and all(key in inputs for key in named):
            return [_values.item(each, port) for port, each in named.items()]
    return [_values.item(item)]


async def _execute(source: _manifest.Source, items: list[Any] | None, metrics: bool) -> Any:
    dicts = any(_values.is_audio_dict(each) for each in items or ())
    pipeline = _Execution(source, metrics, dicts)
    outputs = await pipeline.run(None if items is None else pipeline.over(items))
    if not metrics:
        return outputs
    return {"outputs": outputs, "metrics": json.dumps(pipeline.get_metrics())}


def _source(manifest: Any) -> _manifest.Source:
    """From all that may be given as a manifest."""
    if isinstance(manifest, Async):
        if manifest.is_initialized:
            raise PipelineError("the pipeline is open: call its run(), or give one that is not")
        return manifest._source  # pyright: ignore[reportPrivateUsage]
    if isinstance(manifest, str):
        is_path = manifest.endswith(_manifest.SUFFIXES) and not _manifest.is_text(manifest)
        return _manifest.Source(path=manifest) if is_path else _manifest.Source(text=manifest)
    if isinstance(manifest, (Mapping, os.PathLike)):
        return _manifest.source([manifest], None)
    if isinstance(manifest, (list, tuple)):
        return _chain(cast("Sequence[Any]", manifest))
    raise TypeError(
        f"a {type(manifest).__name__} is no manifest: give JSON text, a dict, a Pipeline, or a "
        "list of nodes"
    )


def _chain(items: Sequence[Any]) -> _manifest.Source:
    if not items:
        raise ValueError("the list of nodes is empty: a pipeline has at least one node")
    return _manifest.Source([_node(n, each) for n, each in enumerate(items)])


def _node(n: int, item: Any) -> Any:
    """The item of that index as a node."""
    if not isinstance(item, Mapping):
        try:
            return _manifest.as_node(item)
        except PipelineError as error:
            message = f"item {n} of the list: {error}; or dicts with node_type and params"
            raise TypeError(message) from None
    fields = dict(cast("Mapping[str, Any]", item))
    kind = fields.pop("node_type", None)
    if not isinstance(kind, str):
        raise TypeError(
            f"item {n} of the list: a dict without node_type is no node: write "
            '{"node_type": "AudioResample", "params": {…}}'
        )
    params: dict[str, Any] = fields.pop("params", None) or {}
    name = fields.pop("id", None)
    own = registered().get(kind if "/" in kind else f"python/{kind}")
    if own is None:
        return _manifest.NativeNode(kind, params, name=name, fields=fields)
    made = _manifest.as_node(own.make(params))
    made.name = name or made.name
    return made
