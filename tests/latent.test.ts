// attendLatent: the bits of attend over values that are copied out of their keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, tensor } from "wasm-attention";
import { attendLatent, attendLatentAsync, entmax15 } from "wasm-attention/variants";
import { bitsOf, engine, randomTensor, variants } from "./engines";

for (const variant of variants) {
  test(`latents: values are the first numbers of their keys, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const { used } = one.memory;
    for (const [batch, heads, rows, keys, depth, size] of [
      [2, 4, 70, 150, 24, 16],
      [1, 16, 1, 300, 36, 32],
      [1, 3, 5, 0, 8, 8],
      [1, 2, 3, 9, 7, 1],
    ]) {
      const query = randomTensor([batch, heads, rows, depth], 1);
      const latent = randomTensor([batch, 1, keys, depth], 2);
      const value = tensor(
        latent.data.filter((_, at) => at % depth < size),
        [batch, 1, keys, size],
      );
      const asks: AttendOptions[] = [
        {},
        { causal: "lower-right", logSumExp: true },
        { normalizer: entmax15 },
      ];
      for (const options of asks) {
        const want = bitsOf(one.attend(query, latent, value, options));
        const asked = { ...options, valueSize: size };
        assert.deepEqual(bitsOf(attendLatent(one, query, latent, asked)), want);
        assert.deepEqual(bitsOf(attendLatent(two, query, latent, asked)), want);
        assert.deepEqual(bitsOf(await attendLatentAsync(one, query, latent, asked)), want);
        using inside = one.allocate(latent.dims);
        inside.data.set(latent.data);
        assert.deepEqual(bitsOf(attendLatent(one, query, inside, asked)), want);
      }
    }
    // Two heads of latents side by side.
    const query = randomTensor([3, 4 * 6], 3);
    const latent = randomTensor([7, 2 * 6], 4);
    const value = tensor(
      latent.data.filter((_, at) => at % 6 < 5),
      [7, 2 * 5],
    );
    const sides = { layout: "BLE", heads: 4, keyValueHeads: 2 } as const;
    assert.deepEqual(
      attendLatent(one, query, latent, { ...sides, valueSize: 5 }),
      one.attend(query, latent, value, sides),
    );
    assert.equal(one.memory.used, used);
    two.dispose();
  });
}
