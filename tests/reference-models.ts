// Whole models in float64, each from its paper's formulas, over weights by the names of their files.

import { activations, norm, softmaxRow } from "./reference-blocks";

/** [out, in] and the like, by name. */
export type Weights = ReadonlyMap<
  string,
  { readonly data: ArrayLike<number>; readonly dims: readonly number[] }
>;

/** Rows of numbers, end to end. */
type Rows = Float64Array;

export interface Sizes {
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads?: number;
  readonly eps: number;
}

interface Scores {
  readonly heads: number;
  readonly keyValueHeads?: number | undefined;
  readonly scale?: number;
  readonly causal?: boolean;
  readonly bias?: (head: number, i: number, j: number) => number;
}

/** The formulas on one file's weights. */
class Model {
  constructor(readonly weights: Weights) {}

  at(name: string): Rows {
    return Float64Array.from(this.#find(name).data);
  }

  dims(name: string): readonly number[] {
    return this.#find(name).dims;
  }

  #find(name: string) {
    const found = this.weights.get(name);
    if (!found) throw new Error(`no ${name}`);
    return found;
  }

  /** x · Wᵀ + b */
  linear(x: Rows, name: string): Rows {
    const weight = this.at(`${name}.weight`);
    const bias = this.weights.has(`${name}.bias`) ? this.at(`${name}.bias`) : undefined;
    const [outs] = this.dims(`${name}.weight`);
    const ins = weight.length / outs;
    return Float64Array.from({ length: (x.length / ins) * outs }, (_, at) => {
      const [row, out] = [Math.floor(at / outs), at % outs];
      let sum = bias ? bias[out] : 0;
      for (let i = 0; i < ins; i++) sum += x[row * ins + i] * weight[out * ins + i];
      return sum;
    });
  }

  norm(x: Rows, name: string, eps: number, centred = true): Rows {
    const weight = this.at(`${name}.weight`);
    const bias = centred ? this.at(`${name}.bias`) : undefined;
    return norm(x, { columns: weight.length, centred, eps, weight, bias });
  }

  rows(name: string, ids: readonly number[]): Rows {
    const table = this.at(name);
    const [, size] = this.dims(name);
    return Float64Array.from(ids.flatMap((id) => [...table.slice(id * size, (id + 1) * size)]));
  }
}

const plus = (a: Rows, b: Rows): Rows => a.map((value, i) => value + b[i]);

/** softmax(Q·Kᵀ·scale + bias)·V of each head; q [L, H·D], k and v [S, Hkv·D]. */
function attend([q, k, v]: readonly [Rows, Rows, Rows], queries: number, scores: Scores): Rows {
  const { heads, keyValueHeads = heads, causal = false, bias } = scores;
  const depth = q.length / queries / heads;
  const { scale = 1 / Math.sqrt(depth) } = scores;
  const keys = k.length / (keyValueHeads * depth);
  const result = new Float64Array(q.length);
  for (let h = 0; h < heads; h++) {
    const own = Math.floor((h * keyValueHeads) / heads);
    const of = (rows: Rows, count: number, head: number, row: number, d: number) =>
      rows[(row * count + head) * depth + d];
    for (let i = 0; i < queries; i++) {
      const row = Array.from({ length: keys }, (_, j) => {
        if (causal && j > i) return -Infinity;
        let dot = 0;
        for (let d = 0; d < depth; d++)
          dot += of(q, heads, h, i, d) * of(k, keyValueHeads, own, j, d);
        return dot * scale + (bias ? bias(h, i, j) : 0);
      });
      softmaxRow(row, false).forEach((weight, j) => {
        for (let d = 0; d < depth; d++)
          result[(i * heads + h) * depth + d] += weight * of(v, keyValueHeads, own, j, d);
      });
    }
  }
  return result;
}

