// docs/semantics/pytorch.md, its first table: scaled_dot_product_attention and FlexAttention.

import assert from "node:assert/strict";
import { linear, prepareLinear, tensor } from "wasm-attention";
import {
  B,
  booleans,
  close,
  D,
  H,
  inputs,
  L,
  randomTensor,
  S,
  same,
  solve,
  type Tries,
} from "./formula";
import { dropout, gradients, halves, packed, scaled } from "./shared";

export const pytorch: Tries = {
  "scaled_dot_product_attention(q, k, v)": (attention) => {
    const { output } = same(attention, {}, scaled);
    const { q, k, v } = inputs();
    const first = ({ data, dims }: typeof q, axes: 1 | 2) => {
      const own = dims.slice(axes);
      return tensor(
        data.slice(
          0,
          own.reduce((a, b) => a * b),
        ),
        own,
      );
    };
    for (const axes of [1, 2] as const) {
      const part = attention.attend(first(q, axes), first(k, axes), first(v, axes)).output;
      assert.deepEqual(part.dims, q.dims.slice(axes));
      close(part.data, output.data.slice(0, part.data.length));
    }
  },
  "scale=s": (attention) => {
    same(attention, { scale: 0.3 }, ({ dot }) => dot * 0.3);
  },
  "enable_gqa=True": (attention) => {
    // k.repeat_interleave(H / Hkv): heads 0 and 1 share the first.
    same(attention, {}, scaled, { x: inputs({ keyValueHeads: 2 }) });
  },
  "attn_mask, boolean": (attention) => {
    const mask = booleans([L, S], (at) => at % 3 !== 1);
    same(attention, { mask }, (p) => (mask.data[p.i * S + p.j] ? scaled(p) : -Infinity));
  },
  "attn_mask, float": (attention) => {
    const mask = randomTensor([H, L, S], 5);
    same(attention, { mask }, (p) => scaled(p) + mask.data[(p.h * L + p.i) * S + p.j]);
  },
  "padding, a boolean [B, S]": (attention) => {
    const lengths = [2, 4];
    const mask = booleans([B, 1, 1, S], (at) => at % S < lengths[Math.floor(at / S)]);
    for (const options of [{ mask }, { keyLengths: lengths }])
      same(attention, options, (p) => (p.j < lengths[p.b] ? scaled(p) : -Infinity));
  },
  "is_causal=True": (attention) => {
    // ones(L, S).tril(diagonal=0)
    same(attention, { causal: true }, (p) => (p.j <= p.i ? scaled(p) : -Infinity));
  },
  "causal_lower_right(L, S)": (attention) => {
    // ones(L, S).tril(diagonal=S − L)
    same(attention, { causal: "lower-right" }, (p) => (p.j <= p.i + S - L ? scaled(p) : -Infinity));
  },
  "L tokens after a cache of P": (attention) => {
    // The last L rows of the causal call on P + L tokens.
    const options = { causal: true, queryOffset: S - L };
    same(attention, options, (p) => (p.j <= S - L + p.i ? scaled(p) : -Infinity));
  },
  "a row that may see no key": (attention) => {
    const mask = booleans([L, S], (at) => at >= S);
    const { output } = same(attention, { mask }, (p) => (p.i > 0 ? scaled(p) : -Infinity));
    assert.deepEqual([...output.data.slice(0, D)], [0, 0, 0, 0]);
  },
  "dropout_p=p": dropout,
  "output.backward(g)": (attention) =>
    gradients(attention, { causal: true }, (p) => (p.j <= p.i ? scaled(p) : -Infinity)),
  "FlexAttention, score_mod": (attention) => {
    const mod = (score: number, b: number, h: number, i: number, j: number) =>
      score * (1 + b) + 0.1 * h * (i - j);
    same(
      attention,
      {
        scoreMod: ({ scores, batch, head, query, key, rows, columns }) => {
          for (let at = 0; at < rows * columns; at++) {
            const [i, j] = [query + Math.floor(at / columns), key + (at % columns)];
            scores[at] = mod(scores[at], batch, head, i, j);
          }
        },
      },
      (p) => mod(scaled(p), p.b, p.h, p.i, p.j),
    );
  },
  "FlexAttention, BlockMask": (attention) => {
    const visible = [1, 0, 1, 0, 1, 1];
    const partial = booleans([L, S], (at) => at !== 4);
    same(
      attention,
      {
        blockMask: { data: Uint8Array.from(visible), dims: [1, 1, 2, 3], size: 2 },
        mask: partial,
      },
      (p) =>
        visible[(p.i >> 1) * 3 + (p.j >> 1)] && partial.data[p.i * S + p.j] ? scaled(p) : -Infinity,
    );
  },
  "FlexAttention, return_lse=True": (attention) => {
    const { q, k, v } = inputs();
    const { logSumExp } = attention.attend(q, k, v, { logSumExp: true });
    close(logSumExp!.data, solve({ q, k, v }, scaled).logSumExp);
  },
  "nested tensors": (attention) => packed(attention, { cumulativeQueries: [0, 2, 5] }, scaled),
  "float16, bfloat16": halves,
  "nn.Linear": (attention) => {
    const [x, weight, bias] = [
      randomTensor([2, 3], 1),
      randomTensor([4, 3], 2),
      randomTensor([4], 3),
    ];
    const prepared = prepareLinear(attention, weight, { order: "out,in", bias });
    const want = [0, 1].flatMap((r) =>
      [0, 1, 2, 3].map(
        (o) =>
          bias.data[o] +
          [0, 1, 2].reduce((sum, e) => sum + x.data[r * 3 + e] * weight.data[o * 3 + e], 0),
      ),
    );
    close(linear(attention, x, prepared).data, want);
    prepared.dispose();
  },
};
