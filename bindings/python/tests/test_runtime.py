"""`remotemedia.runtime`: a manifest is run by one call, with all inputs and all outputs."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import logging
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import remotemedia
from remotemedia import Node, Pipeline, _log, runtime
from remotemedia._manifest import NativeNode
from remotemedia.errors import (
    ArgumentError,
    ConfigurationError,
    FormatError,
    ManifestError,
    PipelineError,
)
from remotemedia.runtime import (
    audio_dict_to_numpy,
    execute_pipeline,
    execute_pipeline_with_input,
    execute_pipeline_with_instances,
    numpy_to_audio_dict,
)

ROOT = Path(__file__).resolve().parents[3]
#: As the seed's README has it.
RESAMPLE: dict[str, Any] = {
    "version": "v1",
    "metadata": {"name": "audio_processing"},
    "nodes": [{"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16000}}],
    "connections": [],
}
PASS: dict[str, Any] = {"version": "v1", "nodes": [{"id": "pass", "node_type": "PassThrough"}]}
CALCULATOR = (ROOT / "examples/calculator.json").read_text()


def execute(manifest: Any, *items: Any, metrics: bool = False) -> Any:
    """`execute_pipeline_with_input` from code without a loop."""
    return asyncio.run(execute_pipeline_with_input(manifest, list(items), metrics))


def recording(name: str = "speech-16k.wav") -> tuple[Any, int]:
    """int16 samples of a file and their rate in Hz."""
    with wave.open(str(ROOT / "media" / name)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        channels = file.getnchannels()
        return samples.reshape(-1, channels) if channels > 1 else samples, file.getframerate()


def test_the_calls_are_coroutines_and_the_rest_is_not() -> None:
    for call in (
        execute_pipeline,
        execute_pipeline_with_input,
        execute_pipeline_with_instances,
        remotemedia.execute_pipeline,
        remotemedia.execute_pipeline_with_input,
    ):
        assert inspect.iscoroutinefunction(call)
    assert runtime.is_available() is True
    assert runtime.get_runtime_version() == runtime.__version__ == remotemedia.__version__
    assert set(runtime.__all__) <= set(dir(runtime))


def test_the_earlier_names_are_the_same_functions() -> None:
    import remotemedia_ffi
    import remotemedia_runtime

    for module in (remotemedia_ffi, remotemedia_runtime):
        assert module.__version__ == runtime.__version__
        assert set(module.__all__) == set(runtime.__all__)
        for name in runtime.__all__:
            assert getattr(module, name) is getattr(runtime, name)


def test_the_manifest_of_the_readme_runs_with_and_without_input() -> None:
    text = json.dumps(RESAMPLE)
    assert asyncio.run(execute_pipeline(text)) is None
    with pytest.warns(remotemedia.RateAssumedWarning):
        result = execute(text, np.zeros(960, np.float32))
    assert type(result) is np.ndarray
    assert result.shape == (320,) and result.dtype == np.float32


def test_all_inputs_are_processed_and_all_outputs_returned() -> None:
    assert execute(CALCULATOR, 5, 7, 3) == [20, 24, 16]
    assert execute(CALCULATOR, [5, 7, 3]) == [20, 24, 16], "an item that is a list stays one"
    assert execute(CALCULATOR, [5, 7], 3) == [[20, 24], 16]
    assert execute(CALCULATOR, 5) == 20, "one result is bare"


def test_every_form_of_a_manifest_gives_the_same(tmp_path: Path) -> None:
    as_dict = json.loads(CALCULATOR)
    path = tmp_path / "calculator.json"
    path.write_text(CALCULATOR)
    nodes = [NativeNode("MultiplyNode", multiplier=2), NativeNode("AddNode", addend=10)]
    dicts = [{k: n[k] for k in ("id", "node_type", "params")} for n in as_dict["nodes"]]
    yaml = "version: v1\nnodes:\n  - { id: a, node_type: AddNode, params: { addend: 1 } }\n"
    for manifest in (CALCULATOR, as_dict, path, str(path), nodes, tuple(nodes), dicts):
        assert execute(manifest, 5, 7) == [20, 24], manifest
    assert execute([nodes[0], dicts[1]], 5) == 20
    assert execute([dicts[0], (1).__add__], 5) == 11
    assert execute(Pipeline(nodes), 5) == execute(Pipeline(as_dict).aio(), 5) == 20
    assert execute(yaml, 5) == 6


def test_what_is_no_manifest_and_no_input_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"item 1 of the list: a int is no node"):
        execute([NativeNode("PassThrough"), 3], 1)
    with pytest.raises(TypeError, match="make an instance of it"):
        execute([Node], 1)
    with pytest.raises(TypeError, match="a dict without node_type is no node"):
        execute([{"id": "x"}], 1)
    with pytest.raises(TypeError, match="a int is no manifest"):
        execute(3, 1)
    with pytest.raises(ValueError, match="the list of nodes is empty"):
        execute([], 1)
    with pytest.raises(ValueError, match="input_data is empty"):
        execute(PASS)
    for single in (np.zeros(4, np.float32), {"a": 1}, "text", (np.zeros(4), 8000), range(3)):
        with pytest.raises(TypeError, match=r"not a list of items: write \[item\]"):
            asyncio.run(execute_pipeline_with_input(PASS, single))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"write \[node\]"):
        asyncio.run(execute_pipeline_with_instances(NativeNode("PassThrough"), 1))  # type: ignore[arg-type]
    for text in ("no manifest", "", "{", '{"version": "v2"}'):
        with pytest.raises(ManifestError):
            execute(text, 1)
    with pytest.raises(ValueError, match="AudioResampel"):
        execute([{"node_type": "AudioResampel"}], 1)
    opened = Pipeline(PASS).open()
    with pytest.raises(PipelineError, match="the pipeline is open"):
        execute(opened, 1)
    opened.close()


def test_an_item_that_does_not_fit_is_the_engines_error() -> None:
    with pytest.raises(FormatError):
        execute(RESAMPLE, {"no": "audio"})


def test_audio_dicts_come_back_as_audio_dicts() -> None:
    samples, rate = recording()
    wave_in = samples.astype(np.float32) / 32768
    pieces = [numpy_to_audio_dict(part, rate, 1) for part in np.array_split(wave_in, 7)]
    manifest = {**RESAMPLE, "nodes": [{**RESAMPLE["nodes"][0], "params": {"target_rate": 8000}}]}
    result = execute(manifest, *pieces)
    assert {k: result[k] for k in ("type", "sample_rate", "channels")} == {
        "type": "audio",
        "sample_rate": 8000,
        "channels": 1,
    }
    assert isinstance(result["samples"], list)
    arrays = execute(manifest, *((part, rate) for part in np.array_split(wave_in, 7)))
    assert np.array_equal(audio_dict_to_numpy(result), arrays), "merged, and the same samples"
    assert json.loads(json.dumps(result)) == result


def test_stereo_dicts_are_interleaved_and_arrays_have_channels_last() -> None:
    samples, rate = recording("music-44k-stereo.wav")
    frames = samples[:4410].astype(np.float32) / 32768
    back = execute(PASS, numpy_to_audio_dict(frames.reshape(-1), rate, 2))
    assert (back["sample_rate"], back["channels"]) == (rate, 2)
    assert np.array_equal(audio_dict_to_numpy(back), frames)
    as_array = execute(PASS, (frames, rate))
    assert np.array_equal(as_array, frames) and as_array.dtype == np.float32


def test_an_array_on_a_port_for_anything_keeps_its_type_and_shape() -> None:
    for array in (
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.linspace(0, 1, 5),
        np.zeros((2, 2, 2), np.uint8),
        np.array([True, False]),
    ):
        back = execute(PASS, array)
        assert back.dtype == array.dtype and back.shape == array.shape
        assert np.array_equal(back, array)
    both = execute(PASS, np.zeros(3, np.float32), np.ones(3, np.float32))
    assert [each.tolist() for each in both] == [[0, 0, 0], [1, 1, 1]], "tensors are not merged"


def test_an_array_on_a_port_for_audio_takes_the_manifests_source_rate(
    recwarn: pytest.WarningsRecorder,
) -> None:
    samples, rate = recording()
    node = {**RESAMPLE["nodes"][0], "params": {"target_rate": rate // 2}}
    inputs = {"input": {"port": "resample.in", "source_rate": rate}}
    found = execute({**RESAMPLE, "nodes": [node], "inputs": inputs}, samples)
    assert not [w for w in recwarn if w.category is remotemedia.RateAssumedWarning]
    told = execute({**RESAMPLE, "nodes": [node]}, (samples, rate))
    assert np.array_equal(found, told)


def test_several_outputs_are_a_dict_by_name() -> None:
    samples, rate = recording()
    result = execute(ROOT / "examples/voice.yaml", *((p, rate) for p in np.array_split(samples, 9)))
    with Pipeline(ROOT / "examples/voice.yaml") as pipeline:
        outputs = pipeline.outputs
    assert set(result) == set(outputs) == {"audio", "segments", "levels"}
    assert result["audio"].dtype == np.int16 and len(result["audio"]) == len(samples)
    segments = result["segments"]
    assert isinstance(segments, list) and segments[0]["start_ms"] < segments[0]["end_ms"]


def test_an_item_of_a_pipeline_with_several_inputs_names_them() -> None:
    manifest = {
        "version": "v1",
        "nodes": [{"id": "a", "node_type": "AddNode"}, {"id": "b", "node_type": "MultiplyNode"}],
        "connections": [],
    }
    assert execute(manifest, {"a": 1, "b": 2}, {"b": 4}) == {"a": 1, "b": [4, 8]}
    with pytest.raises(ArgumentError, match="2 inputs: a, b"):
        execute(manifest, 1)


def test_metrics_are_those_of_the_run() -> None:
    result = execute(CALCULATOR, 5, 7, 3, metrics=True)
    assert set(result) == {"outputs", "metrics"} and result["outputs"] == [20, 24, 16]
    metrics = json.loads(result["metrics"])
    counts = {n["node_id"]: n["execution_count"] for n in metrics["node_metrics"]}
    assert counts == {"multiply": 3, "add": 3}
    assert metrics["total_duration_us"] > 0
    assert json.loads(runtime.get_metrics(result["metrics"])) == metrics
    assert "\n  " in runtime.get_metrics(result["metrics"])
    alone = asyncio.run(execute_pipeline(RESAMPLE, enable_metrics=True))
    assert alone["outputs"] is None
    assert json.loads(alone["metrics"])["node_metrics"][0]["execution_count"] == 0


def test_a_pipeline_that_reads_by_itself_needs_no_input() -> None:
    reader = {"node_type": "MediaReader", "params": {"path": str(ROOT / "media/speech-16k.wav")}}
    result = asyncio.run(execute_pipeline([reader, RESAMPLE["nodes"][0]]))
    samples, _ = recording()
    assert np.array_equal(result, samples.astype(np.float32) / 32768)
    with pytest.raises(ArgumentError, match="no input that could take input_data"):
        execute([reader], np.zeros(4, np.float32))


class Counted(Node):
    """Adds what has come so far; knows its life."""

    def __init__(self) -> None:
        super().__init__()
        self.life: list[str] = []
        self.total = 0

    def initialize(self) -> None:
        self.life.append("initialize")

    async def process(self, data: Any) -> Any:
        await asyncio.sleep(0)
        self.total += data
        return self.total

    def cleanup(self) -> None:
        self.life.append("cleanup")


def test_instances_are_initialized_once_and_cleaned_up_once() -> None:
    node = Counted()
    result = asyncio.run(execute_pipeline_with_instances([node], [1, 2, 3]))
    assert result == [1, 3, 6] and node.life == ["initialize", "cleanup"]
    assert asyncio.run(execute_pipeline_with_instances([Counted()], 4)) == 4
    assert asyncio.run(execute_pipeline_with_instances([Counted()])) is None
    told = asyncio.run(execute_pipeline_with_instances([Counted()], 4, True))
    assert told["outputs"] == 4 and json.loads(told["metrics"])["total_executions"] == 1


def test_dicts_may_name_types_that_are_registered() -> None:
    from remotemedia._node import unregister

    @remotemedia.node("test/Shout")
    def shout(text: str, mark: str = "!") -> str:
        return text.upper() + mark

    try:
        chain: list[Any] = [{"node_type": "test/Shout", "params": {"mark": "?"}}, str.lower]
        assert execute(chain[:1], "hello") == "HELLO?"
        assert execute({"version": "v1", "nodes": [{"id": "s", **chain[0]}]}, "hi") == "HI?"
    finally:
        unregister("test/Shout")
    assert shout("x") == "X!"


def test_cancelling_the_call_cancels_the_pipeline() -> None:
    node = Counted()
    seen: list[str] = []

    class Stuck(Node):
        async def process(self, data: Any) -> Any:
            seen.append("in")
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(execute_pipeline_with_instances([node, Stuck()], [1, 2]))
        while not seen:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert node.life == ["initialize", "cleanup"]


def test_a_node_that_fails_fails_the_call() -> None:
    def bad(_: Any) -> Any:
        raise KeyError("gone")

    with pytest.raises(remotemedia.NodeError, match="bad") as caught:
        execute([bad], 1)
    assert isinstance(caught.value.__cause__, KeyError)


def test_other_tasks_run_while_items_go_in_and_come_out() -> None:
    ticks = 0

    async def main() -> Any:
        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        result = await execute_pipeline_with_input(CALCULATOR, list(range(100)))
        pushed = ticks
        reader = {"node_type": "MediaReader", "params": {"path": str(ROOT / "media/speech.mp3")}}
        await execute_pipeline([reader])
        ticking.cancel()
        return result, pushed, ticks - pushed

    result, pushed, pulled = asyncio.run(main())
    assert result == [2 * n + 10 for n in range(100)]
    assert pushed >= 100 and pulled >= 900, "a turn for each packet"


def test_calls_run_side_by_side() -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(
            *(execute_pipeline_with_input(CALCULATOR, [n, n + 1]) for n in range(20))
        )

    assert asyncio.run(main()) == [[2 * n + 10, 2 * n + 12] for n in range(20)]


# -- what is logged --


class Told:
    """An engine with lines."""

    def __init__(self, *lines: dict[str, Any]) -> None:
        self.lines = list(lines)

    def next_log(self) -> dict[str, Any] | None:
        return self.lines.pop(0) if self.lines else None


def line(level: str, message: str, **more: Any) -> dict[str, Any]:
    return {"level": level, "time_ns": 7, "pipeline": "p", "message": message, "lost": 0, **more}


def test_lines_of_the_engine_go_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "remotemedia.engine")
    told = Told(line("warn", "careful", lost=2), line("debug", "chatter"), line("error", "broken"))
    assert _log.drain_log(told) == 3
    logged = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert logged == [
        ("WARNING", "2 lines of the engine's log were lost"),
        ("WARNING", "p: careful"),
        ("ERROR", "p: broken"),
    ]


def test_a_log_that_nobody_takes_costs_nothing() -> None:
    _log.ENGINE.disabled = True
    try:
        told = Told(line("error", "stays"))
        assert _log.drain_log(told) == 0 and len(told.lines) == 1
    finally:
        _log.ENGINE.disabled = False


def test_levels_are_read_as_rust_and_python_write_them() -> None:
    read = _log.directives
    assert read("debug", True) == {"remotemedia": logging.DEBUG}
    assert read("remotemedia=debug, remotemedia::engine=trace", True) == {
        "remotemedia": logging.DEBUG,
        "remotemedia.engine": _log.TRACE,
    }
    assert read("hyper=info,remotemedia_ffi=warn,h2", False) == {"remotemedia": logging.WARNING}
    assert read("remotemedia=loud", False) == {}
    for text in ("loud", "remotemedia=loud", "hyper=info"):
        with pytest.raises(ConfigurationError, match="REMOTEMEDIA_LOG"):
            read(text, True)


def test_the_package_itself_prints_nothing() -> None:
    assert [type(h) for h in logging.getLogger("remotemedia").handlers] == [logging.NullHandler]


def test_events_reach_a_log_that_is_configured() -> None:
    stream = io.StringIO()
    before = _log.LOG.handlers[:], _log.LOG.level
    try:
        assert not _log.configure({}, stream)
        for _ in range(2):
            assert _log.configure({"RUST_LOG": "remotemedia=debug,x=1"}, stream)
        assert len(_log.LOG.handlers) == len(before[0]) + 1, "asked twice, told once"
        with Pipeline(json.loads(CALCULATOR)) as pipeline:
            pipeline.push(1)
    finally:
        _log.LOG.handlers[:] = before[0]
        _log.LOG.setLevel(before[1])
    assert "DEBUG remotemedia: " in stream.getvalue() and "state" in stream.getvalue()
