"""A client of `rmedia serve` in plain Python and gRPC, without the engine.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I proto --python_out=OUT --grpc_python_out=OUT \
        proto/remotemedia/v1/{packet,node,pipeline}.proto
    PYTHONPATH=OUT python examples/remote/client.py 127.0.0.1:50051

The modules are called `remotemedia.v1`. Where the package `remotemedia` is installed, too, put an
empty `__init__.py` into OUT/remotemedia and OUT/remotemedia/v1, so that they are found before it.

Runs a node over some audio with one call, another one on a stream, packet by packet, and a whole
pipeline both ways.
"""

import array
import json
import queue
import sys

import grpc
from remotemedia.v1 import node_pb2 as nodes
from remotemedia.v1 import node_pb2_grpc as services
from remotemedia.v1 import packet_pb2 as packets
from remotemedia.v1 import pipeline_pb2 as pipelines
from remotemedia.v1 import pipeline_pb2_grpc as pipeline_services

CALCULATOR = json.dumps({
    "version": "v1",
    "nodes": [
        {"id": "multiply", "node_type": "MultiplyNode", "params": {"multiplier": 2}},
        {"id": "add", "node_type": "AddNode", "params": {"addend": 10}},
    ],
    "connections": [{"from": "multiply", "to": "add"}],
})


def audio(samples, rate):
    """A packet of mono float samples."""
    block = packets.Audio(rate=rate, channels=1, sample=packets.SAMPLE_FORMAT_F32)
    block.samples = array.array("f", samples).tobytes()
    return packets.Packet(audio=block, pts_ns=0)


def halved(node, samples):
    """One call: the samples at half their rate."""
    spec = nodes.NodeSpec(node_type="AudioResample", params=json.dumps({"target_rate": 8000}))
    request = nodes.ExecuteNodeRequest(node=spec, inputs=[audio(samples, 16000)])
    out = array.array("f")
    for output in node.ExecuteNode(request).outputs:
        out.frombytes(output.packet.audio.samples)
    return out


def calls(values):
    """What goes up on a stream: the node, a call for each value, the end."""
    spec = nodes.NodeSpec(node_type="MultiplyNode", params=json.dumps({"multiplier": 3}))
    yield nodes.StreamNodeRequest(open=nodes.StreamNodeRequest.Open(node=spec, lanes=1))
    for number, value in enumerate(values, 1):
        packet = packets.Packet(json=json.dumps(value))
        process = nodes.StreamNodeRequest.Process(packet=packet)
        # `answered` lets the server forget answers: here none is ever asked for again.
        call = nodes.StreamNodeRequest.Call(seq=number, answered=number - 1, process=process)
        yield nodes.StreamNodeRequest(call=call)
    yield nodes.StreamNodeRequest(close=nodes.StreamNodeRequest.Close())


def tripled(node, values):
    """A stream: each value times three."""
    for response in node.StreamNode(calls(values)):
        if response.WhichOneof("response") != "answer":
            continue
        if response.answer.HasField("error"):
            raise RuntimeError(response.answer.error.message)
        for output in response.answer.outputs:
            yield json.loads(output.packet.json)


def port_packet(value):
    """A value for the only input."""
    return pipelines.PortPacket(packet=packets.Packet(json=json.dumps(value)))


def calculated(pipeline, values):
    """A whole pipeline with one call."""
    inputs = [port_packet(value) for value in values]
    request = pipelines.ExecutePipelineRequest(manifest=CALCULATOR, inputs=inputs)
    for output in pipeline.ExecutePipeline(request).outputs:
        yield json.loads(output.packet.json)


def streamed(pipeline, values):
    """A whole pipeline on a stream: two outputs at a time, more as they come."""
    requests = queue.SimpleQueue()
    say = pipelines.StreamPipelineRequest
    requests.put(say(open=say.Open(manifest=CALCULATOR, credit=2)))
    for number, value in enumerate(values, 1):
        requests.put(say(command=say.Command(seq=number, push=port_packet(value))))
    requests.put(say(command=say.Command(seq=len(values) + 1, end_input="")))
    for response in pipeline.StreamPipeline(iter(requests.get, None)):
        kind = response.WhichOneof("response")
        if kind == "output":
            seq = response.output.seq
            yield json.loads(response.output.packet.packet.json)
            requests.put(say(credit=say.Credit(until=seq + 2, received=seq)))
        elif kind == "failed" or kind == "done" and response.done.HasField("error"):
            raise RuntimeError(response)
        elif kind == "ended":
            requests.put(say(close=say.Close()))
            requests.put(None)


def main(endpoint):
    with grpc.insecure_channel(endpoint) as channel:
        node = services.NodeServiceStub(channel)
        half = halved(node, [0.25] * 1600)
        print(f"1600 samples at 16 kHz are {len(half)} at 8 kHz")
        print("times three:", *tripled(node, [5, 7, 3]))
        pipeline = pipeline_services.PipelineServiceStub(channel)
        print("a pipeline:", *calculated(pipeline, [5, 7, 3]))
        print("the same on a stream:", *streamed(pipeline, [5, 7, 3]))
        try:
            spec = nodes.NodeSpec(node_type="NoSuchNode")
            node.ExecuteNode(nodes.ExecuteNodeRequest(node=spec))
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main(sys.argv[1])
