// One query over a cache beside our own attend over plain tensors of the same keys and values, and a token
// appended after some beside one appended to an empty cache; turn by turn.

import { type AllocatedTensor, type Attention, tensor } from "wasm-attention";
import { type CacheNumbers, createCache } from "wasm-attention/cache";
import { random } from "./cases";
import { paired } from "./paired";
import type { Case } from "./peers/peer";
import type { Report } from "./rows";

const kinds: readonly CacheNumbers[] = ["float32", "int16", "int8", "int4"];

export const cacheCases: readonly Case[] = [16384, 1024].map((n) => ({
  ...{ heads: 12, n, d: 64, queries: 1, causal: false },
}));

/** Tokens there are before one is appended. */
export const appendCases: readonly Case[] = [10_000].map((n) => ({
  ...{ heads: 12, n, d: 64, queries: 1, causal: false },
}));

/** Tokens appended at a time, by which caches are filled. */
const PIECE = 1024;

export async function benchCache(
  attention: Attention<"cache">,
  c: Case,
  report: Report,
): Promise<void> {
  const { heads, n, d } = c;
  const allocated: AllocatedTensor[] = [];
  const allocate = (L: number, seed: number) => {
    const made = attention.allocate([1, heads, L, d]);
    made.data.set(random(heads * L * d + seed).subarray(seed));
    allocated.push(made);
    return made;
  };
  const [query, key, value] = [allocate(1, 1), allocate(n, 2), allocate(n, 3)];
  const out = allocate(1, 0);
  const plain = () => void attention.attend(query, key, value, { out });
  const place = "allocated";
  try {
    for (const numbers of kinds) {
      using cache = createCache(attention, { keyValueHeads: heads, headSize: d, numbers });
      for (let from = 0; from < n; from += PIECE)
        cache.append(part(key, from, PIECE), part(value, from, PIECE));
      const facts = { op: `decode ${numbers}`, build: attention.variant, ...c, place };
      const pair = await paired(() => void cache.attend(query, { out }), plain);
      report({ ...facts, threads: attention.threads, peer: "plain tensors", ...pair });
    }
  } finally {
    for (const made of allocated) made.dispose();
  }
}

export async function benchAppend(
  attention: Attention<"cache">,
  c: Case,
  report: Report,
): Promise<void> {
  const { heads, n, d } = c;
  const dims = [1, heads, 1, d];
  const [key, value] = [attention.allocate(dims), attention.allocate(dims)];
  for (const [seed, x] of [key, value].entries())
    x.data.set(random(heads * d + seed).subarray(seed));
  for (const numbers of kinds) {
    const sizes = { keyValueHeads: heads, headSize: d, numbers };
    using full = createCache(attention, sizes);
    using empty = createCache(attention, sizes);
    for (let token = 0; token < n; token++) full.append(key, value);
    const once = (cache: typeof full, length: number) => () => {
      cache.append(key, value);
      cache.truncate(0, length);
    };
    const facts = { op: `append ${numbers}`, build: attention.variant, ...c, place: "allocated" };
    const pair = await paired(once(full, n), once(empty, 0));
    report({ ...facts, threads: 1, peer: "the first", ...pair });
  }
  key.dispose();
  value.dispose();
}

/** Tokens [from, from + L) of [1, H, S, D]. */
function part({ data, dims }: AllocatedTensor, from: number, L: number) {
  const [, H, S, D] = dims;
  const joined = new Float32Array(H * L * D);
  for (let h = 0; h < H; h++)
    joined.set(data.subarray((h * S + from) * D, (h * S + from + L) * D), h * L * D);
  return tensor(joined, [1, H, L, D]);
}
