// docs/semantics/pytorch.md, its second table: nn.MultiheadAttention, by
// torch.nn.functional.multi_head_attention_forward's formula.

import assert from "node:assert/strict";
import { appendedKeys, type LayerOptions, type Tensor, tensor } from "wasm-attention";
import { multiHeadBackward } from "wasm-attention/training";
import { fromPyTorch } from "wasm-attention/weights";
import type { Whole } from "../engines";
import {
  B,
  booleans,
  close,
  D,
  H,
  L,
  type Place,
  randomTensor,
  S,
  type Score,
  solve,
  type Tries,
} from "./formula";
import { heads, linear } from "./projected";
import { scaled } from "./shared";

const E = H * D;
const names = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"] as const;
const shapes = [[3 * E, E], [3 * E], [E, E], [E]];
type Weights = Record<(typeof names)[number], Tensor>;
const weights = Object.fromEntries(
  names.map((name, i) => [name, randomTensor(shapes[i], 10 + i)]),
) as Weights;
for (const name of names) for (const i of weights[name].data.keys()) weights[name].data[i] /= 4;

interface Given {
  readonly score?: Score;
  readonly appended?: { readonly key: number[][]; readonly value: number[][] };
}

/** The whole layer on query [B, L, E] and key = value [B, S, E]. */
function solveLayer(query: Tensor, key: Tensor, { score = scaled, appended }: Given = {}) {
  const [weight, bias] = [weights.in_proj_weight.data, weights.in_proj_bias.data];
  const part = (x: Tensor, i: number) =>
    linear(
      x.data,
      E,
      weight.subarray(i * E * E, (i + 1) * E * E),
      bias.subarray(i * E, (i + 1) * E),
    );
  const q = heads(part(query, 0), L);
  const k = heads(part(key, 1), S, appended?.key);
  const v = heads(part(key, 2), S, appended?.value);
  const solved = solve({ q, k, v }, score);
  const rows = Array.from({ length: B * L * E }, (_, at) => {
    const [b, i, h, d] = [
      Math.floor(at / (L * E)),
      Math.floor(at / E) % L,
      Math.floor(at / D) % H,
      at % D,
    ];
    return solved.output[((b * H + h) * L + i) * D + d];
  });
  return {
    ...solved,
    output: linear(rows, E, weights["out_proj.weight"].data, weights["out_proj.bias"].data),
  };
}

const query = randomTensor([B, L, E], 20);
const key = randomTensor([B, S, E], 21);

function layerOf(attention: Whole, config: object = {}, more: object = {}) {
  return fromPyTorch(attention, { ...weights, ...more }, { heads: H, ...config });
}

function sameLayer(
  attention: Whole,
  options: LayerOptions,
  given: Given = {},
  config = {},
  more = {},
) {
  const layer = layerOf(attention, config, more);
  const got = layer.forward(
    { query, key, value: key },
    { ...options, weights: options.weights ?? true },
  );
  layer.dispose();
  const want = solveLayer(query, key, given);
  close(got.output.data, want.output);
  if (options.weights === undefined) close(got.weights!.data, want.weights, "weights");
  return { got, want };
}

const keep = (visible: (place: Place) => unknown): Given => ({
  score: (p) => (visible(p) ? scaled(p) : -Infinity),
});

