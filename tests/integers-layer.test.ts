// attend in integers of 16 bits: inputs that have no integers, packed calls and the layer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendPacked, attendQkv, MultiHeadAttention, type Tensor } from "wasm-attention";
import { int16 } from "wasm-attention/integers";
import { bitsOf, engine, randomTensor } from "./engines";

function relative(got: Float32Array, want: Float32Array): number {
  let [error, squares] = [0, 0];
  for (const [i, value] of want.entries()) {
    error += ((got[i] as number) - value) ** 2;
    squares += value * value;
  }
  return Math.sqrt(error / squares);
}

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
      const [got, want] = [int16, undefined].map(
        (precision) => attention.attend(...given, { ...options, precision }).output.data,
      ) as [Float32Array, Float32Array];
      for (const [n, value] of want.entries()) {
        const near = Math.abs((got[n] as number) - value) < 1e-3;
        const same = Number.isFinite(value) ? near : !Number.isFinite(got[n]);
        assert.ok(same, `${bad} in ${which}: ${got[n]} for ${value} of row ${Math.floor(n / 16)}`);
      }
    }
  }
});

test("in packed calls and the layer; heads that are too large are of float32", async () => {
  using attention = await engine("portable");
  const x = randomTensor([90, 2, 32], 1);
  const options = { cumulativeQueries: [0, 40, 90], causal: true } as const;
  const packed = attendPacked(attention, x, x, x, { ...options, precision: int16 }).output.data;
  const float = attendPacked(attention, x, x, x, options).output.data;
  const error = relative(packed, float);
  assert.ok(error > 0 && error < 4e-4, `${error}`);

  const eye = { weight: randomTensor([32, 32], 2, 0.3), order: "in,out" } as const;
  using layer = new MultiHeadAttention(
    attention,
    { heads: 4 },
    { query: eye, key: eye, value: eye, output: eye },
  );
  const rows = randomTensor([2, 50, 32], 3);
  const [whole, plain] = [int16, undefined].map(
    (precision) => layer.forward(rows, { precision }).output.data,
  ) as [Float32Array, Float32Array];
  const far = relative(whole, plain);
  assert.ok(far > 0 && far < 4e-4, `${far}`);

  const qkv = randomTensor([2, 70, 3, 2, 16], 5);
  const part = (n: number) => {
    const rows = Array.from({ length: 140 }, (_, t) => [
      ...qkv.data.subarray((t * 3 + n) * 32, (t * 3 + n + 1) * 32),
    ]);
    return { data: Float32Array.from(rows.flat()), dims: [2, 70, 2, 16] };
  };
  const fused = attendQkv(attention, qkv, { precision: int16, causal: true });
  const given = { layout: "BLHD", precision: int16, causal: true } as const;
  assert.deepEqual(fused, attention.attend(part(0), part(1), part(2), given));

  const large = randomTensor([3, 4097], 4);
  const [a, b] = [int16, undefined].map((precision) =>
    bitsOf(attention.attend(large, large, large, { precision })),
  );
  assert.deepEqual(a, b);
});
