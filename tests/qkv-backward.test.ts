// Gradients of a fused tensor: finite differences of the formula in float64, threads, normalizers. That they are the
// bits of the three apart, of any form, is drawn in qkv.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendQkv, type QkvOptions, type Tensor, tensor } from "wasm-attention";
import {
  type AttendState,
  attendBackward,
  attendQkvBackward,
  attendQkvBackwardAsync,
  type QkvBackwardOptions,
} from "wasm-attention/training";
import { alphaEntmax } from "wasm-attention/variants";
import { bitsOf, engine, randomTensor, variants } from "./engines";

/** Where number d of head h is in a token of qkv, of queries (0), keys (1) or values (2). */
type Place = (which: number, h: number, d: number) => number;

/** Σ dO · softmax(q·kᵀ/√D)·v, causal, in float64. */
function loss(
  qkv: Float64Array,
  dy: Float32Array,
  [L, H, Hkv, D]: readonly [number, number, number, number],
  place: Place,
): number {
  const width = (H + 2 * Hkv) * D;
  let sum = 0;
  for (let b = 0; b < qkv.length / (L * width); b++)
    for (let h = 0; h < H; h++) {
      const kv = Math.floor((h * Hkv) / H);
      const at = (i: number, which: number, d: number) =>
        qkv[(b * L + i) * width + place(which, which ? kv : h, d)] as number;
      for (let i = 0; i < L; i++) {
        const scores = Array.from({ length: i + 1 }, (_, j) => {
          let score = 0;
          for (let d = 0; d < D; d++) score += at(i, 0, d) * at(j, 1, d);
          return Math.exp(score / Math.sqrt(D));
        });
        const total = scores.reduce((a, x) => a + x, 0);
        for (const [j, weight] of scores.entries())
          for (let d = 0; d < D; d++)
            sum += ((weight / total) * at(j, 2, d) * dy[((b * L + i) * H + h) * D + d]!) as number;
      }
    }
  return sum;
}

const forms: [string, number[], number, number, QkvOptions, Place][] = [
  ["[B, L, 3, H, D]", [2, 5, 3, 2, 3], 2, 2, {}, (which, h, d) => (which * 2 + h) * 3 + d],
  [
    "[B, L, H, 3, D]",
    [2, 5, 2, 3, 3],
    2,
    2,
    { interleaved: true },
    (which, h, d) => (h * 3 + which) * 3 + d,
  ],
  [
    "[B, L, (H + 2·Hkv)·D]",
    [2, 5, 18],
    4,
    1,
    { heads: 4, keyValueHeads: 1 },
    (which, h, d) => ([0, 4, 5][which]! + h) * 3 + d,
  ],
];

