// Cases of caches: prompts in pieces, windows, forks, pages that are gathered and whole ones; and of those of
// few bits, which are the same in both builds.

import type { Tensor } from "wasm-attention";
import type { CacheOptions } from "wasm-attention/cache";
import { filled } from "./numbers";
import type { Operation, Results } from "./operations";
import type { Package, Whole } from "./package";

const [H, Hkv, D, Dv] = [4, 2, 32, 24];

/** A prompt of 150 tokens and one of 31, then five more of each; then a fork and others after a cut. */
function decoded(attention: Whole, wasm: Package, options: Partial<CacheOptions>): Results {
  const sizes = { keyValueHeads: Hkv, headSize: D, valueSize: Dv, sequences: 2 };
  using cache = wasm.createCache(attention, { ...sizes, ...options });
  const results: Tensor[] = [];
  let seed = 401;
  const take = (tokens: number, lengths: number[], sequences = [0, 1]) => {
    const batch = sequences.length;
    const [key, value] = [
      filled([batch, Hkv, tokens, D], seed),
      filled([batch, Hkv, tokens, Dv], ++seed),
    ];
    cache.append(key, value, { sequences, lengths });
    const query = filled([batch, H, tokens, D], ++seed);
    const asked = { sequences, queryLengths: lengths, logSumExp: true, softcap: 5 } as const;
    const { output, logSumExp } = cache.attend(query, asked);
    results.push(output, logSumExp);
  };
  take(150, [150, 31]);
  for (let token = 0; token < 5; token++) take(1, [1, 1]);
  const fork = cache.fork(0);
  cache.truncate(0, 153);
  take(7, [7, 3], [0, fork]);
  const { key, value } = cache.read(fork, { from: cache.length(fork) - 9 });
  return [...results, key, value];
}

const kinds: [name: string, options: Partial<CacheOptions>][] = [
  ["whole pages", {}],
  ["gathered pages", { pageSize: 24 }],
  ["rotary embeddings", { rotary: { base: 500 } }],
  ["a window and sinks", { window: 40, sinks: 3, pageSize: 16 }],
];

export const caches: Operation[] = [
  ...kinds.map(
    ([name, options]): Operation => [
      `cache, ${name}`,
      (attention, wasm) => decoded(attention, wasm, options),
    ],
  ),
  [
    "attendPaged",
    (attention, wasm) => {
      const [query, pages] = [filled([2, H, 3, D], 431), filled([5, 16, Hkv, D], 432)];
      const options = { blockTable: [4, 1, 0, 2, 3, 3], lengths: [40, 17], valueSize: Dv };
      return [wasm.attendPaged(attention, query, pages, undefined, options).output];
    },
  ],
];

/** A prompt in pieces, spans that are merged, and options whose functions have multiply-adds elsewhere. */
function stored(attention: Whole, wasm: Package, options: Partial<CacheOptions>): Results {
  const sizes = { keyValueHeads: 2, headSize: 40, valueSize: 24 };
  using cache = wasm.createCache(attention, { ...sizes, ...options });
  const results: Tensor[] = [];
  let seed = 451;
  for (const tokens of [3, 4200, 1, 66]) {
    const [key, value] = [filled([1, 2, tokens, 40], seed), filled([1, 2, tokens, 24], ++seed)];
    cache.append(key, value);
    const last = Math.min(tokens, 66);
    const query = filled([1, 4, last, 40], ++seed);
    const alibi = { slopes: [0, 0.01, 0.1, 1] };
    const { output, logSumExp } = cache.attend(query, { softcap: 9, alibi, logSumExp: true });
    const { weights } = cache.attend(query, { softcap: 9, weights: "mean", window: { left: 70 } });
    results.push(output, logSumExp, weights);
  }
  const { key, value } = cache.read(0, { from: 4190, to: 4210 });
  return [...results, key, value];
}

export const storedCaches: Operation[] = (["int16", "int8", "int4"] as const).flatMap((numbers) =>
  [128, 100].map(
    (pageSize): Operation => [
      `cache of ${numbers}, pages of ${pageSize}`,
      (attention, wasm) => stored(attention, wasm, { numbers, pageSize }),
    ],
  ),
);
