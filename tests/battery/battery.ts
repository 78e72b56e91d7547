// Hundreds of calls on fixed inputs, and digests of every bit they return: run by every engine's tests on the
// built package. No Node modules here, nothing asynchronous at the top: it has to run in a service worker
// as in a server.

import type { AttentionOptions, Tensor, Variant } from "wasm-attention";
import { type AttendCase, attendCases } from "./attend";
import { blocks } from "./blocks";
import { caches, storedCaches } from "./caches";
import { digestOf, digestOfTexts } from "./digest";
import { GROUPS, type Group } from "./expected";
import { elements, filled } from "./numbers";
import { type Operation, operations } from "./operations";
import * as wasmAttention from "./package";
import { halfWeights, quantizedWeights } from "./quantized";
import { shards } from "./shards";
import { training } from "./training";
import { variants } from "./variants";

export interface Report {
  variant: Variant;
  fused: boolean;
  threads: number;
  threadsFallback: string | undefined;
  /** How many cases ran. */
  cases: number;
  /** SHA-256 over the digests of each group's cases. */
  digests: Partial<Record<Group, string>>;
  /** The first of each case's digest, to see which of two runs differ. */
  each: Record<string, string>;
  /** To the first result; null where the engine's clock stands still during a request. */
  coldStartMs: number | null;
}

const attend = (precision?: "int16" | "int8") =>
  attendCases.map((one, index) => attendOperation(one, index, precision));

/** The cases by what they show; `core` has what needs no extension but positions. */
const groups: Record<Group, readonly Operation[]> = {
  core: [...attend(), ...operations],
  training,
  caches,
  stored: storedCaches,
  blocks,
  quantized: quantizedWeights,
  halves: halfWeights,
  integers: attend("int16"),
  int8: attend("int8"),
  variants,
  shards,
};

/** One list of all operations, in every kind of call: memory that runs out is tried on it too. */
export const allCases: readonly Operation[] = Object.values(groups).flat();

/** Runs the cases of `parts` on an engine made with `options`. */
export async function runBattery(
  options: AttentionOptions = {},
  parts: readonly Group[] = GROUPS,
): Promise<Report> {
  const start = performance.now();
  const { blocks, cache, integers, positions, quantized, training, variants } = wasmAttention;
  const extensions = [blocks, cache, integers, positions, quantized, training, variants] as const;
  const attention = await wasmAttention.createAttention({ ...options, extensions });
  const x = filled([1, 1, 8, 16], 1);
  attention.attend(x, x, x);
  const coldStartMs = performance.now() - start;

  const each: Record<string, string> = {};
  const digests: Partial<Record<Group, string>> = {};
  for (const part of parts) {
    const cases = groups[part];
    for (const [name, run] of cases) {
      if (each[name]) throw new Error(`two cases are called ${name}`);
      const all = await run(attention, wasmAttention);
      const results = all.filter((result) => result !== undefined);
      if (results.length === 0) throw new Error(`${name} returned nothing`);
      each[name] = digestOf(results.map((result) => ("data" in result ? result.data : result)));
    }
    digests[part] = digestOfTexts(cases.map(([name]) => each[name] as string));
  }
  const { variant, fused, threads, threadsFallback } = attention;
  attention.dispose();
  return {
    variant,
    fused,
    threads,
    threadsFallback,
    cases: Object.keys(each).length,
    digests,
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
