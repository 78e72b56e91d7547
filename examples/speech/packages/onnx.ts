// The weights of an ONNX file, by the names of what uses them.
//
// Eight bits per tensor, as onnxruntime's quantizer writes them: w = (q − zero) · scale where the zero is an integer,
// as MatMulInteger has it, and w = q · scale + zero where it is a float. Matrices of products have no name but
// "onnx::MatMul_1493", so that they are asked for by their node: "layers.0.self_attn.q_proj.MatMul".

import * as imported from "onnx-proto";
import type { Stored, Weights } from "../weights";

// Node gives a CommonJS module's whole exports as its default.
const { onnx } = ("default" in imported ? imported.default : imported) as typeof imported;

type Graph = imported.onnx.IGraphProto;
type TensorProto = imported.onnx.ITensorProto;

const { FLOAT, UINT8, INT8 } = onnx.TensorProto.DataType;

export function readOnnx(bytes: Uint8Array): Weights {
  const protos = new Map<string, TensorProto>();
  const names = new Map<string, string>();
  for (const { initializer, node } of graphs(onnx.ModelProto.decode(bytes).graph as Graph)) {
    for (const proto of initializer ?? []) protos.set(proto.name as string, proto);
    for (const { name, input } of node ?? []) {
      const own = (input ?? []).find((input) => /^onnx::(MatMul|Mul|Add)_\d+(_|$)/.test(input));
      const path = (name ?? "").replace(/_quant$/, "").replace(/^\//, "");
      if (own) names.set(path.replaceAll("/", "."), own);
    }
  }
  const find = (name: string) => {
    const stem = names.get(name)?.replace(/_quantized$/, "") ?? name;
    for (const part of [stem, `${stem}_merged_0`]) {
      const plain = protos.get(part);
      if (plain) return stored(plain);
      const quantized = protos.get(`${part}_quantized`);
      const [scale, zero] = ["scale", "zero_point"].map((word) => protos.get(`${part}_${word}`));
      if (quantized && scale && zero) return stored(quantized, scale, zero);
    }
    return undefined;
  };
  const kept = [...protos.values()].filter(({ name, dataType }) => {
    const numbers = dataType === FLOAT || dataType === UINT8 || dataType === INT8;
    return numbers && !/_scale$|_zero_point$|Constant/.test(name ?? "");
  });
  return {
    parameters: kept.reduce((sum, { dims }) => sum + product(dims ?? []), 0),
    has: (name) => find(name) !== undefined,
    get(name) {
      const found = find(name);
      if (!found) throw new Error(`the file has no ${name}`);
      return found;
    },
  };
}

/** Those inside branches too. */
function* graphs(graph: Graph): Generator<Graph> {
  yield graph;
  for (const { attribute } of graph.node ?? [])
    for (const { g } of attribute ?? []) if (g) yield* graphs(g);
}

function stored(proto: TensorProto, scale?: TensorProto, zero?: TensorProto): Stored {
  const dims = (proto.dims ?? []).map(Number);
  const row = product(dims.slice(1));
  const numbers = numbersOf(proto);
  const [factor] = scale ? numbersOf(scale) : [1];
  const [offset] = zero ? numbersOf(zero) : [0];
  const before = zero?.dataType === FLOAT;
  return {
    dims,
    floats(from = 0, to = dims[0] ?? 1) {
      const floats = Float32Array.from(numbers.subarray(from * row, to * row));
      if (!scale) return floats;
      for (let i = 0; i < floats.length; i++)
        floats[i] = before ? floats[i] * factor + offset : (floats[i] - offset) * factor;
      return floats;
    },
  };
}

const product = (dims: readonly unknown[]) =>
  dims.reduce((all: number, size) => all * Number(size), 1);

function numbersOf({ dataType, rawData, floatData, int32Data, name }: TensorProto) {
  const raw = rawData?.length ? rawData : undefined;
  switch (dataType) {
    case FLOAT:
      return raw
        ? new Float32Array(new Uint8Array(raw).buffer)
        : Float32Array.from(floatData ?? []);
    case UINT8:
      return raw ?? Uint8Array.from(int32Data ?? []);
    case INT8:
      return raw
        ? new Int8Array(raw.buffer, raw.byteOffset, raw.length)
        : Int8Array.from(int32Data ?? []);
    default:
      throw new Error(`${name} is of a type that is not read: ${dataType}`);
  }
}
