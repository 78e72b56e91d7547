// Layers of fused matrices against the formula in float64, each kind written from how its model reads it.

import assert from "node:assert/strict";
import type { Attention, Tensor } from "wasm-attention";
import { fromPacked } from "wasm-attention/weights";
import { randomTensor } from "../engines";
import { attend, type Round, shareOfTolerance } from "../reference";
import { linear } from "../reference-linear";

export const [E, D, L] = [12, 5, 7];

type Kind = {
  readonly names: readonly [fused: string, output: string];
  readonly heads: number;
  readonly keyValueHeads?: number;
  readonly order: "in,out" | "out,in";
  readonly interleaved?: boolean;
  /** Where number d of a head's query (part 0), key (1) or value (2) lies along the fused axis. */
  readonly at: (part: number, head: number, d: number) => number;
};

/** Queries, keys, values, each of all heads. */
const blocks =
  (heads: number, keys = heads) =>
  (part: number, head: number, d: number) =>
    ([0, heads, heads + keys][part] + head) * D + d;

export const kinds: Record<string, Kind> = {
  // query, key, value = self.c_attn(x).split(E, dim=2)
  "GPT-2": {
    names: ["c_attn", "c_proj"],
    heads: 4,
    order: "in,out",
    at: blocks(4),
  },
  "torch.nn.MultiheadAttention": {
    names: ["in_proj", "out_proj"],
    heads: 4,
    order: "out,in",
    at: blocks(4),
  },
  // query_pos = heads · D; slices [:query_pos], [query_pos : query_pos + Hkv · D], [query_pos + Hkv · D :]
  "Phi-3": {
    names: ["qkv_proj", "o_proj"],
    heads: 6,
    keyValueHeads: 2,
    order: "out,in",
    at: blocks(6, 2),
  },
  // qkv.view(…, heads, 3 · D).chunk(3, dim=-1)
  "GPT-NeoX": {
    names: ["query_key_value", "dense"],
    heads: 4,
    order: "out,in",
    interleaved: true,
    at: (part, head, d) => head * 3 * D + part * D + d,
  },
  // qkv.view(…, heads, 3, D)[..., 0 | 1 | 2, :], as Keras would keep it
  "BLOOM, transposed": {
    names: ["query_key_value", "dense"],
    heads: 4,
    order: "in,out",
    interleaved: true,
    at: (part, head, d) => (head * 3 + part) * D + d,
  },
  // qkv.view(…, -1, heads / Hkv + 2, D); query [..., :-2, :], key [..., [-2], :], value [..., [-1], :]
  Falcon: {
    names: ["query_key_value", "dense"],
    heads: 6,
    keyValueHeads: 2,
    order: "out,in",
    interleaved: true,
    at: (part, head, d) => {
      const [group, row] = part ? [head, 2 + part] : [Math.floor(head / 3), head % 3];
      return (group * 5 + row) * D + d;
    },
  },
};

const transposed = ({ data, dims: [rows, columns] }: Tensor): Float32Array =>
  Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]);

/** Causal self-attention of x [B, L, E]. */
function truthOf(
  { heads, keyValueHeads = heads, order, at }: Kind,
  [fused, bias, output, outputBias]: readonly Tensor[],
  x: Tensor,
  round?: Round,
) {
  const width = (heads + 2 * keyValueHeads) * D;
  const batch = x.dims[0];
  const matrix = (w: Tensor) => (order === "in,out" ? w.data : transposed(w));
  const qkv = linear(x.data, matrix(fused), bias.data, batch * L, E, width, round);
  const pick = (part: number, count: number) => {
    const data = new Float64Array(batch * count * L * D);
    for (let b = 0; b < batch; b++)
      for (let h = 0; h < count; h++)
        for (let i = 0; i < L; i++)
          for (let d = 0; d < D; d++)
            data[((b * count + h) * L + i) * D + d] = qkv[(b * L + i) * width + at(part, h, d)];
    return data as unknown as Float32Array;
  };
  const mixed = attend(
    {
      batch,
      heads,
      keyValueHeads,
      queries: L,
      keys: L,
      headSize: D,
      valueSize: D,
      query: pick(0, heads),
      key: pick(1, keyValueHeads),
      value: pick(2, keyValueHeads),
      scale: 1 / Math.sqrt(D),
      present: () => true,
      visible: (_b, _h, i, j) => j <= i,
      bias: () => 0,
    },
    round,
  ).output;
  const rows = new Float64Array(mixed.length);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < L; i++)
        for (let d = 0; d < D; d++)
          rows[((b * L + i) * heads + h) * D + d] = mixed[((b * heads + h) * L + i) * D + d];
  return linear(rows, matrix(output), outputBias.data, batch * L, heads * D, E, round);
}

export function weightsOf({ heads, keyValueHeads = heads, order }: Kind): Tensor[] {
  const width = (heads + 2 * keyValueHeads) * D;
  const dims = (inputs: number, outputs: number) =>
    order === "in,out" ? [inputs, outputs] : [outputs, inputs];
  return [
    randomTensor(dims(E, width), 1, 0.5),
    randomTensor([width], 2),
    randomTensor(dims(heads * D, E), 3, 0.5),
    randomTensor([E], 4),
  ];
}

export function dictOf({ names: [fused, output] }: Kind, weights: readonly Tensor[], prefix = "") {
  const dot = fused === "in_proj" ? "_" : ".";
  const names = [
    `${fused}${dot}weight`,
    `${fused}${dot}bias`,
    `${output}.weight`,
    `${output}.bias`,
  ];
  return Object.fromEntries(names.map((name, i) => [prefix + name, weights[i]]));
}

/** The layer of a kind, by its names, in an object and in a Map. */
export function checkPackedWeights(attention: Attention, kind: Kind): void {
  const { at: _, names: __, ...config } = kind;
  const weights = weightsOf(kind);
  const x = randomTensor([2, L, E], 5);
  const truth = truthOf(kind, weights, x);
  const naive = truthOf(kind, weights, x, Math.fround);
  const { used } = attention.memory;
  const dict = { ...dictOf(kind, weights, "h.0.attn."), "h.0.ln_1.weight": x };
  const layer = fromPacked(attention, dict, { ...config, prefix: "h.0.attn." });
  const { output } = layer.forward(x, { causal: true });
  const share = shareOfTolerance(output.data, truth, [naive]);
  assert.ok(share <= 1, `${share} of the tolerance`);
  const same = fromPacked(attention, new Map(Object.entries(dictOf(kind, weights))), config);
  assert.deepEqual(same.forward(x, { causal: true }).output, output);
  layer.dispose();
  same.dispose();
  assert.equal(attention.memory.used, used);
}
