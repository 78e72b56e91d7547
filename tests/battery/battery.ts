// More than a hundred calls on fixed inputs, and one digest of every bit they return: run by every engine's
// tests on the built package, which they hand over. No Node modules here, nothing asynchronous at the
// top: it has to run in a service worker as in a server.

import type { AttentionOptions, Tensor, Variant } from "wasm-attention";
import { type AttendCase, attendCases } from "./attend";
import { blocks as blockCases } from "./blocks";
import { caches, storedCaches } from "./caches";
import { digestOf, digestOfTexts } from "./digest";
import { elements, filled } from "./numbers";
import { type Operation, operations } from "./operations";
import type { Package } from "./package";
import { halfWeights, quantizedWeights } from "./quantized";
import { shards as shardCases } from "./shards";
import { training as trainingCases } from "./training";
import { variants as variantCases } from "./variants";

export interface Report {
  variant: Variant;
  fused: boolean;
  threads: number;
  threadsFallback: string | undefined;
  /** How many cases ran. */
  cases: number;
  /** SHA-256 over the digests of all cases but those named below. */
  digest: string;
  /** And over those. */
  trainingDigest: string;
  /** And over those of caches. */
  cacheDigest: string;
  /** And over those of few bits. */
  storedDigest: string;
  /** And over those of blocks. */
  blocksDigest: string;
  /** And over those of weights of few bits. */
  quantizedDigest: string;
  /** And over those of weights of 16 bits, multiplied in float32. */
  halvesDigest: string;
  /** And over those of attend in integers of 16 bits. */
  integersDigest: string;
  /** And of 8 bits. */
  int8Digest: string;
  /** And over those of variants. */
  variantsDigest: string;
  /** And over those of shards. */
  shardsDigest: string;
  /** The first of each case's digest, to see which of two runs differ. */
  each: Record<string, string>;
  /**
   * From `start` to the first result; null where the engine's clock stands still during a request.
   */
  coldStartMs: number | null;
}

/** Everything but training. */
const cases: readonly Operation[] = [
  ...attendCases.map((one, index) => attendOperation(one, index)),
  ...operations,
];

/** All of attend in integers of 16 and of 8 bits. */
const [integerCases, int8Cases] = (["int16", "int8"] as const).map((precision) =>
  attendCases.map((one, index) => attendOperation(one, index, precision)),
) as [Operation[], Operation[]];

/** One list of all operations, in every kind of call: memory that runs out is tried on it too. */
export const allCases: readonly Operation[] = [
  ...cases,
  ...trainingCases,
  ...caches,
  ...storedCaches,
  ...blockCases,
  ...quantizedWeights,
  ...halfWeights,
  ...integerCases,
  ...int8Cases,
  ...variantCases,
  ...shardCases,
];

/**
 * Runs all cases on an engine made with `options`. `start` is `performance.now()` of before the
 * package was imported, where that happened by `import()`; now, if left out. `parts`: "core" leaves out all
 * that has a digest of its own.
 */
export async function runBattery(
  wasmAttention: Package,
  options: AttentionOptions = {},
  start: number = performance.now(),
  parts: "all" | "core" = "all",
): Promise<Report> {
  const { blocks, cache, integers, positions, quantized, training, variants } = wasmAttention;
  const extensions = [blocks, cache, integers, positions, quantized, training, variants] as const;
  const attention = await wasmAttention.createAttention({ ...options, extensions });
  const x = filled([1, 1, 8, 16], 1);
  attention.attend(x, x, x);
  const coldStartMs = performance.now() - start;

  const each: Record<string, string> = {};
  const digestOfAll = async (cases: readonly Operation[]) => {
    for (const [name, run] of cases) {
      if (each[name]) throw new Error(`two cases are called ${name}`);
      const all = await run(attention, wasmAttention);
      const results = all.filter((result) => result !== undefined);
      if (results.length === 0) throw new Error(`${name} returned nothing`);
      each[name] = digestOf(results.map((result) => ("data" in result ? result.data : result)));
    }
    return digestOfTexts(cases.map(([name]) => each[name] as string));
  };
  const digestOfRest = async (cases: readonly Operation[]) =>
    parts === "all" ? await digestOfAll(cases) : "";
  const digest = await digestOfAll(cases);
  const trainingDigest = await digestOfRest(trainingCases);
  const cacheDigest = await digestOfRest(caches);
  const storedDigest = await digestOfRest(storedCaches);
  const blocksDigest = await digestOfRest(blockCases);
  const quantizedDigest = await digestOfRest(quantizedWeights);
  const halvesDigest = await digestOfRest(halfWeights);
  const integersDigest = await digestOfRest(integerCases);
  const int8Digest = await digestOfRest(int8Cases);
  const variantsDigest = await digestOfRest(variantCases);
  const shardsDigest = await digestOfRest(shardCases);
  const { variant, fused, threads, threadsFallback } = attention;
  attention.dispose();
  return {
    variant,
    fused,
    threads,
    threadsFallback,
    cases: Object.keys(each).length,
    digest,
    trainingDigest,
    cacheDigest,
    storedDigest,
    blocksDigest,
    quantizedDigest,
    halvesDigest,
    integersDigest,
    int8Digest,
    variantsDigest,
    shardsDigest,
    each: Object.fromEntries(Object.entries(each).map(([name, hash]) => [name, hash.slice(0, 12)])),
    coldStartMs: coldStartMs > 0 ? Math.round(coldStartMs * 10) / 10 : null,
  };
}

/** A case as a call, of float32 or of integers. */
export function attendOperation(
  [name, shape, options = {}]: AttendCase,
  index: number,
  precision?: "int16" | "int8",
): Operation {
  const { batch = 2, heads = 2, queries, keys = queries, size = 16, layout = "BHLD" } = shape;
  const { keyValueHeads = heads, valueSize = size, rank = 4, amplitude = 1, poisonedFrom } = shape;
  const place = (count: number, rows: number, length: number, seed: number) => {
    const dims = {
      BHLD: [batch, count, rows, length],
      BLHD: [batch, rows, count, length],
      BLE: [batch, rows, count * length],
    }[layout];
    const leftOut = rank === 2 ? 2 : 4 - rank;
    return filled(dims.slice(leftOut), 1000 + 10 * index + seed, amplitude);
  };
  const poison = ({ data, dims }: Tensor, length: number) => {
    if (poisonedFrom === undefined) return;
    const row = keys * length;
    for (let matrix = 0; matrix < elements(dims); matrix += row)
      data.fill(NaN, matrix + poisonedFrom * length, matrix + row);
  };
  const split = layout === "BLE" ? { layout, heads, keyValueHeads } : { layout };
  return [
    precision ? `${name}, ${precision}` : name,
    (attention, wasm) => {
      const [q, k, v] = [
        place(heads, queries, size, 1),
        place(keyValueHeads, keys, size, 2),
        place(keyValueHeads, keys, valueSize, 3),
      ];
      poison(k, size);
      poison(v, valueSize);
      const { output, weights, scores, logSumExp } = attention.attend(q, k, v, {
        ...split,
        ...options,
        ...(precision && { precision: wasm[precision] }),
      });
      return [output, weights, scores, logSumExp];
    },
  ];
}
