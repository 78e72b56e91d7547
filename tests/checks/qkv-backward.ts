// attendQkvBackward against the gradients of the three apart: the same bits, where their inputs lie.

import assert from "node:assert/strict";
import {
  attendPacked,
  type PackedOptions,
  type QkvOptions,
  type ScoreOptions,
  type Tensor,
  tensor,
} from "wasm-attention";
import {
  type AttendGradients,
  type AttendState,
  attendBackward,
  attendPackedBackward,
  attendQkvBackward,
} from "wasm-attention/training";
import { bitsOf, randomArray, type Whole } from "../engines";

export interface Fused {
  readonly qkv: Tensor;
  /** Query, key, value, as [B, L, heads, D] or [T, heads, D]. */
  readonly parts: readonly [Tensor, Tensor, Tensor];
  /** Puts parts of the same dims where they lie in qkv. */
  readonly fuse: (parts: readonly Tensor[]) => Float32Array;
  readonly cumulative: readonly number[] | undefined;
  readonly asked: Omit<QkvOptions, "normalizer" | "out">;
  readonly score: Omit<ScoreOptions, "normalizer" | "out">;
  readonly seed: number;
}

export function checkQkvBackward(attention: Whole, fused: Fused): void {
  const { qkv, parts, fuse, cumulative, score, seed } = fused;
  const [query, key, value] = parts;
  const { weights: _, ...forward } = { ...score, logSumExp: true };
  const gradients = { alibi: forward.alibi !== undefined };
  const outputGradient = tensor(randomArray(query.data.length, seed + 7), query.dims);
  const pass = { query, key, value, outputGradient };
  let want: AttendGradients;
  let state: AttendState;
  if (cumulative) {
    const options = {
      ...(forward as Omit<PackedOptions, "out" | "normalizer">),
      cumulativeQueries: cumulative,
    };
    state = attendPacked(attention, query, key, value, options) as AttendState;
    want = attendPackedBackward(attention, { ...pass, ...state }, { ...options, gradients });
  } else {
    const options = { ...forward, layout: "BLHD" } as const;
    state = attention.attend(query, key, value, options) as AttendState;
    want = attendBackward(attention, { ...pass, ...state }, { ...options, gradients });
  }
  const { queryGradient, keyGradient, valueGradient, ...besides } = want;
  const whole = fuse([queryGradient, keyGradient, valueGradient]);
  const { heads } = fused.asked;
  const dims = heads
    ? [...query.dims.slice(0, -2), heads * (query.dims.at(-1) as number)]
    : query.dims;
  const given = {
    qkv,
    logSumExp: state.logSumExp,
    output: tensor(state.output.data, dims),
    outputGradient: tensor(outputGradient.data, dims),
  };
  const { weights: __, ...asked } = fused.asked;
  const options = { ...asked, gradients };
  const { used } = attention.memory;
  const got = attendQkvBackward(attention, given, options);
  assert.deepEqual(got.qkvGradient.dims, qkv.dims);
  assert.deepEqual(bitsOf(got), bitsOf({ qkvGradient: tensor(whole, qkv.dims), ...besides }));

  // Into what is there, in linear memory in place, and over the inputs.
  const before = randomArray(whole.length, seed + 8);
  const out = attention.allocate(qkv.dims);
  out.data.set(before);
  attendQkvBackward(attention, given, { ...options, out, accumulate: true });
  assert.deepEqual(
    out.data.slice(),
    whole.map((x, at) => x + (before[at] as number)),
  );
  out.data.set(qkv.data);
  const over = attendQkvBackward(attention, { ...given, qkv: out }, { ...options, out });
  assert.equal(over.qkvGradient, out);
  assert.deepEqual(Buffer.from(out.data.slice().buffer), Buffer.from(whole.buffer));
  out.dispose();
  assert.equal(attention.memory.used, used);
}
