// Drawn problems of linear attention, and their truth head by head.

import { type Tensor, tensor } from "wasm-attention";
import type { LinearAttentionOptions, UpdateRule } from "wasm-attention/variants";
import { randomTensor } from "../engines";
import { type LinearGiven, linearHead, type Round } from "../reference-variants";

export const rules: readonly UpdateRule[] = ["linear", "gated", "delta", "gated_delta"];

export interface Sizes {
  batch: number;
  heads: readonly [query: number, key: number, value: number];
  queries?: number;
  keys: number;
  depth: number;
  columns: number;
}

export interface Form {
  rule: UpdateRule;
  /** Decays of each row of the state, not of the head. */
  wide?: boolean;
  elu?: boolean;
  normalised?: boolean;
  causal?: boolean;
  lengths?: readonly number[] | undefined;
  started?: boolean;
}

/** A drawn problem in layout BHLD, and its truth head by head. */
export function draw(sizes: Sizes, form: Form, seed: number) {
  const { batch, keys, depth, columns, queries = keys } = sizes;
  const [h, hk, hv] = sizes.heads;
  const { rule, wide = false, elu = false, causal = true } = form;
  const normalised = form.normalised ?? elu;
  const query = randomTensor([batch, h, queries, depth], seed);
  const key = randomTensor([batch, hk, keys, depth], seed + 1, rule.includes("delta") ? 0.3 : 1);
  const value = randomTensor([batch, hv, keys, columns], seed + 2);
  const gated = rule.startsWith("gated");
  const decay = randomTensor([batch, hv, keys, wide ? depth : 1], seed + 3);
  decay.data.forEach((x, i) => {
    decay.data[i] = -Math.abs(x) * 0.5;
  });
  const beta = randomTensor([batch, hv, keys, 1], seed + 4);
  beta.data.forEach((x, i) => {
    beta.data[i] = Math.abs(x);
  });
  const wideColumns = columns + (normalised ? 1 : 0);
  const state = randomTensor([batch, hv, depth, wideColumns], seed + 5);
  if (normalised) state.data.set(state.data.map(Math.abs));
  const options: LinearAttentionOptions = {
    updateRule: rule,
    featureMap: elu ? "elu" : undefined,
    normalize: form.normalised,
    causal,
    decay: gated ? decay : undefined,
    beta: rule.includes("delta") ? beta : undefined,
    state: form.started ? state : undefined,
    keyLengths: form.lengths,
  };
  const heads = Math.max(h, hv);
  const tensors = { query, key, value, decay, beta, state };
  const exactly = ({ data }: Tensor) => Float64Array.from(data);
  /** What the truth is of: to be moved for differences. */
  const numbers = {
    query: exactly(query),
    key: exactly(key),
    value: exactly(value),
    decay: exactly(decay),
    beta: exactly(beta),
    state: exactly(state),
  };
  const part = (name: keyof typeof numbers, b: number, head: number) => {
    const { dims } = tensors[name];
    const size = dims[2] * dims[3];
    return numbers[name].subarray((b * dims[1] + head) * size, (b * dims[1] + head + 1) * size);
  };
  const truth = (round?: Round) => {
    const output: number[] = [];
    const states: number[][] = [];
    for (let b = 0; b < batch; b++)
      for (let o = 0; o < heads; o++) {
        const v = Math.floor((o * hv) / heads);
        const decays = part("decay", b, v);
        const given: LinearGiven = {
          ...{ depth, columns, elu, normalised, causal, eps: 1e-6 },
          query: part("query", b, Math.floor((o * h) / heads)),
          key: part("key", b, Math.floor((v * hk) / hv)),
          value: part("value", b, v),
          decay: gated
            ? Float64Array.from({ length: keys * depth }, (_, i) =>
                wide ? decays[i] : decays[Math.floor(i / depth)],
              )
            : undefined,
          beta: options.beta && part("beta", b, v),
          state: form.started ? part("state", b, v) : undefined,
          scale: elu ? 1 : 1 / Math.sqrt(depth),
          length: form.lengths?.[b] ?? keys,
        };
        const [out, after] = linearHead(given, round);
        output.push(...out);
        states[b * hv + v] = after;
      }
    return { output, state: states.flat() };
  };
  return { query, key, value, options, numbers, truth };
}

/** BHLD as another layout. */
export function laidOut({ data, dims }: Tensor, layout: "BLHD" | "BLE"): Tensor {
  const [B, H, L, D] = dims;
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let b = 0; b < B; b++)
    for (let l = 0; l < L; l++)
      for (let h = 0; h < H; h++)
        for (let d = 0; d < D; d++) moved[at++] = data[((b * H + h) * L + l) * D + d];
  return tensor(moved, layout === "BLE" ? [B, L, H * D] : [B, L, H, D]);
}
