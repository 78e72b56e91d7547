// Packed sequences against attend on each alone: the same bits, whatever lies beside it.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type AttendOptions,
  attendPacked,
  type Mask,
  type PackedOptions,
  type ScoreOptions,
  type Tensor,
  tensor,
} from "wasm-attention";
import {
  type AttendState,
  attendBackward,
  attendPackedBackward,
  type BackwardOptions,
} from "wasm-attention/training";
import { random, randomArray, type Whole } from "../engines";

const length = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom(1, 63, 64, 65, 129));

export const packedProblems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  lengths: fc.array(fc.tuple(length, length), { maxLength: 5 }),
  keyValueHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 2 }),
  headSize: fc.constantFrom(1, 5, 16),
  valueSize: fc.constantFrom(1, 8, 9),
  sameLengths: fc.boolean(),
  causal: fc.constantFrom(undefined, true, "lower-right" as const),
  window: fc.constantFrom(undefined, { left: 3 }, { left: 0, right: 2 }),
  softcap: fc.constantFrom(undefined, 5),
  alibi: fc.boolean(),
  sinks: fc.boolean(),
  mask: fc.boolean(),
  padding: fc.boolean(),
  blockMask: fc.boolean(),
  scoreMod: fc.boolean(),
});

const cumulative = (lengths: number[]) => {
  const offsets = [0];
  for (const [b, n] of lengths.entries()) offsets.push(offsets[b] + n);
  return offsets;
};

const rows = ({ data, dims }: Tensor, from: number, to: number): Tensor => {
  const size = dims.slice(1).reduce((a, b) => a * b, 1);
  return tensor(data.slice(from * size, to * size), [to - from, ...dims.slice(1)]);
};

type Drawn = typeof packedProblems extends fc.Arbitrary<infer T> ? T : never;

export function checkPacked(attention: Whole, drawn: Drawn): void {
  const { keyValueHeads, headSize, valueSize, seed } = drawn;
  const heads = keyValueHeads * drawn.group;
  const queryLengths = drawn.lengths.map(([n]) => n);
  const keyLengths = drawn.sameLengths ? queryLengths : drawn.lengths.map(([, n]) => n);
  const [queries, keys] = [cumulative(queryLengths), cumulative(keyLengths)];
  const make = (count: number, h: number, d: number, offset: number) =>
    tensor(randomArray(count * h * d, seed + offset), [count, h, d]);
  const query = make(queries.at(-1) as number, heads, headSize, 0);
  const key = make(keys.at(-1) as number, keyValueHeads, headSize, 1);
  const value = make(keys.at(-1) as number, keyValueHeads, valueSize, 2);
  const [L, S] = [Math.max(0, ...queryLengths), Math.max(0, ...keyLengths)];
  const next = random(seed + 3);
  const masks = randomArray(drawn.lengths.length * L * S, seed + 4, 3);
  const maskOf = (b: number) => (i: number, j: number) => masks[(b * L + i) * S + j];
  const padding = Uint8Array.from({ length: drawn.lengths.length * S }, () =>
    next() < -0.5 ? 0 : 1,
  );
  // The mask alone, or in a list with the padding.
  const asked = (mask: Mask, padding: Mask) => {
    if (drawn.padding) return drawn.mask ? [mask, padding] : [padding];
    return drawn.mask ? mask : undefined;
  };
  const size = 16;
  const block = (count: number) => Math.ceil(count / size);
  const blocks = Uint8Array.from({ length: block(L) * block(S) }, () => (next() < 0.3 ? 0 : 1));
  const common: ScoreOptions = {
    causal: drawn.causal,
    window: drawn.window,
    softcap: drawn.softcap,
    alibi: drawn.alibi ? { slopes: randomArray(heads, seed + 5), distance: "signed" } : undefined,
    sinks: drawn.sinks ? randomArray(heads, seed + 6) : undefined,
  };
  const options: PackedOptions = {
    ...common,
    cumulativeQueries: queries,
    cumulativeKeys: drawn.sameLengths ? undefined : Int32Array.from(keys),
    logSumExp: true,
    mask: asked(
      { data: masks, dims: [drawn.lengths.length, 1, L, S] },
      { data: padding, dims: [drawn.lengths.length, 1, 1, S] },
    ),
    blockMask: drawn.blockMask
      ? { data: blocks, dims: [1, 1, block(L), block(S)], size }
      : undefined,
    scoreMod: drawn.scoreMod
      ? ({ scores, batch, query: i }) => {
          for (let n = 0; n < scores.length; n++) scores[n] += batch + i / 64;
        }
      : undefined,
  };
  const got = attendPacked(attention, query, key, value, options);
  assert.deepEqual(got.output.dims, [queries.at(-1), heads, valueSize]);
  assert.deepEqual(got.logSumExp?.dims, [heads, queries.at(-1)]);
  const gradient = make(queries.at(-1) as number, heads, valueSize, 7);
  const back = drawn.scoreMod
    ? undefined
    : attendPackedBackward(
        attention,
        { ...(got as AttendState), query, key, value, outputGradient: gradient },
        {
          ...options,
          out: undefined,
        },
      );
  for (const [b, [n, m]] of queryLengths.map((n, b) => [b, [n, keyLengths[b]]] as const)) {
    const at = maskOf(b);
    const inputs = [
      rows(query, queries[b], queries[b + 1]),
      rows(key, keys[b], keys[b + 1]),
      rows(value, keys[b], keys[b + 1]),
    ] as const;
    const aloneOptions: AttendOptions = {
      ...common,
      layout: "BLHD",
      logSumExp: true,
      mask: asked(
        {
          data: Float32Array.from({ length: n * m }, (_, k) => at(Math.floor(k / m), k % m)),
          dims: [n, m],
        },
        { data: padding.slice(b * S, b * S + m), dims: [m] },
      ),
      blockMask: drawn.blockMask
        ? {
            data: blocks.filter((_, k) => k % block(S) < block(m) && k < block(n) * block(S)),
            dims: [1, 1, block(n), block(m)],
            size,
          }
        : undefined,
      scoreMod: drawn.scoreMod
        ? ({ scores, query: i }) => {
            for (let k = 0; k < scores.length; k++) scores[k] += b + i / 64;
          }
        : undefined,
    };
    const alone = attention.attend(...inputs, aloneOptions);
    assert.deepEqual(rows(got.output, queries[b], queries[b + 1]), alone.output);
    if (back) {
      const backAlone = attendBackward(
        attention,
        {
          ...(alone as AttendState),
          query: inputs[0],
          key: inputs[1],
          value: inputs[2],
          outputGradient: rows(gradient, queries[b], queries[b + 1]),
        },
        aloneOptions as BackwardOptions,
      );
      const [q, k] = [[queries[b], queries[b + 1]] as const, [keys[b], keys[b + 1]] as const];
      assert.deepEqual(rows(back.queryGradient, ...q), backAlone.queryGradient);
      assert.deepEqual(rows(back.keyGradient, ...k), backAlone.keyGradient);
      assert.deepEqual(rows(back.valueGradient, ...k), backAlone.valueGradient);
    }
    for (let h = 0; h < heads; h++) {
      const first = h * query.dims[0] + queries[b];
      assert.deepEqual(
        got.logSumExp?.data.slice(first, first + n),
        alone.logSumExp?.data.slice(h * n, (h + 1) * n),
      );
    }
  }
}
