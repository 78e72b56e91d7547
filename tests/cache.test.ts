// Caches: the bits of one attend over all tokens, however they came; memory by pages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { createCache } from "wasm-attention/cache";
import { cacheProblems, checkCache, same } from "./checks/cache";
import { holds } from "./checks/property";
import { engine, randomArray, variants } from "./engines";

const rows = (heads: number, tokens: number, size: number, seed: number) =>
  tensor(randomArray(heads * tokens * size, seed), [1, heads, tokens, size]);

for (const variant of variants) {
  test(`random histories, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(cacheProblems, (drawn) => checkCache(attention, drawn), 150);
  });

  test(`prompts in pieces, pages of every size, long texts: ${variant}`, async () => {
    const attention = await engine(variant);
    const [heads, shared, size, S] = [4, 2, 64, 4500];
    const [q, k, v] = [rows(heads, S, size, 1), rows(shared, S, size, 2), rows(shared, S, size, 3)];
    const part = (x: { data: Float32Array; dims: readonly number[] }, from: number, to: number) => {
      const [, h, T, d] = x.dims as [number, number, number, number];
      const data = new Float32Array(h * (to - from) * d);
      for (let head = 0; head < h; head++) {
        const piece = x.data.subarray((head * T + from) * d, (head * T + to) * d);
        data.set(piece, head * (to - from) * d);
      }
      return tensor(data, [1, h, to - from, d]);
    };
    const want = attention.attend(q, k, v, { causal: true }).output;
    for (const pageSize of [16, 128, 200, 256]) {
      using cache = createCache(attention, { keyValueHeads: shared, headSize: size, pageSize });
      let from = 0;
      for (const L of [4100, 1, 64, 65, 1, 200, 69]) {
        cache.append(part(k, from, from + L), part(v, from, from + L));
        const { output } = cache.attend(part(q, from, from + L));
        same(output.data, part(want, from, from + L).data, `page ${pageSize}, from ${from}`);
        from += L;
      }
      assert.equal(cache.memory.pages, Math.ceil(S / pageSize));
    }
  });
}
