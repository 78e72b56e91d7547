// Models for onnxruntime: its own attention operator, a product, and the layer made of both.

import onnxProto from "onnx-proto";
import {
  type Case,
  interleave,
  keyValueHeadsOf,
  type LayerCase,
  LeftOut,
  type LinearCase,
  queriesOf,
} from "./peer";

const { onnx } = onnxProto;
const { FLOAT, INT32 } = onnx.TensorProto.DataType;

export interface Feed {
  readonly type: "float32" | "int32";
  readonly data: Float32Array | Int32Array;
  readonly dims: number[];
}

/** A model whose one output is named `output`, and what it is fed. */
export interface Problem {
  readonly model: Uint8Array;
  readonly feeds: Readonly<Record<string, Feed>>;
}

type Graph = Parameters<typeof onnx.GraphProto.create>[0] & object;

export const value = (name: string, elemType = FLOAT) => ({
  name,
  type: { tensorType: { elemType } },
});
export const integer = (name: string, i: number) => ({
  name,
  i,
  type: onnx.AttributeProto.AttributeType.INT,
});
export const float = (data: Float32Array, dims: number[]): Feed => ({
  type: "float32",
  data,
  dims,
});
export const constant = (name: string, data: Float32Array, dims: number[]) => ({
  name,
  dims,
  dataType: FLOAT,
  rawData: new Uint8Array(data.slice().buffer),
});
export const product = (x: string, weight: string, output: string) => ({
  opType: "MatMul",
  input: [x, weight],
  output: [output],
});

export function encode(graph: Graph): Uint8Array {
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [
      { domain: "", version: 17 },
      { domain: "com.microsoft", version: 1 },
    ],
    graph: { name: "problem", output: [value("output")], ...graph },
  });
  return onnx.ModelProto.encode(model).finish();
}

/** MultiHeadAttention, or GroupQueryAttention for fewer key heads; heads side by side. */
export function attentionProblem(
  c: Case,
  query: Float32Array,
  key: Float32Array,
  values: Float32Array,
): Problem {
  const { heads, n, d, causal } = c;
  const [rows, few] = [queriesOf(c), keyValueHeadsOf(c)];
  const grouped = few !== heads;
  if (grouped && !(causal && rows === n)) {
    throw new LeftOut("GroupQueryAttention is causal over a cache");
  }
  const lengths = grouped ? ["seqlens_k", "total_sequence_length"] : [];
  const model = encode({
    node: [
      {
        opType: grouped ? "GroupQueryAttention" : "MultiHeadAttention",
        domain: "com.microsoft",
        input: ["query", "key", "value", ...(grouped ? ["", "", ...lengths] : [])],
        output: grouped ? ["output", "present_key", "present_value"] : ["output"],
        attribute: grouped
          ? [integer("num_heads", heads), integer("kv_num_heads", few)]
          : [integer("num_heads", heads), integer("unidirectional", causal ? 1 : 0)],
      },
    ],
    input: [
      ...["query", "key", "value"].map((name) => value(name)),
      ...lengths.map((name) => value(name, INT32)),
    ],
  });
  const feed = (data: Float32Array, count: number, length: number) =>
    float(interleave(data, count, length, d), [1, length, count * d]);
  const whole = (...data: number[]): Feed => ({
    type: "int32",
    data: Int32Array.from(data),
    dims: [1],
  });
  const feeds = {
    query: feed(query, heads, rows),
    key: feed(key, few, n),
    value: feed(values, few, n),
    ...(grouped && { seqlens_k: whole(n - 1), total_sequence_length: whole(n) }),
  };
  return { model, feeds };
}

/** LinearAttention by the rule "gated"; heads side by side. */
export function gatedProblem(
  { heads, n, d }: Case,
  inputs: readonly Float32Array[],
  decay: Float32Array,
): Problem {
  const names = ["query", "key", "value"];
  const model = encode({
    node: [
      {
        opType: "LinearAttention",
        domain: "com.microsoft",
        input: [...names, "", "decay"],
        output: ["output", "state"],
        attribute: [
          integer("q_num_heads", heads),
          integer("kv_num_heads", heads),
          {
            name: "update_rule",
            s: new TextEncoder().encode("gated"),
            type: onnx.AttributeProto.AttributeType.STRING,
          },
        ],
      },
    ],
    input: [...names, "decay"].map((name) => value(name)),
  });
  const size = decay.length / (heads * n);
  const feeds = Object.fromEntries(
    names.map((name, i) => [name, float(interleave(inputs[i], heads, n, d), [1, n, heads * d])]),
  );
  return {
    model,
    feeds: {
      ...feeds,
      decay: float(interleave(decay, heads, n, size), [1, n, heads * size]),
    },
  };
}

export function linearProblem(
  { m, k, columns }: LinearCase,
  x: Float32Array,
  weight: Float32Array,
): Problem {
  const model = encode({
    node: [product("x", "weight", "output")],
    initializer: [constant("weight", weight, [k, columns])],
    input: [value("x")],
  });
  return { model, feeds: { x: float(x, [m, k]) } };
}

export function layerProblem(
  { n, heads, d }: LayerCase,
  x: Float32Array,
  weights: readonly Float32Array[],
): Problem {
  const size = heads * d;
  const names = ["query", "key", "value", "dense"];
  const model = encode({
    node: [
      ...names.slice(0, 3).map((name) => product("x", `${name}_weight`, name)),
      {
        opType: "MultiHeadAttention",
        domain: "com.microsoft",
        input: names.slice(0, 3),
        output: ["mixed"],
        attribute: [integer("num_heads", heads)],
      },
      product("mixed", "dense_weight", "output"),
    ],
    initializer: names.map((name, i) => constant(`${name}_weight`, weights[i], [size, size])),
    input: [value("x")],
  });
  return { model, feeds: { x: float(x, [1, n, size]) } };
}
