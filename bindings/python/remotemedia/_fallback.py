"""The NumPy fallback as a pipeline: `run` and nothing else."""

from __future__ import annotations

import os
import re
import time
import warnings
from typing import Any, cast

from . import _manifest, _values
from ._detect import HINTS, try_load_rust_runtime
from .errors import ConfigurationError, UnsupportedError


def choose(native: Any, path: Any, enable_metrics: bool, hint: str) -> Any:
    """A pipeline for a manifest's file, as `runtime_hint` asks."""
    if hint not in HINTS:
        raise ConfigurationError(f"runtime_hint={hint!r} is none of {', '.join(HINTS)}")
    name = str(os.fspath(cast("os.PathLike[str]", path)))
    if hint == "python":
        return FallbackPipeline.from_path(name, enable_metrics)
    found, _, why = try_load_rust_runtime()
    if found:
        return native.from_file(name, enable_metrics=enable_metrics)
    if hint == "rust":
        raise UnsupportedError(
            f"runtime_hint='rust', but the native engine can't be imported: {why}"
        )
    warnings.warn(
        f"the native engine can't be imported ({why}): the NumPy fallback runs {name}",
        UserWarning,
        stacklevel=3,
    )
    return FallbackPipeline.from_path(name, enable_metrics)


def twin(pipeline: Any) -> FallbackPipeline:
    """The fallback for a pipeline of the engine's nodes."""
    return FallbackPipeline(pipeline.export_definition(), name=pipeline.name)


_VARIABLE = re.compile(r"\$(\$(?=\{))|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}")


def _variable(found: re.Match[str]) -> str:
    """`${NAME}`, `${NAME:-default}` and `$${`, as in manifests."""
    if found[1]:
        return "$"
    name, default = found[2], found[3]
    value = os.environ.get(name, "")
    if not value and default is None:
        raise ConfigurationError(f"the variable {name} is not set: set it, or write ${{{name}:-…}}")
    return value or default[2:]


def _replaced(value: Any) -> Any:
    """A manifest with its variables replaced."""
    if isinstance(value, str):
        return _VARIABLE.sub(_variable, value)
    if isinstance(value, list):
        return [_replaced(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _replaced(each) for key, each in cast("dict[Any, Any]", value).items()}
    return value


class FallbackPipeline:
    """A chain of the few nodes that the fallback has. Each `run` begins anew.

    Its results are those of the engine within the tolerances that `remotemedia.fallback` states.
    """

    def __init__(
        self, manifest: dict[str, Any], name: str | None = None, enable_metrics: bool = False
    ) -> None:
        self.manifest = manifest
        self.enable_metrics = enable_metrics
        self._metrics: dict[str, Any] | None = None
        self._make()
        self.name = name or str(
            cast("Any", manifest.get("metadata") or {}).get("name") or "pipeline"
        )

    @classmethod
    def from_path(cls, path: str, enable_metrics: bool) -> FallbackPipeline:
        """From a manifest's file."""
        manifest = _manifest.as_dict(_manifest.read(path))
        untrusted = bool(manifest.get("untrusted"))
        return cls(manifest if untrusted else _replaced(manifest), None, enable_metrics)

    def _make(self) -> Any:
        from .fallback.run import LinearPipeline

        return LinearPipeline(self.manifest)

    def run(self, input_data: Any = None, **options: Any) -> Any:
        """As `Pipeline.run`."""
        from ._run import Run

        return Run(self, input_data, True, options)  # pyright: ignore[reportArgumentType]

    def _run_now(self, input_data: Any, options: dict[str, Any], use_rust: bool) -> Any:
        return self.calculate(input_data, options)

    async def _run_async(self, input_data: Any, options: dict[str, Any], use_rust: bool) -> Any:
        if _values.is_async(input_data):
            input_data = [each async for each in input_data]
        return self.calculate(input_data, options)

    def calculate(self, input_data: Any, options: dict[str, Any]) -> Any:
        """Runs an input through."""
        from .fallback.values import Audio

        begin = time.perf_counter_ns()
        line = self._make()
        results: list[tuple[str, Any]] = []
        rates = _source_rate(self.manifest)
        for item in _values.items(input_data, [line.input_name]):
            told = {**options, **item.options}
            results += line.push(_item(item.data, told, rates, Audio))
        results += line.end()
        total = (time.perf_counter_ns() - begin) / 1000
        nodes = line.node_metrics()
        self._metrics = {
            "pipeline_id": self.name,
            "total_executions": max((n["execution_count"] for n in nodes), default=0),
            "total_duration_us": total,
            "total_duration_ms": total / 1000,
            "node_metrics": nodes,
        }
        outputs: dict[str, list[Any]] = {name: [] for name in line.output_names}
        for name, result in results:
            outputs.setdefault(name, []).append(result)
        values = {name: _merged(listed) for name, listed in outputs.items()}
        return next(iter(values.values())) if len(values) == 1 else values

    def get_metrics(self) -> dict[str, Any] | None:
        """As `Pipeline.get_metrics`."""
        return self._metrics if self.enable_metrics else None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnsupportedError(
            f"the NumPy fallback has no {name}: it has run() and get_metrics(); for all else take "
            "the native engine (runtime_hint='rust')"
        )


def _source_rate(manifest: dict[str, Any]) -> int:
    """The rate of audio that comes without one."""
    inputs = cast("dict[str, Any]", manifest.get("inputs") or {})
    nodes = cast("list[dict[str, Any]]", manifest.get("nodes") or [])
    for each in [*inputs.values(), *nodes[:1]]:
        if isinstance(each, dict) and "source_rate" in each:
            return int(cast("Any", each)["source_rate"])
    return 48_000


def _item(data: Any, told: dict[str, Any], rate: int, audio: Any) -> Any:
    """What is pushed, in the fallback's terms."""
    if not hasattr(data, "__array__") or isinstance(data, (str, bytes)):
        return data
    np = _values.numpy()
    samples = np.asarray(data)
    if samples.dtype == np.float64:
        samples = samples.astype(np.float32)
    return audio(samples, int(told.get("rate") or rate), told.get("pts_ns"))


def _merged(listed: list[Any]) -> Any:
    """Audio that follows on each other as one array; the only result, or all of them."""
    np = _values.numpy()
    out: list[Any] = []
    stretch: list[Any] = []

    def close() -> None:
        if stretch:
            out.append(np.concatenate([each.samples for each in stretch]))
            stretch.clear()

    for each in listed:
        if hasattr(each, "samples"):
            last = stretch[-1] if stretch else None
            if last is not None and (each.rate, each.discont) != (last.rate, False):
                close()
            stretch.append(each)
        else:
            close()
            out.append(getattr(each, "fields", each))
    close()
    return _values.bare(out)
