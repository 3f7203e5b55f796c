"""Each form in which pipelines are made and run."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any

from helpers import np

import remotemedia
from remotemedia import Node, Pipeline
from remotemedia.nodes import AddNode, AudioResampleNode, MultiplyNode, PassThroughNode

needs_yaml = unittest.skipUnless(
    importlib.util.find_spec("yaml"), "the fallback reads YAML with PyYAML, which is not installed"
)
CALCULATOR = """\
version: v1
metadata: {name: calculator}
nodes:
  - {id: multiply, node_type: MultiplyNode, params: {multiplier: 2}}
  - {id: add, node_type: AddNode, params: {addend: 10}}
connections:
  - {from: multiply, to: add}
"""


def double(number: float) -> float:
    """A node that is a function."""
    return number * 2


class Counted(Node):
    """Counts what is done to it."""

    def __init__(self, fail: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.fail = fail
        self.did: list[str] = []

    def initialize(self) -> None:
        """Once."""
        self.did.append("initialize")

    def process(self, data: Any) -> Any:
        """For each item."""
        self.did.append("process")
        if self.fail:
            raise KeyError("no")
        return data

    def cleanup(self) -> None:
        """Once, also after an error."""
        self.did.append("cleanup")


class CountedAsync(Counted):
    """The same with `async`, as earlier versions had it."""

    async def initialize(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Once."""
        await asyncio.sleep(0)
        self.did.append("initialize")

    async def process(self, data: Any) -> Any:
        """For each item."""
        await asyncio.sleep(0)
        return super().process(data)

    async def cleanup(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Once."""
        await asyncio.sleep(0)
        self.did.append("cleanup")


class Made(unittest.TestCase):
    """What a pipeline is made of."""

    def test_of_nodes(self) -> None:
        for made in (
            Pipeline([MultiplyNode(2), AddNode(10)]),
            Pipeline(MultiplyNode(2), AddNode(10)),
            Pipeline((MultiplyNode(2), AddNode(10))),
            Pipeline("name").add_node(MultiplyNode(2)).add_node(AddNode(10)),
            Pipeline().add_node(MultiplyNode(2)).add_node(AddNode(10)),
            Pipeline([], name="name").add_node(MultiplyNode(2)).add_node(AddNode(10)),
            Pipeline(double, AddNode(10)),
        ):
            self.assertEqual(made.run([5, 7, 3]).value, [20, 24, 16])
            self.assertEqual((made.node_count, len(made)), (2, 2))

    def test_name(self) -> None:
        self.assertEqual(Pipeline("voice").name, "voice")
        self.assertEqual(Pipeline(PassThroughNode(), name="voice").name, "voice")

    def test_nodes_by_name(self) -> None:
        made = Pipeline(PassThroughNode(name="a"), PassThroughNode(name="b"))
        found = made.get_node("b")
        self.assertIsNotNone(found)
        self.assertTrue(made.remove_node("a"))
        self.assertFalse(made.remove_node("a"))
        self.assertEqual(made.nodes, [found])

    def test_wrong_nodes(self) -> None:
        for wrong in (3, Counted, object()):
            with self.assertRaises(remotemedia.PipelineError):
                Pipeline().add_node(wrong)
        with self.assertRaisesRegex(remotemedia.PipelineError, "has no nodes"):
            Pipeline("empty").run()
        opened = Pipeline(PassThroughNode()).open()
        with self.assertRaises(remotemedia.PipelineError):
            opened.add_node(PassThroughNode())
        opened.close()

    def test_of_text_and_dicts(self) -> None:
        manifest = json.loads(_as_json())
        made = [Pipeline(CALCULATOR), Pipeline(_as_json()), Pipeline(manifest)]
        made += [Pipeline.from_json(_as_json()), asyncio.run(Pipeline.from_definition(manifest))]
        for each in made:
            self.assertEqual(each.run([5, 7, 3]).value, [20, 24, 16])


def _as_json() -> str:
    nodes = [
        {"id": "multiply", "node_type": "MultiplyNode", "params": {"multiplier": 2}},
        {"id": "add", "node_type": "AddNode", "params": {"addend": 10}},
    ]
    links = [{"from": "multiply", "to": "add"}]
    return json.dumps({"version": "v1", "nodes": nodes, "connections": links})


class FromYaml(unittest.TestCase):
    """`Pipeline.from_yaml`."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.path = Path(made.name, "calculator.yaml")
        self.path.write_text(CALCULATOR)

    def test_hints(self) -> None:
        for hint in ("auto", "rust"):
            made = Pipeline.from_yaml(self.path, runtime_hint=hint)
            self.assertIsInstance(made, Pipeline)
            self.assertEqual(made.run([5, 7, 3]).value, [20, 24, 16])
        with self.assertRaisesRegex(remotemedia.ConfigurationError, "auto, rust, python"):
            Pipeline.from_yaml(self.path, runtime_hint="gpu")

    @needs_yaml
    def test_python_hint(self) -> None:
        made = Pipeline.from_yaml(str(self.path), enable_metrics=True, runtime_hint="python")
        self.assertEqual(made.run([5, 7, 3]).value, [20, 24, 16])
        metrics: Any = made.get_metrics()
        self.assertEqual(len(metrics["node_metrics"]), 2)

    def test_metrics(self) -> None:
        plain = Pipeline.from_yaml(self.path)
        plain.run(1)
        self.assertIsNone(plain.get_metrics())
        made = Pipeline.from_yaml(self.path, enable_metrics=True)
        self.assertIsNone(made.get_metrics())
        made.run([5, 7, 3])
        metrics: Any = made.get_metrics()
        self.assertEqual(metrics["pipeline_id"], "calculator")
        self.assertGreater(metrics["total_duration_us"], 0)
        counts = {node["node_id"]: node["execution_count"] for node in metrics["node_metrics"]}
        self.assertEqual(set(counts), {"multiply", "add"})
        self.assertGreaterEqual(min(counts.values()), 3)
        json.dumps(metrics)

    def test_without_rust(self) -> None:
        made = Pipeline(MultiplyNode(2), AddNode(10))
        self.assertEqual(made.run([5, 7, 3], use_rust=False).value, [20, 24, 16])


class Runs(unittest.IsolatedAsyncioTestCase):
    """`run`, with and without an event loop."""

    def test_plain(self) -> None:
        run = Pipeline(AddNode(1)).run(1)
        self.assertEqual(run.value, 2)

    def test_by_asyncio_run(self) -> None:
        self.assertEqual(asyncio.run(Pipeline(AddNode(1)).run(1)), 2)

    async def test_awaited(self) -> None:
        self.assertEqual(await Pipeline(AddNode(1)).run(1), 2)
        self.assertEqual(await Pipeline(CountedAsync()).run([1, 2]), [1, 2])
        self.assertEqual(await asyncio.create_task(Pipeline(AddNode(1)).run(1)), 2)

        async def items() -> Any:
            for n in range(3):
                yield n

        self.assertEqual(await Pipeline(AddNode(1)).run(items()), [1, 2, 3])

    async def test_not_awaited(self) -> None:
        node = Counted()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            Pipeline(node).run(1)
        self.assertIn("was never awaited", str(seen[0].message))
        self.assertEqual(node.did, [])

    def test_inputs(self) -> None:
        audio = np.linspace(-1, 1, 480, dtype=np.float32)
        resample = Pipeline(AudioResampleNode(16_000))
        right = resample.run((audio, 48_000)).value
        self.assertEqual(right.shape, (160,))
        as_dict = {"type": "audio", "samples": audio, "sample_rate": 48_000, "channels": 1}
        for given in ((audio, 48_000), as_dict, [(audio, 48_000)], {"audio": (audio, 48_000)}):
            with self.subTest(type(given)):
                np.testing.assert_array_equal(resample.run(given).value, right)
        for given in (audio, {"audio": audio}):
            np.testing.assert_array_equal(resample.run(given, rate=48_000).value, right)
        # Without a rate 48 kHz is taken, with a warning.
        with self.assertWarnsRegex(remotemedia.RateAssumedWarning, "48000 Hz"):
            np.testing.assert_array_equal(resample.run({"audio": audio}).value, right)

    def test_values(self) -> None:
        self.assertIsNone(Pipeline(PassThroughNode()).run().value)
        self.assertEqual(Pipeline(PassThroughNode()).run(["a"]).value, "a")
        self.assertEqual(Pipeline(PassThroughNode()).run(["a", "b"]).value, ["a", "b"])
        self.assertEqual(Pipeline(PassThroughNode()).run(b"raw").value, b"raw")


class Definitions(unittest.TestCase):
    """What a pipeline is, as a manifest."""

    def test_round_trip(self) -> None:
        made = Pipeline(MultiplyNode(2), AddNode(10, name="plus"), name="calculator")
        definition = made.export_definition("what it does")
        self.assertEqual(definition["version"], "v1")
        self.assertEqual(definition["metadata"]["name"], "calculator")
        self.assertEqual(definition["metadata"]["description"], "what it does")
        self.assertEqual([node["id"] for node in definition["nodes"]], ["MultiplyNode", "plus"])
        self.assertEqual(definition["connections"], [{"from": "MultiplyNode", "to": "plus"}])
        for again in (Pipeline(definition), Pipeline.from_json(made.serialize())):
            self.assertEqual(again.run([5, 7, 3]).value, [20, 24, 16])
            self.assertEqual(again.export_definition()["nodes"], definition["nodes"])
        self.assertEqual(remotemedia.validate(definition), [])

    def test_several_of_a_name(self) -> None:
        made = Pipeline(AddNode(1), AddNode(2))
        self.assertEqual(Pipeline(made.export_definition()).run(1).value, 4)


class Life(unittest.IsolatedAsyncioTestCase):
    """`initialize` and `cleanup`."""

    def test_once_a_run(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind()
            pipeline = Pipeline(node)
            pipeline.run([1, 2])
            self.assertEqual(node.did, ["initialize", "process", "process", "cleanup"])
            pipeline.run(3)
            self.assertEqual(node.did[4:], ["initialize", "process", "cleanup"])

    def test_managed(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind()
            with Pipeline(node).managed_execution() as pipeline:
                self.assertEqual([pipeline.run(n).value for n in range(3)], [0, 1, 2])
            self.assertEqual(node.did, ["initialize", *["process"] * 3, "cleanup"])

    async def test_managed_async(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind()
            async with Pipeline(node).managed_execution() as pipeline:
                self.assertEqual([await pipeline.run(n) for n in range(3)], [0, 1, 2])
            self.assertEqual(node.did, ["initialize", *["process"] * 3, "cleanup"])

    async def test_after_an_error(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind(fail=True)
            with self.assertRaises(remotemedia.NodeError) as caught:
                await Pipeline(node).run(1)
            self.assertIsInstance(caught.exception.__cause__, KeyError)
            self.assertEqual(node.did, ["initialize", "process", "cleanup"])


class Names(unittest.TestCase):
    """The names of the package."""

    def test_exceptions(self) -> None:
        base = remotemedia.RemoteMediaError
        for name in (
            "PipelineError",
            "NodeError",
            "RemoteExecutionError",
            "WebRTCError",
            "SerializationError",
            "ConfigurationError",
        ):
            kind = getattr(remotemedia, name)
            self.assertTrue(issubclass(kind, base), name)
            self.assertIs(kind, getattr(importlib.import_module("remotemedia.core"), name))
            self.assertIs(
                kind, getattr(importlib.import_module("remotemedia.core.exceptions"), name)
            )
        error = remotemedia.RemoteExecutionError("gone", remote_traceback="there")
        self.assertEqual((str(error), error.remote_traceback), ("gone", "there"))

    def test_wrong_manifests_are_value_errors(self) -> None:
        with self.assertRaisesRegex(ValueError, "Unknown node type 'Nothing'"):
            Pipeline({"version": "v1", "nodes": [{"id": "a", "node_type": "Nothing"}]}).open()

    def test_core(self) -> None:
        from remotemedia import core
        from remotemedia.core import node, pipeline

        self.assertIs(core.Pipeline, Pipeline)
        self.assertIs(pipeline.Pipeline, Pipeline)
        self.assertIs(core.Node, Node)
        self.assertIs(node.Node, Node)
        self.assertIs(node.RemoteExecutorConfig, remotemedia.RemoteExecutorConfig)

    def test_detection(self) -> None:
        self.assertIs(remotemedia.is_rust_runtime_available(), True)
        found, module, why = remotemedia.try_load_rust_runtime()
        self.assertEqual((found, module, why), (True, remotemedia.get_rust_runtime(), None))
        self.assertTrue(inspect.ismodule(module))


if __name__ == "__main__":
    unittest.main()
