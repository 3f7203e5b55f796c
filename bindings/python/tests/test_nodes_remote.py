"""Classes of nodes that need a server, and when which module is imported."""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path

import helpers as helpers
import remotemedia
from remotemedia import ConfigurationError, Pipeline, UnsupportedError, nodes
from remotemedia.core.node import Node, RemoteExecutorConfig


class Remote(unittest.IsolatedAsyncioTestCase):
    """What needs a server can be made, and says so when it is to run."""

    def test_nodes_refuse_to_open(self) -> None:
        config = RemoteExecutorConfig(host="localhost", port=50052)
        made: list[Node] = [
            nodes.RemoteExecutionNode(node_type="WhisperTranscriptionNode", node_config={"a": 1}),
            nodes.RemoteExecutionNode(node_to_execute="X", remote_config=config),
            nodes.RemoteObjectExecutionNode(node_object=nodes.PassThroughNode()),
            nodes.RemoteObjectExecutionNode(obj_to_execute=object(), remote_config=config),
            nodes.SerializedClassExecutorNode(),
            nodes.CodeExecutorNode(code="1"),
        ]
        for node in made:
            with self.assertRaisesRegex(UnsupportedError, "no remote server in this build"):
                Pipeline(nodes.PassThroughNode(), node).run("x")
            with self.assertRaisesRegex(UnsupportedError, type(node).__name__):
                Pipeline(node).open()
        with self.assertRaises(ConfigurationError):
            nodes.RemoteExecutionNode()

    async def test_in_a_loop(self) -> None:
        with self.assertRaisesRegex(UnsupportedError, "no remote server in this build"):
            await Pipeline(nodes.SerializedClassExecutorNode()).run("x")

    async def test_proxy(self) -> None:
        from remotemedia.remote import RemoteProxyClient

        client = RemoteProxyClient(RemoteExecutorConfig(host="localhost", port=50052))
        with self.assertRaisesRegex(UnsupportedError, "localhost:50052"):
            await client.connect()
        with self.assertRaises(UnsupportedError):
            async with client:
                self.fail("it connected")
        with self.assertRaises(UnsupportedError):
            await client.create_proxy(object())

    def test_config(self) -> None:
        for wrong in ({"port": 0}, {"protocol": "smoke"}, {"timeout": 0}, {"host": ""}):
            with self.assertRaises(ConfigurationError):
                RemoteExecutorConfig(**{"host": "h", "port": 1, **wrong})  # pyright: ignore


class Lazy(unittest.TestCase):
    """What is imported when."""

    def test_names(self) -> None:
        for name in nodes.__all__:
            self.assertTrue(issubclass(getattr(nodes, name), Node), name)
        with self.assertRaises(ImportError):
            from remotemedia.nodes import Nothing  # pyright: ignore  # noqa: F401

    def test_import_is_light(self) -> None:
        code = (
            "import sys, remotemedia, remotemedia.nodes as n; n.MediaReaderNode; n.VADNode;"
            "n.TransformersPipelineNode('t'); n.RemoteObjectExecutionNode(n.UltravoxNode());"
            "print([m for m in ('numpy', 'torch', 'transformers', 'grpc') if m in sys.modules])"
        )
        folder = str(Path(remotemedia.__file__).parents[1])
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True
        )
        self.assertEqual(ran.stdout.strip(), "[]")


if __name__ == "__main__":
    unittest.main()
