"""Public gRPC clients speak to `rmedia serve` by `proto/` alone: the examples, health,
reflection."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROTO = ROOT / "proto"
SAID = [
    "1600 samples at 16 kHz are 800 at 8 kHz",
    "times three: 15 21 9",
    "a pipeline: 20 24 16",
    "the same on a stream: 20 24 16",
    "INVALID_ARGUMENT: Unknown node type 'NoSuchNode' for node 'node'; did you mean 'EchoNode'",
]
COMMAND = os.environ.get("RMEDIA") or shutil.which("rmedia")

pytestmark = pytest.mark.skipif(COMMAND is None, reason="no rmedia on PATH and none in RMEDIA")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server as a process."""
    words = [str(COMMAND), "--json", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield json.loads(process.stderr.readline())["serving"]
        process.terminate()
        assert process.wait(30) == 0


def said(words: list[str], **more: str) -> list[str]:
    """What a client prints."""
    ran = subprocess.run(
        words, capture_output=True, text=True, timeout=120, env={**os.environ, **more}
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_a_client_in_plain_python(endpoint: str, tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    files = [str(PROTO / f"remotemedia/v1/{name}.proto") for name in ("packet", "node", "pipeline")]
    outputs = [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    said([sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTO), *outputs, *files])
    # The package of that name, which is installed here, is not meant.
    for folder in ("remotemedia", "remotemedia/v1"):
        (tmp_path / folder / "__init__.py").touch()
    client = [sys.executable, str(ROOT / "examples/remote/client.py"), endpoint]
    found = said(client, PYTHONPATH=str(tmp_path))
    assert [line.rstrip("?") for line in found] == SAID


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_a_client_in_plain_node(endpoint: str, tmp_path: Path) -> None:
    packages = ["@grpc/grpc-js@1.14.0", "@grpc/proto-loader@0.8.0"]
    said(["npm", "install", "--silent", "--prefix", str(tmp_path), *packages])
    # Modules are looked for beside the program.
    client = shutil.copy(ROOT / "examples/remote/client.mjs", tmp_path)
    found = said(["node", str(client), endpoint], PROTO=str(PROTO))
    assert [line.removesuffix("%3F").rstrip("?") for line in found] == SAID


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_the_protocol_keeps_the_rules_of_buf(tmp_path: Path) -> None:
    said(["npm", "install", "--silent", "--prefix", str(tmp_path), "@bufbuild/buf@1.72.0"])
    command = tmp_path / "node_modules/.bin/buf"
    # A copy, as buf does not follow the link.
    shutil.copytree(PROTO, tmp_path / "proto")
    (tmp_path / "proto/buf.yaml").write_text("version: v2\nlint: {use: [STANDARD]}\n")
    assert said([str(command), "lint", str(tmp_path / "proto")]) == []
    # It looks at all of it, and finds what is wrong.
    admin = tmp_path / "proto/remotemedia/v1/admin.proto"
    admin.write_text(admin.read_text().replace("rpc Drain(", "rpc drain("))
    linted = subprocess.run([str(command), "lint", str(tmp_path / "proto")], capture_output=True)
    assert linted.returncode != 0 and b"drain" in linted.stdout


def test_health_and_reflection_answer_a_public_client(endpoint: str) -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed")
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase,
    )

    with grpc.insecure_channel(endpoint) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "remotemedia.v1.NodeService", "remotemedia.v1.PipelineService"):
            asked = health_pb2.HealthCheckRequest(service=service)
            assert health.Check(asked).status == health_pb2.HealthCheckResponse.SERVING
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "remotemedia.v1.NodeService" in database.get_services()
        described = DescriptorPool(database).FindServiceByName("remotemedia.v1.NodeService")
        methods = [method.name for method in described.methods]
        assert methods == ["ExecuteNode", "StreamNode", "ListNodes"]
