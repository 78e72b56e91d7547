// attend in integers: inputs that have no integers, packed calls and the layer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendPacked, attendQkv, MultiHeadAttention, type Tensor } from "wasm-attention";
import { int8, int16 } from "wasm-attention/integers";
import { bitsOf, engine, randomTensor } from "./engines";

function relative(got: Float32Array, want: Float32Array): number {
  let [error, squares] = [0, 0];
  for (const [i, value] of want.entries()) {
    error += ((got[i] as number) - value) ** 2;
    squares += value * value;
  }
  return Math.sqrt(error / squares);
}

/** Relative errors that inputs without a pattern stay within. */
const within = [
  [int16, 4e-4],
  [int8, 3e-2],
] as const;

test("NaN and infinity reach who sees them, and nobody else", async () => {
  using attention = await engine("relaxed");
  const inputs = () =>
    [randomTensor([70, 16], 1), randomTensor([300, 16], 2), randomTensor([300, 16], 3)] as const;
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const which of [0, 1, 2]) {
      const given = inputs();
      // Of query 5, or of key 150, which the later rows see.
      (given[which] as Tensor).data.fill(bad, which ? 150 * 16 : 5 * 16, which ? 151 * 16 : 6 * 16);
      const options = { causal: true, queryOffset: 100 } as const;
      const want = attention.attend(...given, options).output.data;
      for (const [precision, far] of within) {
        const got = attention.attend(...given, { ...options, precision }).output.data;
        for (const [n, value] of want.entries()) {
          const near = Math.abs((got[n] as number) - value) < 2.5 * far;
          const same = Number.isFinite(value) ? near : !Number.isFinite(got[n]);
          const what = `${precision.name}, ${bad} in ${which}`;
          assert.ok(same, `${what}: ${got[n]} for ${value} of row ${Math.floor(n / 16)}`);
        }
      }
    }
  }
});

test("in packed calls and the layer; heads that are too large are of float32", async () => {
  using attention = await engine("portable");
  const x = randomTensor([90, 2, 32], 1);
  const options = { cumulativeQueries: [0, 40, 90], causal: true } as const;
  const float = attendPacked(attention, x, x, x, options).output.data;
  for (const [precision, far] of within) {
    const packed = attendPacked(attention, x, x, x, { ...options, precision }).output.data;
    const error = relative(packed, float);
    assert.ok(error > 0 && error < far, `${precision.name}: ${error}`);
  }

  const eye = { weight: randomTensor([32, 32], 2, 0.3), order: "in,out" } as const;
  using layer = new MultiHeadAttention(
    attention,
    { heads: 4 },
    { query: eye, key: eye, value: eye, output: eye },
  );
  const rows = randomTensor([2, 50, 32], 3);
  const plain = layer.forward(rows).output.data;
  const qkv = randomTensor([2, 70, 3, 2, 16], 5);
  const part = (n: number) => {
    const rows = Array.from({ length: 140 }, (_, t) => [
      ...qkv.data.subarray((t * 3 + n) * 32, (t * 3 + n + 1) * 32),
    ]);
    return { data: Float32Array.from(rows.flat()), dims: [2, 70, 2, 16] };
  };
  const large = randomTensor([3, 4097], 4);
  const whole = bitsOf(attention.attend(large, large, large));
  for (const [precision, far] of within) {
    const error = relative(layer.forward(rows, { precision }).output.data, plain);
    assert.ok(error > 0 && error < far, `${precision.name}: ${error}`);
    assert.deepEqual(bitsOf(attention.attend(large, large, large, { precision })), whole);
    const fused = attendQkv(attention, qkv, { precision, causal: true });
    const given = { layout: "BLHD", precision, causal: true } as const;
    assert.deepEqual(fused, attention.attend(part(0), part(1), part(2), given));
  }
});
