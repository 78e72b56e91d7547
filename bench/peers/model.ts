// A model of one node for onnxruntime: MultiHeadAttention, or GroupQueryAttention for fewer key heads.

import onnxProto from "onnx-proto";
import { type Case, interleave, keyValueHeadsOf, LeftOut, queriesOf } from "./peer";

const { onnx } = onnxProto;
const { FLOAT, INT32 } = onnx.TensorProto.DataType;

export interface Feed {
  readonly type: "float32" | "int32";
  readonly data: Float32Array | Int32Array;
  readonly dims: number[];
}

export function modelBytes(c: Case): Uint8Array {
  const grouped = keyValueHeadsOf(c) !== c.heads;
  const tensor = (name: string, elemType: number) => ({ name, type: { tensorType: { elemType } } });
  const integer = (name: string, i: number) => ({
    name,
    i,
    type: onnx.AttributeProto.AttributeType.INT,
  });
  const lengths = ["seqlens_k", "total_sequence_length"];
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
          opType: grouped ? "GroupQueryAttention" : "MultiHeadAttention",
          domain: "com.microsoft",
          input: ["query", "key", "value", ...(grouped ? ["", "", ...lengths] : [])],
          output: grouped ? ["output", "present_key", "present_value"] : ["output"],
          attribute: grouped
            ? [integer("num_heads", c.heads), integer("kv_num_heads", keyValueHeadsOf(c))]
            : [integer("num_heads", c.heads), integer("unidirectional", c.causal ? 1 : 0)],
        },
      ],
      input: [
        ...["query", "key", "value"].map((name) => tensor(name, FLOAT)),
        ...(grouped ? lengths.map((name) => tensor(name, INT32)) : []),
      ],
      output: [tensor("output", FLOAT)],
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

/** query, key and value with heads side by side, as the model wants them. */
export function feedsOf(
  c: Case,
  query: Float32Array,
  key: Float32Array,
  value: Float32Array,
): Record<string, Feed> {
  const { heads, n, d, causal } = c;
  const [rows, few] = [queriesOf(c), keyValueHeadsOf(c)];
  if (few !== heads && !(causal && rows === n)) {
    throw new LeftOut("GroupQueryAttention is causal over a cache");
  }
  const feed = (data: Float32Array, count: number, length: number): Feed => ({
    type: "float32",
    data: interleave(data, count, length, d),
    dims: [1, length, count * d],
  });
  const whole = (...data: number[]): Feed => ({
    type: "int32",
    data: Int32Array.from(data),
    dims: [1],
  });
  return {
    query: feed(query, heads, rows),
    key: feed(key, few, n),
    value: feed(value, few, n),
    ...(few !== heads && { seqlens_k: whole(n - 1), total_sequence_length: whole(n) }),
  };
}
