// relativeBias against the mask that it stands for, there and back.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tensor } from "wasm-attention";
import { relativeBias } from "wasm-attention/positions";
import { attendBackward, type BackwardOptions } from "wasm-attention/training";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";

for (const variant of variants) {
  test(`a relative bias has the bits of its mask, wherever the queries are, ${variant}`, async () => {
    const attention = await engine(variant);
    const n = 150;
    const bias = randomTensor([2, 2, 2 * n - 1], 1, 3);
    for (const [queries, keys, queryOffset] of [
      [1, 150, 149],
      [70, 150, 80],
      [5, 40, -7],
      [150, 1, 0],
      [3, 0, 2],
    ]) {
      const query = randomTensor([2, 2, queries, 8], 2);
      const key = randomTensor([2, 2, keys, 8], 3);
      const data = Float32Array.from({ length: 4 * queries * keys }, (_, at) => {
        const [j, i] = [at % keys, Math.floor(at / keys) % queries];
        const head = Math.floor(at / (keys * queries));
        return bias.data[head * (2 * n - 1) + j - i - queryOffset + n - 1];
      });
      const given = { queryOffset, causal: queries > 1, logSumExp: true } as const;
      const whole = { data, dims: [2, 2, queries, keys] };
      const relative = relativeBias(bias, { queryOffset });
      const want = attention.attend(query, key, key, { ...given, mask: whole });
      const got = attention.attend(query, key, key, { ...given, mask: relative });
      assert.deepEqual(bitsOf(got), bitsOf(want));
      const further = { data: randomArray(keys, 5), dims: [1, keys] };
      assert.deepEqual(
        bitsOf(attention.attend(query, key, key, { ...given, mask: [relative, further] })),
        bitsOf(attention.attend(query, key, key, { ...given, mask: [whole, further] })),
      );
      const pass = { query, key, value: key, ...want, outputGradient: query };
      const back = (mask: BackwardOptions["mask"]) =>
        attendBackward(attention, pass, { ...given, mask, gradients: { mask: true } });
      const [one, other] = [back(relative), back(whole)];
      assert.deepEqual(one.queryGradient, other.queryGradient);
      const sums = new Float64Array(bias.data.length);
      other.maskGradient?.data.forEach((g, at) => {
        const [j, i] = [at % keys, Math.floor(at / keys) % queries];
        sums[Math.floor(at / (keys * queries)) * (2 * n - 1) + j - i - queryOffset + n - 1] += g;
      });
      assert.deepEqual(one.maskGradient?.dims, bias.dims);
      for (const [at, sum] of sums.entries())
        assert.ok(Math.abs((one.maskGradient as Tensor).data[at] - sum) < 1e-5);
    }
  });
}
