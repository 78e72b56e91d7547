// docs/semantics/transformers.md: modeling_rope_utils.py, masking_utils.py and the models' own code.

import {
  alibiSlopes,
  type RopeScaling,
  relativePositionBias,
  ropeFrequencies,
  rotate,
  sinusoidalPositions,
} from "wasm-attention/positions";
import { cases, checkNamedLayer } from "../checks/named-layers";
import { checkPackedWeights, kinds } from "../checks/packed-weights";
import type { Whole } from "../engines";
import { appended, cropped, reordered, windowed } from "./cached";
import {
  B,
  booleans,
  close,
  D,
  frequenciesOf,
  H,
  inputs,
  L,
  randomTensor,
  S,
  same,
  solve,
  type Tries,
  turned,
} from "./formula";
import { halves, scaled } from "./shared";

const SIZE = 32;

function frequencies(attention: Whole, scaling: RopeScaling, want: number[], factor = 1): void {
  const got = ropeFrequencies(attention, { dimensions: SIZE, scaling });
  close(got.frequencies, want, "frequencies");
  close([got.attentionFactor], [factor], "attentionFactor");
}

/** sin | cos of position · frequency, half and half. */
const sines = (size: number, frequency: (i: number) => number) =>
  Array.from({ length: 4 * size }, (_, at) => {
    const [position, d] = [Math.floor(at / size), at % size];
    return d < size / 2
      ? Math.sin(position * frequency(d))
      : Math.cos(position * frequency(d - size / 2));
  });