/** Devlin et al. 2019: sublayers as in Vaswani et al. 2017, norm(x + f(x)), with gelu. */
export function bertReference(weights: Weights, ids: readonly number[], sizes: Sizes): Rows {
  const model = new Model(weights);
  const { heads, eps } = sizes;
  const at = (name: string, of: readonly number[]) => model.rows(`embeddings.${name}.weight`, of);
  const words = plus(at("word_embeddings", ids), at("position_embeddings", [...ids.keys()]));
  const typed = plus(
    words,
    at(
      "token_type_embeddings",
      ids.map(() => 0),
    ),
  );
  let x = model.norm(typed, "embeddings.LayerNorm", eps);
  for (let i = 0; i < sizes.layers; i++) {
    const layer = `encoder.layer.${i}.`;
    const part = (name: string) => model.linear(x, `${layer}attention.self.${name}`);
    const mixed = attend([part("query"), part("key"), part("value")], ids.length, { heads });
    const first = plus(x, model.linear(mixed, `${layer}attention.output.dense`));
    x = model.norm(first, `${layer}attention.output.LayerNorm`, eps);
    const hidden = model.linear(x, `${layer}intermediate.dense`).map(activations.gelu.of);
    const second = plus(x, model.linear(hidden, `${layer}output.dense`));
    x = model.norm(second, `${layer}output.LayerNorm`, eps);
  }
  return x;
}

/** Dosovitskiy et al. 2021, equations 1 to 4: a convolution whose steps are its size, then x + f(norm(x)). */
export function vitReference(weights: Weights, pixels: ArrayLike<number>, sizes: Sizes): Rows {
  const model = new Model(weights);
  const { heads, eps } = sizes;
  const stem = "vit.embeddings.";
  const kernel = model.at(`${stem}patch_embeddings.projection.weight`);
  const bias = model.at(`${stem}patch_embeddings.projection.bias`);
  const [E, C, P] = model.dims(`${stem}patch_embeddings.projection.weight`);
  const S = Math.sqrt(pixels.length / C);
  const patches: number[] = [];
  for (let top = 0; top < S; top += P)
    for (let left = 0; left < S; left += P)
      for (let e = 0; e < E; e++) {
        let sum = bias[e];
        for (let c = 0; c < C; c++)
          for (let i = 0; i < P; i++)
            for (let j = 0; j < P; j++)
              sum +=
                kernel[((e * C + c) * P + i) * P + j] * pixels[(c * S + top + i) * S + left + j];
        patches.push(sum);
      }
  const rows = Float64Array.from([...model.at(`${stem}cls_token`), ...patches]);
  let x = plus(rows, model.at(`${stem}position_embeddings`));
  for (let i = 0; i < sizes.layers; i++) {
    const layer = `vit.encoder.layer.${i}.`;
    const before = model.norm(x, `${layer}layernorm_before`, eps);
    const part = (name: string) => model.linear(before, `${layer}attention.attention.${name}`);
    const mixed = attend([part("query"), part("key"), part("value")], x.length / E, { heads });
    x = plus(x, model.linear(mixed, `${layer}attention.output.dense`));
    const after = model.norm(x, `${layer}layernorm_after`, eps);
    const hidden = model.linear(after, `${layer}intermediate.dense`).map(activations.gelu.of);
    x = plus(x, model.linear(hidden, `${layer}output.dense`));
  }
  return model.linear(model.norm(x.slice(0, E), "vit.layernorm", eps), "classifier");
}

