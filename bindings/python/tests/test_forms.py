"""Each form in which pipelines are made and run."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

import remotemedia
from remotemedia import Node, Pipeline
from remotemedia.nodes import AddNode, MultiplyNode, PassThroughNode

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
        wrongs: list[Any] = [3, AddNode, object()]
        for wrong in wrongs:
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
