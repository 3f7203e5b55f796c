// A client of `rmedia serve` in plain Node.js and gRPC, without the engine.
//
//     npm install @grpc/grpc-js @grpc/proto-loader
//     node examples/remote/client.mjs 127.0.0.1:50051
//
// Runs a node over some audio with one call, another one on a stream, packet by packet, and a whole
// pipeline both ways.
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";

const proto = fileURLToPath(new URL("../../proto", import.meta.url));
const files = ["remotemedia/v1/node.proto", "remotemedia/v1/pipeline.proto"];
const definition = protoLoader.loadSync(files, {
  includeDirs: [process.env.PROTO ?? proto],
  longs: Number,
  oneofs: true,
});
const { NodeService, PipelineService } = grpc.loadPackageDefinition(definition).remotemedia.v1;
const node = new NodeService(process.argv[2], grpc.credentials.createInsecure());
const pipeline = new PipelineService(process.argv[2], grpc.credentials.createInsecure());

const manifest = JSON.stringify({
  version: "v1",
  nodes: [
    { id: "multiply", node_type: "MultiplyNode", params: { multiplier: 2 } },
    { id: "add", node_type: "AddNode", params: { addend: 10 } },
  ],
  connections: [{ from: "multiply", to: "add" }],
});

/** One call: the samples at half their rate. */
function halved(samples) {
  const audio = {
    rate: 16000,
    channels: 1,
    sample: "SAMPLE_FORMAT_F32",
    samples: Buffer.from(Float32Array.from(samples).buffer),
  };
  const request = {
    node: { nodeType: "AudioResample", params: JSON.stringify({ target_rate: 8000 }) },
    inputs: [{ ptsNs: 0, audio }],
  };
  return new Promise((resolve, reject) => {
    node.ExecuteNode(request, (error, response) => {
      if (error) return reject(error);
      const bytes = Buffer.concat(response.outputs.map((output) => output.packet.audio.samples));
      resolve(bytes.length / 4);
    });
  });
}

/** A stream: each value times three. */
async function tripled(values) {
  const stream = node.StreamNode();
  const spec = { nodeType: "MultiplyNode", params: JSON.stringify({ multiplier: 3 }) };
  stream.write({ open: { node: spec, lanes: 1 } });
  values.forEach((value, index) => {
    const process = { packet: { json: JSON.stringify(value) } };
    // `answered` lets the server forget answers: here none is ever asked for again.
    stream.write({ call: { seq: index + 1, answered: index, process } });
  });
  stream.write({ close: {} });
  stream.end();
  const found = [];
  for await (const { answer } of stream) {
    if (answer?.error) throw new Error(answer.error.message);
    for (const output of answer?.outputs ?? []) found.push(JSON.parse(output.packet.json));
  }
  return found;
}

/** A value for the only input. */
const portPacket = (value) => ({ packet: { json: JSON.stringify(value) } });

/** A whole pipeline with one call. */
function calculated(values) {
  return new Promise((resolve, reject) => {
    pipeline.ExecutePipeline({ manifest, inputs: values.map(portPacket) }, (error, response) => {
      if (error) return reject(error);
      resolve(response.outputs.map((output) => JSON.parse(output.packet.json)));
    });
  });
}

/** A whole pipeline on a stream: two outputs at a time, more as they come. */
async function streamed(values) {
  const stream = pipeline.StreamPipeline();
  stream.write({ open: { manifest, credit: 2 } });
  values.forEach((value, index) => {
    stream.write({ command: { seq: index + 1, push: portPacket(value) } });
  });
  stream.write({ command: { seq: values.length + 1, endInput: "" } });
  const found = [];
  for await (const { output, done, failed, ended } of stream) {
    if (failed || done?.error) throw new Error((failed ?? done.error).message);
    if (output) {
      found.push(JSON.parse(output.packet.packet.json));
      stream.write({ credit: { until: output.seq + 2, received: output.seq } });
    }
    if (ended) {
      stream.write({ close: {} });
      stream.end();
    }
  }
  return found;
}

console.log(`1600 samples at 16 kHz are ${await halved(Array(1600).fill(0.25))} at 8 kHz`);
console.log("times three:", ...(await tripled([5, 7, 3])));
console.log("a pipeline:", ...(await calculated([5, 7, 3])));
console.log("the same on a stream:", ...(await streamed([5, 7, 3])));
pipeline.close();
node.ExecuteNode({ node: { nodeType: "NoSuchNode" } }, (error) => {
  console.log(`${grpc.status[error.code]}: ${error.details}`);
  node.close();
});
