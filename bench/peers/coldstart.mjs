// The same for onnxruntime-web; the model's bytes are made before the clock starts.
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;
const float = { elemType: onnx.TensorProto.DataType.FLOAT };
const value = (name) => ({ name, type: { tensorType: float } });
const names = ["query", "key", "value"];
const model = onnx.ModelProto.encode({
  irVersion: 8,
  opsetImport: [{ domain: "com.microsoft", version: 1 }],
  graph: {
    name: "attention",
    node: [
      {
        opType: "MultiHeadAttention",
        domain: "com.microsoft",
        input: names,
        output: ["output"],
        attribute: [{ name: "num_heads", i: 8, type: onnx.AttributeProto.AttributeType.INT }],
      },
    ],
    input: names.map(value),
    output: [value("output")],
  },
}).finish();

const start = performance.now();
const ort = await import("onnxruntime-web");
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
const x = new ort.Tensor("float32", new Float32Array(1024).fill(0.5), [1, 16, 64]);
await session.run({ query: x, key: x, value: x });
console.log(performance.now() - start);
process.exit(0);