for (const variant of variants) {
  for (const [name, dims, H, Hkv, options, place] of forms) {
    test(`finite differences of the formula, ${name}, ${variant}`, async () => {
      const attention = await engine(variant);
      const qkv = randomTensor(dims, 3);
      const asked = { ...options, causal: true } as const;
      const state = attendQkv(attention, qkv, { ...asked, logSumExp: true }) as AttendState;
      const outputGradient = randomTensor(state.output.dims, 4);
      const pass = { qkv, ...state, outputGradient };
      const { qkvGradient } = attendQkvBackward(attention, pass, asked);
      assert.deepEqual(qkvGradient.dims, dims);
      const x = Float64Array.from(qkv.data);
      const step = 1e-5;
      for (const [at, given] of x.entries()) {
        const of = (moved: number) => {
          x[at] = moved;
          return loss(x, outputGradient.data, [5, H, Hkv, 3], place);
        };
        const want = (of(given + step) - of(given - step)) / (2 * step);
        x[at] = given;
        const error = Math.abs((qkvGradient.data[at] as number) - want);
        assert.ok(error < 2e-6, `${at}: ${qkvGradient.data[at]} instead of ${want}`);
      }
    });
  }

  test(`threads and asynchronous calls change no bit, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    assert.equal(two.threads, 2, two.threadsFallback);
    const qkv = randomTensor([2, 200, 3, 4, 24], 1);
    const forward = { causal: true, softcap: 4 } as const;
    const state = attendQkv(one, qkv, { ...forward, logSumExp: true, weights: true });
    const pass = {
      ...{ qkv, ...state, outputGradient: randomTensor(state.output.dims, 2) },
      weightsGradient: randomTensor([2, 4, 200, 200], 3),
      logSumExpGradient: randomTensor([2, 4, 200], 4),
    };
    const want = bitsOf(attendQkvBackward(one, pass, forward));
    assert.deepEqual(bitsOf(attendQkvBackward(two, pass, forward)), want);
    for (const attention of [one, two]) {
      const later = attendQkvBackwardAsync(attention, pass, forward);
      assert.deepEqual(bitsOf(await later), want);
    }
    two.dispose();
  });

  test(`in linear memory nothing is copied, ${variant}`, async () => {
    const dims = [8, 300, 3, 2, 32];
    const plain = await engine(variant);
    const given = randomTensor(dims, 1);
    const state = attendQkv(plain, given, { logSumExp: true });
    const outputGradient = randomTensor(state.output.dims, 2);
    const want = attendQkvBackward(plain, { qkv: given, ...state, outputGradient });
    // qkv, its gradient, what came of it, and scratch, but no copy of either.
    const memory = 6 * 2 ** 20;
    const attention = await engine(variant, { initialMemory: memory, maximumMemory: memory });
    const [qkv, out] = [attention.allocate(dims), attention.allocate(dims)];
    qkv.data.set(given.data);
    const pass = { qkv, ...state, outputGradient };
    const got = attendQkvBackward(attention, pass, { out });
    assert.equal(got.qkvGradient, out);
    assert.deepEqual(out.data.slice(), want.qkvGradient.data);
    const bytes = given.data.byteLength + 2 * outputGradient.data.byteLength;
    assert.ok(attention.memory.used + bytes > memory);
  });

  test(`a pass with a normalizer: the bits of the three apart, ${variant}`, async () => {
    const attention = await engine(variant);
    const [B, L, H, D] = [2, 70, 4, 8];
    const qkv = randomTensor([B, L, H, 3, D], 5, 2);
    const part = (which: number): Tensor =>
      tensor(
        Float32Array.from({ length: B * L * H * D }, (_, at) => {
          const [row, d] = [Math.floor(at / D), at % D];
          return qkv.data[(row * 3 + which) * D + d] as number;
        }),
        [B, L, H, D],
      );
    const outputGradient = randomTensor([B, L, H, D], 6);
    const normalizer = alphaEntmax([1.2, 1.5, 2, 3]);
    const shared = { normalizer, causal: true } as const;
    const options: QkvBackwardOptions & typeof shared = { ...shared, interleaved: true };
    const apart = attendBackward(
      attention,
      { query: part(0), key: part(1), value: part(2), outputGradient },
      { ...shared, layout: "BLHD" },
    );
    const each = [apart.queryGradient, apart.keyGradient, apart.valueGradient];
    const want = qkv.data.map((_, at) => {
      const [row, which, d] = [Math.floor(at / (3 * D)), Math.floor(at / D) % 3, at % D];
      return each[which]?.data[row * D + d] as number;
    });
    const got = attendQkvBackward(attention, { qkv, outputGradient }, options);
    const { qkvGradient, alphaGradient } = got;
    const expected = { qkvGradient: tensor(want, qkv.dims), alphaGradient: apart.alphaGradient };
    assert.deepEqual(bitsOf({ qkvGradient, alphaGradient }), bitsOf(expected));
    const later = await attendQkvBackwardAsync(attention, { qkv, outputGradient }, options);
    assert.deepEqual(bitsOf(later), bitsOf(got));
  });
}
