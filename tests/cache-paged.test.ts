// attendPaged: pages of the caller's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AllocatedTensor, type Tensor, tensor } from "wasm-attention";
import { attendPaged } from "wasm-attention/cache";
import { same } from "./checks/cache";
import { engine, randomArray } from "./engines";

const rows = (heads: number, tokens: number, size: number, seed: number) =>
  tensor(randomArray(heads * tokens * size, seed), [1, heads, tokens, size]);

test("pages of the caller's own: every layout, any order, values inside of keys", async () => {
  const attention = await engine("portable");
  const [B, H, Hkv, D, Dv, L] = [3, 4, 2, 16, 12, 3];
  const lengths = [260, 5, 0];
  for (const [pageSize, byHead, latent, allocated] of [
    [16, false, false, false],
    [128, true, false, true],
    [128, false, true, false],
    [7, true, true, true],
  ] as const) {
    const columns = Math.ceil(260 / pageSize);
    const pages = columns + 4;
    const make = (dims: number[], seed: number) => {
      const count = dims.reduce((a, b) => a * b);
      const made = allocated ? attention.allocate(dims) : tensor(new Float32Array(count), dims);
      made.data.set(randomArray(count, seed));
      return made;
    };
    const axes = byHead ? [pages, Hkv, pageSize] : [pages, pageSize, Hkv];
    const keyPages = make([...axes, D], 1);
    const valuePages = latent ? undefined : make([...axes, Dv], 2);
    // The last pages first; entries past the lengths lead nowhere.
    const table = Array.from({ length: B * columns }, (_, at) => {
      const [b, i] = [Math.floor(at / columns), at % columns];
      return b === 0 ? pages - 1 - i : b === 1 && i === 0 ? 2 : -1;
    });
    const query = rows(H * B, L, D, 3);
    const q = tensor(query.data, [B, H, L, D]);
    const got = attendPaged(attention, q, keyPages, valuePages, {
      blockTable: table,
      lengths,
      pageLayout: byHead ? "HND" : undefined,
      valueSize: latent ? Dv : undefined,
      queryLengths: [3, 2, 0],
      logSumExp: true,
    });
    for (const [b, S] of lengths.entries()) {
      const plain = (from: Tensor, size: number, stored: number) => {
        const data = new Float32Array(Hkv * S * size);
        for (let h = 0; h < Hkv; h++) {
          for (let j = 0; j < S; j++) {
            const page = table[b * columns + Math.floor(j / pageSize)] as number;
            const row = j % pageSize;
            const index = byHead ? h * pageSize + row : row * Hkv + h;
            const at = (page * pageSize * Hkv + index) * stored;
            data.set(from.data.subarray(at, at + size), (h * S + j) * size);
          }
        }
        return tensor(data, [1, Hkv, S, size]);
      };
      const k = plain(keyPages, D, D);
      const v = valuePages ? plain(valuePages, Dv, Dv) : plain(keyPages, Dv, D);
      const own = tensor(q.data.slice(b * H * L * D, (b + 1) * H * L * D), [1, H, L, D]);
      const want = attention.attend(own, k, v, {
        causal: "lower-right",
        queryLengths: [[3, 2, 0][b] as number],
        logSumExp: true,
      });
      const size = H * L * Dv;
      same(got.output.data.slice(b * size, (b + 1) * size), want.output.data, `${pageSize}, ${b}`);
      const lse = got.logSumExp.data.slice(b * H * L, (b + 1) * H * L);
      same(lse, want.logSumExp.data, `logSumExp, ${pageSize}, ${b}`);
    }
    const refused = (argument: string, options: object, values?: Tensor) =>
      assert.throws(
        () =>
          attendPaged(attention, q, keyPages, values ?? valuePages, {
            blockTable: table,
            lengths,
            pageLayout: byHead ? "HND" : "NHD",
            valueSize: latent ? Dv : undefined,
            ...options,
          }),
        { argument },
      );
    refused("lengths[0]", { lengths: [columns * pageSize + 1, 0, 0] });
    refused("lengths", { lengths: [1, 2] });
    refused("blockTable[0]", { blockTable: table.map(() => pages) });
    refused("blockTable", { blockTable: [1, 2] });
    refused("pageLayout", { pageLayout: "DNH" });
    refused("causal", { causal: "upper-left" });
    refused("valuePages.dims", { valueSize: undefined }, tensor(new Float32Array(8), [1, 2, 2, 2]));
    if (latent) refused("valueSize", { valueSize: D + 1 });
    for (const made of [keyPages, valuePages]) (made as Partial<AllocatedTensor>)?.dispose?.();
  }
});
