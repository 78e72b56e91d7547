// docs/semantics/onnxruntime.md: docs/ContribOperators.md, attention_helper.h (PrepareMask) and
// gqa_attention_base.h (ComputeAttentionProbs).

import { linear, prepareLinear, tensor } from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import { appended, paged, windowed } from "./cached";
import {
  B,
  close,
  D,
  frequenciesOf,
  H,
  inputs,
  L,
  randomTensor,
  S,
  SCALE,
  same,
  solve,
  swapped,
  type Tries,
  turned,
} from "./formula";
import { packed, scaled } from "./shared";

const grouped = () => inputs({ keyValueHeads: 2 });

export const onnxruntime: Tries = {
  "query, key, value [B, L, heads · D]": (attention) => {
    const x = grouped();
    const flat = (y: typeof x.q) => {
      const { data, dims } = swapped(y);
      return tensor(data, [dims[0], dims[1], dims[2] * dims[3]]);
    };
    const options = { layout: "BLE", heads: H, keyValueHeads: 2 } as const;
    const { output } = attention.attend(flat(x.q), flat(x.k), flat(x.v), options);
    close(swapped(tensor(output.data, [B, L, H, D])).data, solve(x, scaled).output);
  },
  "Attention, weights [E, 3 · H·D]": (attention) => {
    const [E, width] = [3, 4];
    const [x, weights] = [randomTensor([2, E], 1), randomTensor([E, 3 * width], 2)];
    for (const part of [0, 1, 2]) {
      const columns = Float32Array.from({ length: E * width }, (_, at) => {
        return weights.data[Math.floor(at / width) * 3 * width + part * width + (at % width)];
      });
      const prepared = prepareLinear(attention, tensor(columns, [E, width]), { order: "in,out" });
      const want = Array.from({ length: 2 * width }, (_, at) =>
        [0, 1, 2].reduce(
          (sum, e) =>
            sum +
            x.data[Math.floor(at / width) * E + e] *
              weights.data[e * 3 * width + part * width + (at % width)],
          0,
        ),
      );
      close(linear(attention, x, prepared).data, want);
      prepared.dispose();
    }
  },
  "scale 0": (attention) => {
    // scale == 0 ? 1 / sqrt(head_size) : scale
    same(attention, {}, ({ dot }) => dot * SCALE);
  },
  "kv_num_heads of GQA": (attention) => {
    same(attention, {}, scaled, { x: grouped() });
  },
  "key_padding_mask, lengths [B]": (attention) => {
    const keyLengths = [2, 5];
    same(attention, { keyLengths }, (p) => (p.j < keyLengths[p.b] ? scaled(p) : -Infinity));
  },
  "key_padding_mask, integers [B, S]": (attention) => {
    const data = Int32Array.of(1, 0, 3, 0, 1, 1, 1, 0, 0, 0);
    same(attention, { mask: { data, dims: [B, 1, 1, S] } }, (p) =>
      data[p.b * S + p.j] > 0 ? scaled(p) : -Infinity,
    );
  },
  "a row that may see no key": (attention) => {
    const filter = Float32Array.from({ length: L * S }, (_, at) => (at < S || at % 3 ? -10000 : 0));
    const options = { mask: { data: filter, dims: [L, S] } };
    same(
      attention,
      options,
      // In float32, where −10000 leaves ten bits behind the point.
      (p) => Math.fround(Math.fround(scaled(p)) + filter[p.i * S + p.j]) + (p.i === 0 ? 10000 : 0),
      { shifted: true, within: 2e-3 },
    );
  },
  attention_bias: (attention) => {
    const mask = randomTensor([1, H, L, S], 5);
    same(attention, { mask }, (p) => scaled(p) + mask.data[(p.h * L + p.i) * S + p.j]);
  },
  "unidirectional with past": (attention) => {
    const past = 2;
    same(attention, { causal: true, queryOffset: past }, (p) =>
      p.j <= past + p.i ? scaled(p) : -Infinity,
    );
  },
  "GQA, seqlens_k": (attention) => {
    const seqlens = [2, 4];
    const total = seqlens.map((x) => x + 1);
    const queryOffset = total.map((x) => x - L);
    // causal_length = past_seqlen + i + 1
    same(
      attention,
      { causal: true, queryOffset, keyLengths: total },
      (p) => (p.j < total[p.b] - L + p.i + 1 ? scaled(p) : -Infinity),
      { x: grouped() },
    );
  },
  "GQA, local_window_size W": (attention) => {
    const [W, past] = [2, S - L];
    const options = { causal: true, queryOffset: past, window: { left: W - 1 } };
    same(attention, options, (p) => {
      const causalLength = past + p.i + 1;
      const start = Math.max(causalLength - W, 0);
      return p.j >= start && p.j < causalLength ? scaled(p) : -Infinity;
    });
  },
  "GQA, softcap": (attention) => {
    same(attention, { softcap: 2 }, (p) => 2 * Math.tanh(scaled(p) / 2));
  },
  "GQA, smooth_softmax": (attention) => {
    // exp(x) / (1 + Σ exp(x))
    same(attention, { sinks: new Float32Array(H) }, scaled, { sink: () => 0 });
  },
  "GQA, head_sink": (attention) => {
    const sinks = Float32Array.of(1, -2, 0.5, 3);
    same(attention, { sinks }, scaled, { sink: (h) => sinks[h] });
  },
  "MHA, output_qk": (attention) => {
    const x = inputs();
    const { scores } = attention.attend(x.q, x.k, x.v, { causal: true, scores: "biased" });
    const want = solve(x, (p) => (p.j <= p.i ? scaled(p) : -Infinity)).scores;
    close(scores!.data, want, "scores");
  },
  "PackedAttention, cumulative_sequence_length": (attention) =>
    packed(attention, { cumulativeQueries: [0, 2, 5] }, scaled),
  "RotaryEmbedding, one position id": (attention) => {
    const { q } = inputs();
    const want = turned(q, "half", (i) => frequenciesOf(D).map((f) => (11 + i) * f));
    close(rotate(attention, q, { positions: 11 }).data, want);
  },
  "MRotaryEmbedding, layout 1": (attention) => {
    const q = randomTensor([B, H, L, 16], 1);
    const sizes = [4, 2, 2];
    const at = (axis: number, b: number, i: number) => 10 * axis + 3 * b + i;
    const positions = [0, 1, 2].flatMap((axis) =>
      [0, 1].flatMap((b) => [0, 1, 2].map((i) => at(axis, b, i))),
    );
    // Axes in turns while each has pairs left: t h w t h w, then t t.
    const axes = [0, 1, 2, 0, 1, 2, 0, 0];
    const got = rotate(attention, q, { sections: { sizes, interleaved: true }, positions });
    close(
      got.data,
      turned(q, "half", (i, b) => frequenciesOf(16).map((f, p) => at(axes[p], b, i) * f)),
    );
  },
  PagedAttention: (attention) => paged(attention, "NHD"),
  "GQA, past_key, present_key": appended,
  "GQA, sliding_window_cache, local_window_size W": windowed,
};
