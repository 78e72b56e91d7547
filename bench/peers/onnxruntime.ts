// onnxruntime-web, wasm, one thread: its MultiHeadAttention operator in a model of one node.

import onnxProto from "onnx-proto";
import * as ort from "onnxruntime-web";
import { interleave, type Peer } from "./peer";

ort.env.wasm.numThreads = 1;
const { onnx } = onnxProto;

/** query, key, value [1, n, heads·d] → output of the same shape. */
export function modelBytes(heads: number, causal: boolean): Uint8Array {
  const float = { elemType: onnx.TensorProto.DataType.FLOAT };
  const tensor = (name: string) => ({ name, type: { tensorType: float } });
  const integer = (name: string, i: number) => ({
    name,
    i,
    type: onnx.AttributeProto.AttributeType.INT,
  });
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [
      { domain: "", version: 17 },
      { domain: "com.microsoft", version: 1 },
    ],
    graph: {
      name: "attention",
      node: [
        {
          opType: "MultiHeadAttention",
          domain: "com.microsoft",
          input: ["query", "key", "value"],
          output: ["output"],
          attribute: [integer("num_heads", heads), integer("unidirectional", causal ? 1 : 0)],
        },
      ],
      input: [tensor("query"), tensor("key"), tensor("value")],
      output: [tensor("output")],
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

export const onnxruntime: Peer = {
  name: "onnxruntime-web",
  async prepare({ heads, n, d, causal }, query, key, value) {
    const session = await ort.InferenceSession.create(modelBytes(heads, causal), {
      executionProviders: ["wasm"],
    });
    const feed = (data: Float32Array) =>
      new ort.Tensor("float32", interleave(data, heads, n, d), [1, n, heads * d]);
    const feeds = { query: feed(query), key: feed(key), value: feed(value) };
    let output = new Float32Array(0);
    return {
      async run() {
        const results = await session.run(feeds);
        output = results.output.data as Float32Array<ArrayBuffer>;
      },
      output: () => interleave(output, n, heads, d),
      dispose: () => void session.release(),
    };
  },
};
