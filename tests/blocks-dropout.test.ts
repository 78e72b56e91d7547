// dropout against Philox word by word.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { dropout, dropoutAsync } from "wasm-attention/blocks";
import { engine, randomTensor, variants } from "./engines";
import { philox } from "./philox";

for (const variant of variants) {
  test(`dropout drops what Philox says, ${variant}`, async () => {
    for (const threads of [1, 3]) {
      using attention = await engine(variant, { threads });
      for (const [count, probability, seed, stream] of [
        [0, 0.5, 1, 0],
        [1, 0.5, 2, 0],
        [3, 0.1, 2 ** 52 + 1, 1],
        [17, 0.9, 3, 2],
        [16385, 0.25, 4, 2 ** 31 - 1],
        [70000, 0.5, 5, 0],
      ]) {
        const [x, residual] = [randomTensor([count], 1), randomTensor([count], 2)];
        const factor = Math.fround(1 / (1 - probability));
        const key: [number, number] = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
        const want = new Float32Array(count);
        for (let e = 0; e < count; e += 4) {
          const words = philox([e >> 2, stream, 0, 1], key);
          for (const [lane, word] of words.entries()) {
            if (e + lane >= count) break;
            want[e + lane] =
              word < Math.floor(probability * 2 ** 32) ? 0 : x.data[e + lane] * factor;
          }
        }
        const plain = (data: Float32Array) => data.map((value) => value + 0);
        const options = { probability, seed, stream };
        assert.deepEqual(plain(dropout(attention, x, options).data), plain(want));
        assert.deepEqual(plain((await dropoutAsync(attention, x, options)).data), plain(want));
        assert.deepEqual(
          dropout(attention, x, { ...options, residual }).data,
          want.map((value, i) => value + residual.data[i]),
        );
      }
      const x = tensor(Float32Array.of(1, 2, 3), [3]);
      assert.deepEqual(dropout(attention, x, { probability: 0, seed: 0 }).data, x.data);
    }
  });
}
