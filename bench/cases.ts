// What is measured.

import {
  type Case,
  keyValueHeadsOf,
  type LayerCase,
  type LinearCase,
  queriesOf,
} from "./peers/peer";

const plain = (heads: number, n: number, d: number): Case => ({ heads, n, d, causal: false });
const both = (c: Case): Case[] => [c, { ...c, causal: true }];

const lengths = [128, 512, 1024, 2048, 4096, 8192];
export const small: Case = plain(8, 16, 8);

export const cases: readonly Case[] = [
  ...lengths.flatMap((n) => both(plain(12, n, 64))),
  plain(32, 1024, 128),
  ...both({ heads: 32, keyValueHeads: 8, n: 1024, d: 128, causal: false }),
];

/** One query over a cache: the tensors stay where they are between calls. */
export const decoding: readonly Case[] = [
  { ...plain(12, 1024, 64), queries: 1 },
  { ...plain(12, 16384, 64), queries: 1 },
];

/** Two threads against two copies. */
export const halved: readonly Case[] = [512, 1024, 2048].flatMap((n) => both(plain(12, n, 64)));

/** [m, k] × [k, columns]. */
export const linears: readonly LinearCase[] = [512, 1, 16, 64, 4096].map((m) => ({
  m,
  k: 768,
  columns: 768,
}));

export const layers: readonly LayerCase[] = [128, 512].map((n) => ({ n, heads: 12, d: 64 }));

export const memoryLengths = [512, 1024, 2048, 4096, 8192, 16384, 32768] as const;

/** Query and key pairs that are seen. */
export function scoresOf(c: Case): number {
  const { heads, n, causal } = c;
  return heads * (causal ? (n * (n + 1)) / 2 : queriesOf(c) * n);
}

/** Multiplications and additions of both products. */
export const operationsOf = (c: Case): number => 4 * scoresOf(c) * c.d;

/** Bytes of keys and values. */
export const readBytesOf = (c: Case): number => 2 * keyValueHeadsOf(c) * c.n * c.d * 4;

export function random(length: number, amplitude = 1): Float32Array<ArrayBuffer> {
  let state = length;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * amplitude;
  });
}