export const transformers: Tries = {
  "num_key_value_heads, repeat_kv": (attention) => {
    same(attention, {}, scaled, { x: inputs({ keyValueHeads: 2 }) });
  },
  "attention_mask [B, S], padding on the right": (attention) => {
    const there = [1, 1, 1, 0, 0, 1, 1, 1, 1, 0];
    const mask = { data: Uint8Array.from(there), dims: [B, 1, 1, S] };
    for (const options of [{ mask }, { keyLengths: [3, 4] }])
      same(attention, options, (p) => (there[p.b * S + p.j] ? scaled(p) : -Infinity));
  },
  "attention_mask [B, S], padding on the left": (attention) => {
    const mask = booleans([B, 1, 1, S], (at) => at !== 0 && at !== 5 && at !== 6);
    same(attention, { mask, causal: true, queryOffset: S - L }, (p) =>
      mask.data[p.b * S + p.j] && p.j <= p.i + S - L ? scaled(p) : -Infinity,
    );
  },
  "decoding after past_key_values": (attention) => {
    same(attention, { causal: true, queryOffset: S - L }, (p) =>
      p.j <= p.i + S - L ? scaled(p) : -Infinity,
    );
  },
  "sliding_window W": (attention) => {
    // kv_idx > q_idx − sliding_window, and kv_idx <= q_idx
    for (const W of [1, 2])
      same(attention, { causal: true, window: { left: W - 1 } }, (p) =>
        p.j > p.i - W && p.j <= p.i ? scaled(p) : -Infinity,
      );
  },
  "query_pre_attn_scalar, attn_logit_softcapping (Gemma 2)": (attention) => {
    const options = { scale: 9 ** -0.5, softcap: 3 };
    same(attention, options, ({ dot }) => 3 * Math.tanh((dot * 9 ** -0.5) / 3));
  },
  "gpt-oss, sinks": (attention) => {
    const sinks = [1, -1, 0, 2];
    same(attention, { sinks }, scaled, { sink: (h) => sinks[h] });
  },
  "output_attentions=True": (attention) => {
    const x = inputs();
    const { weights } = attention.attend(x.q, x.k, x.v, { weights: true });
    close(weights!.data, solve(x, scaled).weights, "weights");
  },
  "T5, relative_attention_bias": (attention) => {
    const [buckets, maxDistance] = [8, 20];
    const table = randomTensor([buckets, H], 7);
    const x = inputs({ queries: 24, keys: 30 });
    for (const bidirectional of [true, false]) {
      const bucket = (i: number, j: number) => {
        let [relative, count, first] = [j - i, buckets, 0];
        if (bidirectional) {
          count /= 2;
          if (relative > 0) first = count;
          relative = Math.abs(relative);
        } else relative = Math.max(-relative, 0);
        const exact = count / 2;
        if (relative < exact) return first + relative;
        const share = Math.log(relative / exact) / Math.log(maxDistance / exact);
        return first + Math.min(exact + Math.floor(share * (count - exact)), count - 1);
      };
      const mask = relativePositionBias(table, {
        queries: 24,
        keys: 30,
        bidirectional,
        maxDistance,
      });
      same(attention, { mask, scale: 1 }, (p) => p.dot + table.data[bucket(p.i, p.j) * H + p.h], {
        x,
        within: 2e-5,
      });
    }
  },
  "BLOOM, build_alibi_tensor": (attention) => {
    const slopes = alibiSlopes(H);
    const alibi = { slopes, distance: "key" } as const;
    same(attention, { alibi }, (p) => scaled(p) + 2 ** (-2 * (p.h + 1)) * p.j);
  },
  "Llama, rotate_half": (attention) => {
    const { q } = inputs();
    const want = turned(q, "half", (i) => frequenciesOf(D, 500000).map((f) => (3 + i) * f));
    close(rotate(attention, q, { base: 500000, pairing: "half", positions: 3 }).data, want);
  },
  "GPT-J, rotate_every_two": (attention) => {
    const { q } = inputs();
    const want = turned(q, "interleaved", (i) => frequenciesOf(D).map((f) => i * f));
    close(rotate(attention, q, { pairing: "interleaved" }).data, want);
  },
  partial_rotary_factor: (attention) => {
    const x = randomTensor([1, H, L, 16], 1);
    const want = turned(x, "half", (i) => frequenciesOf(4).map((f) => i * f));
    close(rotate(attention, x, { dimensions: 0.25 * 16 }).data, want);
  },
  'rope_type "proportional" (Gemma 4)': (attention) => {
    const x = randomTensor([1, H, L, 16], 1);
    const pairs = Math.floor((0.25 * 16) / 2);
    const { frequencies } = ropeFrequencies(attention, { dimensions: 16, base: 1e6 });
    frequencies.fill(0, pairs);
    const theirs = frequenciesOf(16, 1e6).map((f, p) => (p < pairs ? f : 0));
    const want = turned(x, "half", (i) => theirs.map((f) => (5 + i) * f));
    close(rotate(attention, x, { frequencies, positions: 5 }).data, want);
  },
  'rope_type "linear"': (attention) =>
    frequencies(
      attention,
      { type: "linear", factor: 4 },
      frequenciesOf(SIZE).map((f) => f / 4),
    ),
  'rope_type "dynamic"': (attention) => {
    const [factor, original, length] = [2, 64, 100];
    const grown = ((factor * length) / original - (factor - 1)) ** (SIZE / (SIZE - 2));
    const scaling = { factor, originalMaxPositionEmbeddings: original, length };
    frequencies(attention, { type: "dynamic", ...scaling }, frequenciesOf(SIZE, 10000 * grown));
  },
  'rope_type "yarn"': (attention) => {
    const [factor, original, betaFast, betaSlow] = [4, 256, 16, 2];
    const scaling = { factor, originalMaxPositionEmbeddings: original, betaFast, betaSlow };
    const dimension = (turns: number) =>
      (SIZE * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(10000));
    const low = Math.max(Math.floor(dimension(betaFast)), 0);
    const high = Math.min(Math.ceil(dimension(betaSlow)), SIZE - 1);
    const want = frequenciesOf(SIZE).map((f, p) => {
      const unscaled = 1 - Math.min(Math.max((p - low) / (high - low), 0), 1);
      return (f / factor) * (1 - unscaled) + f * unscaled;
    });
    frequencies(attention, { type: "yarn", ...scaling }, want, 0.1 * Math.log(factor) + 1);
  },
  'rope_type "llama3"': (attention) => {
    const [factor, low, high, original] = [8, 1, 4, 8192];
    const want = frequenciesOf(SIZE).map((f) => {
      const wavelength = (2 * Math.PI) / f;
      if (wavelength < original / high) return f;
      if (wavelength > original / low) return f / factor;
      const smooth = (original / wavelength - low) / (high - low);
      return ((1 - smooth) * f) / factor + smooth * f;
    });
    const bounds = { lowFreqFactor: low, highFreqFactor: high };
    const scaling = { factor, originalMaxPositionEmbeddings: original, ...bounds };
    frequencies(attention, { type: "llama3", ...scaling }, want);
  },
  "mrope_section (Qwen2-VL)": (attention) => {
    const x = randomTensor([1, H, L, 16], 1);
    const sizes = [2, 3, 3];
    const axes = sizes.flatMap((size, axis) => new Array<number>(size).fill(axis));
    const positions = [0, 1, 2].flatMap((axis) => [0, 1, 2].map((i) => 4 * axis + i));
    const want = turned(x, "half", (i) => frequenciesOf(16).map((f, p) => (4 * axes[p] + i) * f));
    close(rotate(attention, x, { sections: { sizes }, positions }).data, want);
  },
  "Marian, sine positions": (attention) => {
    const options = { positions: 4, size: 6, order: "concatenated" } as const;
    const want = sines(6, (i) => 10000 ** ((-2 * i) / 6));
    close(sinusoidalPositions(attention, options).data, want);
  },
  "M2M-100, fairseq, tensor2tensor, sine positions": (attention) => {
    // exp(−i · ln 10000 / (half − 1))
    const [size, half] = [8, 4];
    const base = 10000 ** (half / (half - 1));
    const want = sines(size, (i) => Math.exp((-i * Math.log(10000)) / (half - 1)));
    const options = { positions: 4, size, order: "concatenated", base } as const;
    close(sinusoidalPositions(attention, options).data, want);
  },
  "float16, bfloat16 weights": halves,
  "GPT-2's c_attn, c_proj (Conv1D)": (attention) => checkPackedWeights(attention, kinds["GPT-2"]),
  "a whole layer of BERT, ViT, BART, T5, GPT-2 or Llama": (attention) => {
    for (const named of Object.values(cases)) checkNamedLayer(attention, named);
  },
  "qkv_proj, o_proj (Phi-3)": (attention) => checkPackedWeights(attention, kinds["Phi-3"]),
  "query_key_value, dense (GPT-NeoX, BLOOM, Falcon)": (attention) => {
    checkPackedWeights(attention, kinds["GPT-NeoX"]);
    checkPackedWeights(attention, kinds.Falcon);
  },
  DynamicCache: appended,
  "crop(n)": cropped,
  "reorder_cache(beam_idx)": reordered,
  DynamicSlidingWindowLayer: windowed,
};