export const multihead: Tries = {
  "the state dict, batch_first=True": (attention) => {
    sameLayer(attention, {});
  },
  "batch_first=False": (attention) => {
    const layer = layerOf(attention);
    const swap = ({ data, dims: [a, b, e] }: Tensor) =>
      tensor(
        Float32Array.from(data, (_, at) => {
          const [y, x] = [Math.floor(at / e / a), Math.floor(at / e) % a];
          return data[(x * b + y) * e + (at % e)];
        }),
        [b, a, e],
      );
    const there = [swap(query), swap(key)];
    assert.deepEqual(there[0].dims, [L, B, E]);
    const { output } = layer.forward({ query: swap(there[0]), key: swap(there[1]) });
    close(output.data, solveLayer(query, key).output);
    layer.dispose();
  },
  "kdim, vdim": (attention) => {
    const [memory, value] = [randomTensor([B, S, 6], 30), randomTensor([B, S, 5], 31)];
    const separate = {
      in_proj_weight: undefined,
      q_proj_weight: tensor(weights.in_proj_weight.data.slice(0, E * E), [E, E]),
      k_proj_weight: randomTensor([E, 6], 32),
      v_proj_weight: randomTensor([E, 5], 33),
    };
    const layer = layerOf(attention, {}, separate);
    const { weights: got } = layer.forward({ query, key: memory, value }, { weights: true });
    layer.dispose();
    const bias = weights.in_proj_bias.data;
    const q = heads(linear(query.data, E, separate.q_proj_weight.data, bias.subarray(0, E)), L);
    const k = heads(
      linear(memory.data, 6, separate.k_proj_weight.data, bias.subarray(E, 2 * E)),
      S,
    );
    close(got!.data, solve({ q, k, v: k }, scaled).weights, "weights");
  },
  "attn_mask, boolean": (attention) => {
    const there = Array.from({ length: L * S }, (_, at) => at % 4 === 2);
    const mask = { data: Uint8Array.from(there, (x) => (x ? 0 : 1)), dims: [L, S] };
    // masked_fill(attn_mask, −∞)
    sameLayer(
      attention,
      { mask },
      keep((p) => !there[p.i * S + p.j]),
    );
  },
  "attn_mask, float": (attention) => {
    const mask = randomTensor([L, S], 5);
    sameLayer(attention, { mask }, { score: (p) => scaled(p) + mask.data[p.i * S + p.j] });
  },
  "attn_mask, [B·H, L, S]": (attention) => {
    const there = randomTensor([B * H, L, S], 5);
    const mask = { data: there.data, dims: [B * H, L, S] };
    sameLayer(
      attention,
      { mask },
      {
        score: (p) => scaled(p) + there.data[((p.b * H + p.h) * L + p.i) * S + p.j],
      },
    );
  },
  "key_padding_mask, [B, S]": (attention) => {
    const there = Array.from({ length: B * S }, (_, at) => at % S > 2 + Math.floor(at / S));
    const mask = { data: Uint8Array.from(there, (x) => (x ? 0 : 1)), dims: [B, 1, 1, S] };
    sameLayer(
      attention,
      { mask },
      keep((p) => !there[p.b * S + p.j]),
    );
  },
  "both at once": (attention) => {
    const bias = randomTensor([L, S], 5);
    const padding = booleans([B, 1, 1, S], (at) => at !== 3 && at !== 5);
    sameLayer(
      attention,
      { mask: [bias, padding] },
      {
        score: (p) =>
          padding.data[p.b * S + p.j] ? scaled(p) + bias.data[p.i * S + p.j] : -Infinity,
      },
    );
  },
  "a row that may see no key": (attention) => {
    const mask = booleans([L, S], (at) => at >= S);
    const { got } = sameLayer(
      attention,
      { mask },
      keep((p) => p.i > 0),
    );
    assert.deepEqual(got.output.data.slice(0, E), weights["out_proj.bias"].data);
  },
  "need_weights=True": (attention) => {
    const { got, want } = sameLayer(attention, { weights: "mean" });
    assert.deepEqual(got.weights!.dims, [B, L, S]);
    const at = (b: number, h: number, rest: number) => want.weights[(b * H + h) * L * S + rest];
    const mean = [0, 1].flatMap((b) =>
      Array.from({ length: L * S }, (_, rest) =>
        [0, 1, 2, 3].reduce((sum, h) => sum + at(b, h, rest) / H, 0),
      ),
    );
    close(got.weights!.data, mean, "weights");
  },
  "average_attn_weights=False": (attention) => {
    const { got, want } = sameLayer(attention, { weights: true });
    assert.deepEqual(got.weights!.dims, [B, H, L, S]);
    close(got.weights!.data, want.weights, "weights");
  },
  "add_zero_attn=True": (attention) => {
    const zeros = [new Array(E).fill(0)];
    sameLayer(
      attention,
      {},
      { appended: { key: zeros, value: zeros } },
      { appended: appendedKeys({ addZeroAttention: true }) },
    );
  },
  "add_bias_kv=True": (attention) => {
    const [bias_k, bias_v] = [randomTensor([1, 1, E], 40), randomTensor([1, 1, E], 41)];
    const appended = { key: [[...bias_k.data]], value: [[...bias_v.data]] };
    sameLayer(attention, {}, { appended }, {}, { bias_k, bias_v });
  },
  "output.backward(g)": (attention) => {
    const layer = layerOf(attention);
    const g = randomTensor([B, L, E], 50);
    const { record } = layer.forward({ query, key, value: key }, { record: true });
    const back = multiHeadBackward(layer, g, record!);
    record!.dispose();
    layer.dispose();
    const loss = () => solveLayer(query, key).output.reduce((sum, y, i) => sum + y * g.data[i], 0);
    for (const at of [0, 50, 95]) {
      const before = query.data[at];
      query.data[at] = before + 2 ** -9;
      const above = loss();
      query.data[at] = before - 2 ** -9;
      const slope = (above - loss()) * 2 ** 8;
      query.data[at] = before;
      close([back.queryGradient.data[at] / 1000], [slope / 1000], "gradient");
    }
  },
  "lucidrains' to_qkv, to_out": (attention) => {
    // to_qkv(x).chunk(3), heads as 'b n (h d) -> b h n d', inner width 32 of 16: no biases.
    const inner = 2 * E;
    const [qkv, out] = [randomTensor([3 * inner, E], 60), randomTensor([E, inner], 61)];
    for (const x of [qkv, out]) for (const i of x.data.keys()) x.data[i] /= 4;
    const layer = fromPyTorch(
      attention,
      { in_proj_weight: qkv, "out_proj.weight": out },
      { heads: H },
    );
    const x = randomTensor([B, S, E], 62);
    const { output } = layer.forward(x);
    layer.dispose();
    const both = linear(x.data, E, qkv.data, []);
    const chunk = (i: number) =>
      Array.from(
        { length: B * S * inner },
        (_, at) => both[Math.floor(at / inner) * 3 * inner + i * inner + (at % inner)],
      );
    const [q, k, v] = [0, 1, 2].map((i) => heads(chunk(i), S));
    const solved = solve({ q, k, v }, ({ dot }) => dot * (inner / H) ** -0.5).output;
    const size = inner / H;
    const rows = Array.from({ length: B * S * inner }, (_, at) => {
      const [b, i, h, d] = [
        Math.floor(at / (S * inner)),
        Math.floor(at / inner) % S,
        Math.floor(at / size) % H,
        at % size,
      ];
      return solved[((b * H + h) * S + i) * size + d];
    });
    close(output.data, linear(rows, inner, out.data, []));
  },
};
