"""Nodes that run on a server, and when which module is imported."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helpers as helpers
import numpy as np
import pytest
import remotemedia
from remotemedia import (
    AsyncPipeline,
    ConfigurationError,
    FormatError,
    ManifestError,
    Packet,
    Pipeline,
    RemoteExecutionError,
    UnsupportedError,
    nodes,
)
from remotemedia.core.node import Node, RemoteExecutorConfig


class Remote(unittest.IsolatedAsyncioTestCase):
    """What needs a server can be made, and says so when it is to run."""

    def test_nodes_refuse_to_open(self) -> None:
        config = RemoteExecutorConfig(host="localhost", port=50052)
        made: list[Node] = [
            nodes.RemoteObjectExecutionNode(node_object=nodes.PassThroughNode()),
            nodes.RemoteObjectExecutionNode(obj_to_execute=object(), remote_config=config),
            nodes.SerializedClassExecutorNode(),
            nodes.CodeExecutorNode(code="1"),
        ]
        for node in made:
            with self.assertRaisesRegex(UnsupportedError, "no server runs Python for others"):
                Pipeline(nodes.PassThroughNode(), node).run("x")
            with self.assertRaisesRegex(UnsupportedError, type(node).__name__):
                Pipeline(node).open()
        with self.assertRaises(ConfigurationError):
            nodes.RemoteExecutionNode()

    async def test_in_a_loop(self) -> None:
        with self.assertRaisesRegex(UnsupportedError, "no server runs Python for others"):
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


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteExecutorConfig]:
    """`rmedia serve` as a process."""
    command = os.environ.get("RMEDIA") or shutil.which("rmedia")
    if command is None:
        pytest.skip("there is no rmedia on PATH and none in RMEDIA")
    with subprocess.Popen(
        [command, "--json", "serve", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = json.loads(process.stderr.readline())
        host, port = said["serving"].rsplit(":", 1)
        yield RemoteExecutorConfig(host=host, port=int(port))
        process.terminate()
        assert process.wait(30) == 0


SAMPLES = np.linspace(-1, 1, 4800, dtype=np.float32)
GAIN = {"gain_db": -6.0}


def test_a_node_on_a_server_gives_what_it_gives_here(server: RemoteExecutorConfig) -> None:
    def manifest(**more: Any) -> dict[str, Any]:
        node = {"id": "gain", "node_type": "Gain", "params": GAIN, **more}
        return {"version": "v1", "nodes": [node]}

    here = Pipeline(manifest()).run((SAMPLES, 48_000)).value
    for node in (
        nodes.RemoteExecutionNode(node_type="Gain", remote_config=server, node_config=GAIN),
        nodes.RemoteExecutionNode(node_to_execute="Gain", remote_config=server, node_config=GAIN),
        server("Gain", GAIN),
        manifest(placement="remote", remote=server.settings()),
    ):
        there = Pipeline(node).run((SAMPLES, 48_000)).value
        assert np.array_equal(np.asarray(there), np.asarray(here))


def test_a_pipeline_on_a_server_is_a_node(server: RemoteExecutorConfig) -> None:
    manifest = {
        "version": "v1",
        "nodes": [
            {"id": "half", "node_type": "AudioResample", "params": {"target_rate": 24_000}},
            {"id": "gain", "node_type": "Gain", "params": GAIN},
        ],
        "connections": [{"from": "half", "to": "gain"}],
    }
    here = np.concatenate([np.asarray(p) for p in _all(Pipeline(manifest))])
    remote = nodes.RemotePipelineNode(manifest, server)
    there = np.concatenate([np.asarray(p) for p in _all(Pipeline(remote))])
    assert len(here) == 2400
    assert np.array_equal(there, here)


def _all(pipeline: Pipeline) -> list[Packet]:
    with pipeline:
        for block in np.split(SAMPLES, 5):
            pipeline.push(block, rate=48_000)
        pipeline.end()
        return list(pipeline)


def test_nodes_here_and_there_work_together_on_a_loop(server: RemoteExecutorConfig) -> None:
    async def double(text: str) -> str:
        return text * 2

    async def main() -> list[str]:
        got: list[str] = []
        remote = server("PassThrough")
        async with AsyncPipeline(double, remote, double) as pipeline:
            for n in range(50):
                await pipeline.push(str(n))
            pipeline.end()
            async for packet in pipeline:
                got.append(str(packet.value))
        return got

    assert asyncio.run(main()) == [str(n) * 4 for n in range(50)]


def test_a_server_that_is_not_there_is_an_error_that_names_it() -> None:
    config = RemoteExecutorConfig(host="127.0.0.1", port=1, timeout=0.2)
    with pytest.raises(RemoteExecutionError, match="127.0.0.1:1") as caught:
        Pipeline(config("PassThrough")).run("x")
    assert caught.value.code == "Unavailable"


def test_an_error_of_the_server_is_the_error_that_it_has_here(
    server: RemoteExecutorConfig,
) -> None:
    with pytest.raises(ManifestError, match="NoSuchNode"):
        Pipeline(server("NoSuchNode")).run("x")
    with pytest.raises(FormatError):
        Pipeline(server("Gain")).run("x")


def test_without_a_server_that_is_named_the_manifest_says_what_to_do() -> None:
    with pytest.raises(ManifestError, match="REMOTEMEDIA_ENDPOINT"):
        Pipeline(nodes.RemoteExecutionNode(node_type="Gain")).run((SAMPLES, 48_000))


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