/** Touvron et al. 2023, section 2.2; dimensions (2i, 2i + 1) turn by position · base^(−2i/D) (Su et al. 2021). */
export function llamaReference(
  weights: Weights,
  ids: readonly number[],
  sizes: Sizes & { readonly base: number },
): Rows {
  const model = new Model(weights);
  const { heads, keyValueHeads = heads, eps, base } = sizes;
  let x = model.rows("token_embd.weight", ids);
  const depth = x.length / ids.length / heads;
  const rotated = (rows: Rows, count: number) =>
    rows.map((value, at) => {
      const [d, position] = [at % depth, Math.floor(at / (count * depth))];
      const angle = position * base ** (-(d - (d % 2)) / depth);
      return d % 2
        ? value * Math.cos(angle) + rows[at - 1] * Math.sin(angle)
        : value * Math.cos(angle) - rows[at + 1] * Math.sin(angle);
    });
  for (let i = 0; i < sizes.layers; i++) {
    const normed = model.norm(x, `blk.${i}.attn_norm`, eps, false);
    const part = (name: string) => model.linear(normed, `blk.${i}.attn_${name}`);
    const q = rotated(part("q"), heads);
    const k = rotated(part("k"), keyValueHeads);
    const mixed = attend([q, k, part("v")], ids.length, { heads, keyValueHeads, causal: true });
    x = plus(x, model.linear(mixed, `blk.${i}.attn_output`));
    const inner = model.norm(x, `blk.${i}.ffn_norm`, eps, false);
    const gate = model.linear(inner, `blk.${i}.ffn_gate`).map(activations.silu.of);
    const up = model.linear(inner, `blk.${i}.ffn_up`).map((value, at) => value * gate[at]);
    x = plus(x, model.linear(up, `blk.${i}.ffn_down`));
  }
  const last = model.norm(x, "output_norm", eps, false);
  return model.linear(last, weights.has("output.weight") ? "output" : "token_embd");
}

/**
 * Raffel et al. 2020, section 2.1; a distance's bucket by mesh-tensorflow's `_relative_position_bucket`, in
 * which the buckets up to a half hold one distance each and the others grow up to 128.
 */
export function t5Reference(
  weights: Weights,
  source: readonly number[],
  written: readonly number[],
  { layers, heads, eps }: Sizes,
): Rows {
  const model = new Model(weights);
  const table = (stack: string) => `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias`;
  const biasOf = (stack: string, both: boolean) => {
    const data = model.at(`${table(stack)}.weight`);
    const all = data.length / heads;
    const count = both ? all / 2 : all;
    return (head: number, i: number, j: number) => {
      const distance = both ? Math.abs(j - i) : Math.max(i - j, 0);
      const exact = count / 2;
      const far = Math.log(distance / exact) / Math.log(128 / exact);
      const grown = Math.min(exact + Math.floor(far * (count - exact)), count - 1);
      const bucket = (both && j > i ? count : 0) + (distance < exact ? distance : grown);
      return data[bucket * heads + head];
    };
  };
  const feed = (x: Rows, name: string) => {
    if (weights.has(`${name}.wi.weight`)) {
      return model.linear(model.linear(x, `${name}.wi`).map(activations.relu.of), `${name}.wo`);
    }
    const gate = model.linear(x, `${name}.wi_0`).map(activations["gelu-tanh"].of);
    const inner = model.linear(x, `${name}.wi_1`).map((value, at) => value * gate[at]);
    return model.linear(inner, `${name}.wo`);
  };
  const run = (stack: string, ids: readonly number[], memory?: Rows) => {
    let x = model.rows("shared.weight", ids);
    const bias = biasOf(stack, !memory);
    for (let i = 0; i < layers; i++) {
      const sublayer = (index: number, of: (normed: Rows, name: string) => Rows) => {
        const name = `${stack}.block.${i}.layer.${index}.`;
        x = plus(x, of(model.norm(x, `${name}layer_norm`, eps, false), name));
      };
      const mix = (rows: readonly [Rows, Rows], name: string, scores: object) => {
        const [q, k, v] = ["q", "k", "v"].map((part, at) =>
          model.linear(rows[Math.min(at, 1)], `${name}.${part}`),
        );
        const mixed = attend([q, k, v], ids.length, { heads, scale: 1, ...scores });
        return model.linear(mixed, `${name}.o`);
      };
      sublayer(0, (rows, name) =>
        mix([rows, rows], `${name}SelfAttention`, { bias, causal: !!memory }),
      );
      if (memory) sublayer(1, (rows, name) => mix([rows, memory], `${name}EncDecAttention`, {}));
      sublayer(memory ? 2 : 1, (rows, name) => feed(rows, `${name}DenseReluDense`));
    }
    return model.norm(x, `${stack}.final_layer_norm`, eps, false);
  };
  const last = run("decoder", written, run("encoder", source));
  if (weights.has("lm_head.weight")) return model.linear(last, "lm_head");
  const [, size] = model.dims("shared.weight");
  return model.linear(last, "shared").map((value) => value / Math.sqrt(size));
}
