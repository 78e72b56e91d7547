// What several libraries have alike: dropout, gradients, sequences end to end, half floats.

import assert from "node:assert/strict";
import {
  type AttendOptions,
  attendPacked,
  fromBfloat16,
  fromFloat16,
  type PackedOptions,
  tensor,
} from "wasm-attention";
import { attendBackward } from "wasm-attention/training";
import type { Whole } from "../engines";
import { close, D, H, inputs, randomTensor, SCALE, type Score, solve } from "./formula";

/** A weight is 0, or what it was over 1 − p. */
export function dropout(attention: Whole): void {
  const { q, k, v } = inputs();
  const plain = attention.attend(q, k, v, { weights: true }).weights!.data;
  const options = { dropout: { probability: 0.25, seed: 7 }, weights: true };
  const dropped = attention.attend(q, k, v, options).weights!.data;
  const zeros = dropped.filter((w) => w === 0).length;
  assert.ok(zeros > 0.1 * plain.length && zeros < 0.4 * plain.length, `${zeros} dropped`);
  close(
    dropped,
    plain.map((w, i) => (dropped[i] === 0 ? 0 : w / 0.75)),
    "weights",
  );
}

/** Against differences of the formula in float64. */
export function gradients(
  attention: Whole,
  options: Pick<AttendOptions, "causal">,
  score: Score,
): void {
  const x = inputs();
  const g = randomTensor(x.q.dims, 4);
  const { output, logSumExp } = attention.attend(x.q, x.k, x.v, {
    causal: options.causal,
    logSumExp: true,
  });
  const state = { output, logSumExp: logSumExp! };
  const back = attendBackward(
    attention,
    { ...state, query: x.q, key: x.k, value: x.v, outputGradient: g },
    options,
  );
  const loss = () => solve(x, score).output.reduce((sum, y, i) => sum + y * g.data[i], 0);
  const pairs = [
    [x.q, back.queryGradient],
    [x.k, back.keyGradient],
    [x.v, back.valueGradient],
  ] as const;
  for (const [input, gradient] of pairs)
    for (const at of [0, 17, 40]) {
      const before = input.data[at];
      const step = 2 ** -10;
      input.data[at] = before + step;
      const above = loss();
      input.data[at] = before - step;
      const slope = (above - loss()) / (2 * step);
      input.data[at] = before;
      assert.ok(Math.abs(gradient.data[at] - slope) < 1e-4, `${gradient.data[at]}, not ${slope}`);
    }
}

/** [T, H, D] of sequences of 2 and 3 tokens: each sees only itself. */
export function packed(attention: Whole, options: PackedOptions, see: Score): void {
  const [q, k, v] = [1, 2, 3].map((seed) => randomTensor([5, H, D], seed));
  const got = attendPacked(attention, q, k, v, options).output.data;
  const turnOver = ({ data }: { data: Float32Array }) =>
    tensor(
      Float32Array.from(data, (_, at) => {
        const [h, t, d] = [Math.floor(at / (5 * D)), Math.floor(at / D) % 5, at % D];
        return data[(t * H + h) * D + d];
      }),
      [1, H, 5, D],
    );
  const whole = { q: turnOver(q), k: turnOver(k), v: turnOver(v) };
  const part = (t: number) => (t < 2 ? 0 : 1);
  const { output } = solve(whole, (place) =>
    part(place.i) === part(place.j) ? see(place) : -Infinity,
  );
  close(
    got,
    Array.from(got, (_, at) => {
      const [t, h, d] = [Math.floor(at / (H * D)), Math.floor(at / D) % H, at % D];
      return output[(h * 5 + t) * D + d];
    }),
  );
}

export function halves(): void {
  // 1, −2, 65504 and 2⁻²⁴ of float16; 1, −2 and 3.140625 of bfloat16.
  const half = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001);
  assert.deepEqual([...fromFloat16(half)], [1, -2, 65504, 2 ** -24]);
  assert.deepEqual([...fromBfloat16(Uint16Array.of(0x3f80, 0xc000, 0x4049))], [1, -2, 3.140625]);
}

export const scaled: Score = ({ dot }) => dot * SCALE;
