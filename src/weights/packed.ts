// A layer's weights where query, key and value are one matrix, in either order.
//
//   order "out,in"   [(H + 2·Hkv)·D, E]   nn.Linear: x·Wᵀ
//   order "in,out"   [E, (H + 2·Hkv)·D]   GPT-2's Conv1D, Keras, plain x·W
//
// Along the fused axis lie all heads of the query, then all of the key, then all of the value; or,
// interleaved, for each key head its H/Hkv query heads, itself and its value.

import { lengthOf, part } from "../arrays";
import { checkBoolean } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { type LayerWeights, lastingData, type Projection } from "../layer/projections";
import { checkVector, type Tensor } from "../tensor/tensor";
import { NamedWeights } from "./named-weights";

/** How a fused matrix lies. */
export interface PackedOrder {
  /** What the rows of both matrices are: `"in,out"` (GPT-2's Conv1D) or `"out,in"` (PyTorch's Linear). */
  order: Projection["order"];
  /**
   * Whether the heads' queries, keys and values lie beside each other: [H, 3, D] (GPT-NeoX, BLOOM), with
   * fewer key heads [Hkv, H/Hkv + 2, D] (Falcon, Megatron). By default all queries come first, then all
   * keys, then all values.
   */
  interleaved?: boolean | undefined;
}

/** Fused matrices, and the names that outputs have beside them. */
const PAIRS = {
  c_attn: "c_proj",
  query_key_value: "dense",
  in_proj: "out_proj",
  qkv: "proj",
  qkv_proj: "o_proj",
  to_qkv: "to_out",
  Wqkv: "out_proj",
  wqkv: "wo",
};
const STEMS = { inputs: Object.keys(PAIRS), outputs: [...Object.values(PAIRS), "to_out.0"] };

interface HeadCounts {
  readonly heads: number;
  readonly keyValueHeads: number;
}

/** Where query, key or value lie along the fused axis, in heads: runs of `count` from each start on. */
interface Runs {
  readonly starts: readonly number[];
  readonly count: number;
}

export function projectionsOfPacked(
  operation: string,
  dict: unknown,
  prefix: unknown,
  counts: HeadCounts,
  { order, interleaved = false }: PackedOrder,
): LayerWeights {
  if (order !== "in,out" && order !== "out,in") {
    throw new ArgumentError(operation, "order", '"in,out" or "out,in"', describe(order));
  }
  checkBoolean(operation, "interleaved", interleaved);
  const names = new NamedWeights(operation, dict, prefix, STEMS);
  const usual = order === "in,out" ? "c_attn" : interleaved ? "query_key_value" : "in_proj";
  const fused = names.matrix(STEMS.inputs) ?? missing(names, usual);
  const stem = fused.name.replace(/[._]weight$/, "") as keyof typeof PAIRS;
  const output = names.matrix(STEMS.outputs) ?? missing(names, PAIRS[stem]);
  const bias = names.bias(STEMS.inputs);
  const outputBias = names.bias(STEMS.outputs)?.data;
  names.checkAllRead();

  const { heads, keyValueHeads } = counts;
  const all = heads + 2 * keyValueHeads;
  const columns = order === "in,out" ? 1 : 0;
  const { dims } = fused.tensor;
  const width = dims[columns] as number;
  const inputs = dims[1 - columns] as number;
  if (dims.length !== 2 || width % all) {
    const sides = [`(H + 2·Hkv)·D = ${all}·D`, "E"];
    const expected = `[${(columns ? sides.reverse() : sides).join(", ")}]`;
    throw new ArgumentError(operation, `${fused.name}.dims`, expected, describe(dims));
  }
  const size = width / all;
  const mixed = output.tensor.dims[1 - columns];
  if (mixed !== heads * size) {
    const sides = [`H·D = ${heads}·${size}`, "E"];
    const fits = `[${(columns ? sides : sides.reverse()).join(", ")}]`;
    const expected = `${fits}, by the ${fused.name} ${describe(dims)} in order "${order}"`;
    throw new ArgumentError(
      operation,
      `${output.name}.dims`,
      expected,
      describe(output.tensor.dims),
    );
  }
  if (bias) checkVector(operation, bias.name, bias.data, width);
  const data = lastingData(fused.tensor);
  const projection = (runs: Runs): Projection => {
    const outputs = runs.starts.length * runs.count * size;
    const weight = columns
      ? gathered(data, inputs, size, runs)
      : gathered(data, 1, size * inputs, runs);
    return {
      weight: { data: weight, dims: columns ? [inputs, outputs] : [outputs, inputs] },
      order,
      bias: bias && gathered(bias.data, 1, size, runs),
    };
  };
  const [query, key, value] = runsOf(counts, interleaved).map(projection) as Three<Projection>;
  return { query, key, value, output: { weight: output.tensor, order, bias: outputBias } };
}

type Three<T> = [T, T, T];

function missing(names: NamedWeights, stem: string): never {
  throw names.missing(stem === "in_proj" ? "in_proj_weight" : `${stem}.weight`);
}

/** Of query, key and value. */
function runsOf({ heads, keyValueHeads }: HeadCounts, interleaved: boolean): Three<Runs> {
  if (!interleaved) {
    return [
      { starts: [0], count: heads },
      { starts: [heads], count: keyValueHeads },
      { starts: [heads + keyValueHeads], count: keyValueHeads },
    ];
  }
  const shared = heads / keyValueHeads;
  const from = (first: number) =>
    Array.from({ length: keyValueHeads }, (_, head) => head * (shared + 2) + first);
  return [
    { starts: from(0), count: shared },
    { starts: from(shared), count: 1 },
    { starts: from(shared + 1), count: 1 },
  ];
}

/** Of each row of `data`, the runs behind each other; a head is `size` numbers. */
function gathered(
  data: Tensor["data"],
  rows: number,
  size: number,
  { starts, count }: Runs,
): Float32Array {
  const width = lengthOf(data) / rows;
  const run = count * size;
  const result = new Float32Array(rows * starts.length * run);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (const start of starts) {
      const from = row * width + start * size;
      result.set(part(data, from, run), at);
      at += run;
    }
  }
  return result;
}
