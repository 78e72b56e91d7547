// Seeded random problems over every option of attend at once.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { AttendOptions, Layout, ScoreTile } from "wasm-attention";
import { random, randomArray } from "../engines";
import { dropoutFactors } from "../philox";
import type { Problem } from "../reference";
import { buffers } from "./buffers";
import { type DrawnMask, drawnMask, poseMask } from "./masks";

const sizes = fc.constantFrom<number>(1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31);
const lengths = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 20 }) },
  fc.constantFrom(63, 64, 65, 67, 127, 128, 129, 131, 257),
);
const headSizes = fc.oneof(sizes, fc.constantFrom<number>(32, 63, 64, 65, 72));

/** Problems of every shape and option at once, by a seed. */
export const problems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 3 }),
  keyValueHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  queries: lengths,
  keys: lengths,
  headSize: headSizes,
  valueSize: headSizes,
  amplitude: fc.constantFrom(0, 1e-3, 1, 1, 1, 10, 1e4),
  layout: fc.constantFrom<Layout>("BHLD", "BLHD", "BLE"),
  rank: fc.constantFrom(4, 4, 3, 2),
  scale: fc.constantFrom(undefined, undefined, 1, 0.3, 0, -0.5),
  causal: fc.constantFrom(undefined, true, "upper-left" as const, "lower-right" as const),
  offset: fc.constantFrom(undefined, "one" as const, "each" as const),
  masks: fc.oneof(
    { weight: 2, arbitrary: fc.constant<DrawnMask[]>([]) },
    { weight: 2, arbitrary: fc.array(drawnMask, { minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.array(drawnMask, { minLength: 2, maxLength: 4 }) },
  ),
  listed: fc.boolean(),
  density: fc.constantFrom(0, 0.02, 0.5, 0.9, 1),
  keyLengths: fc.boolean(),
  queryLengths: fc.boolean(),
  window: fc.constantFrom<AttendOptions["window"]>(
    undefined,
    undefined,
    {},
    { left: 0 },
    { left: 3, right: 1 },
    {
      left: 100,
    },
    { right: 2 },
    { left: 1, right: 150 },
  ),
  softcap: fc.constantFrom(undefined, undefined, 0, 0.5, 30),
  alibi: fc.constantFrom(
    undefined,
    undefined,
    "default" as const,
    "absolute" as const,
    "signed" as const,
    "key" as const,
  ),
  slopesPerBatch: fc.boolean(),
  sinks: fc.constantFrom("none", "none", "some", "large"),
  blockSize: fc.constantFrom(0, 0, 1, 3, 16, 64, 128, 200),
  blocksPerHead: fc.boolean(),
  modified: fc.constantFrom(false, false, true),
  dropout: fc.constantFrom(0, 0, 0, 0.1, 0.5, 0.9),
  weights: fc.constantFrom(undefined, true, "mean" as const),
  scores: fc.constantFrom(
    undefined,
    undefined,
    "raw" as const,
    "capped" as const,
    "biased" as const,
    "probabilities" as const,
  ),
  logSumExp: fc.boolean(),
  poison: fc.constantFrom(undefined, NaN, Infinity),
  allocated: fc.boolean(),
  buffers,
  out: fc.constantFrom("none", "plain", "allocated", "query"),
});
export type Drawn = typeof problems extends fc.Arbitrary<infer T> ? T : never;

/** [B, H, rows, size] ↔ the layout; both are their own permutation of the same elements. */
export function arrange(
  data: Float32Array,
  heads: number,
  rows: number,
  size: number,
  layout: Layout,
) {
  if (layout === "BHLD") return data;
  const result = new Float32Array(data.length);
  const batch = data.length / (heads * rows * size);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < rows; i++)
        for (let d = 0; d < size; d++)
          result[((b * rows + i) * heads + h) * size + d] =
            data[((b * heads + h) * rows + i) * size + d];
  return result;
}

export function dimsOf(
  layout: Layout,
  rank: number,
  b: number,
  h: number,
  rows: number,
  size: number,
) {
  const full = { BHLD: [b, h, rows, size], BLHD: [b, rows, h, size], BLE: [b, rows, h * size] };
  if (layout === "BLE") return full.BLE.slice(rank >= 4 ? 0 : 1);
  return rank === 2 ? [rows, size] : full[layout].slice(4 - rank);
}

/** The problem as the reference reads it, and the options that say it to attend. */
export function pose(drawn: Drawn): { problem: Problem; options: AttendOptions } {
  const { layout, rank, queries, keys, headSize, valueSize } = drawn;
  const unbatched = rank < 4;
  const batch = unbatched ? 1 : drawn.batch;
  const oneHead = rank === 2 && layout !== "BLE";
  const keyValueHeads = oneHead ? 1 : drawn.keyValueHeads;
  const heads = oneHead ? 1 : keyValueHeads * drawn.group;
  const next = random(drawn.seed + 7);
  const integer = (most: number) => Math.floor(((next() + 1) / 2) * (most + 1));
  const each = (most: number) => Array.from({ length: batch }, () => integer(most));

  const query = randomArray(batch * heads * queries * headSize, drawn.seed, drawn.amplitude);
  const key = randomArray(batch * keyValueHeads * keys * headSize, drawn.seed + 1, 2);
  const value = randomArray(batch * keyValueHeads * keys * valueSize, drawn.seed + 2);
  const keyLengths = drawn.keyLengths ? each(keys) : undefined;
  const queryLengths = drawn.queryLengths ? each(queries) : undefined;
  const offsets = each(keys).map((offset) => offset - integer(queries));
  const queryOffset =
    drawn.causal === "lower-right" || !drawn.offset
      ? undefined
      : drawn.offset === "one"
        ? offsets[0]
        : offsets;
  const position = (b: number) => {
    if (drawn.causal === "lower-right")
      return (keyLengths?.[b] ?? keys) - (queryLengths?.[b] ?? queries);
    return queryOffset === undefined ? 0 : drawn.offset === "one" ? offsets[0] : offsets[b];
  };

  const chance = () => (next() + 1) / 2 < drawn.density;
  const full = [batch, heads, queries, keys];
  const masks = drawn.masks.map((mask) => poseMask(mask, full, drawn.density, next));
  const given = masks.map(({ mask }) => mask);
  const [bias, ...further] = masks.map((mask) => mask.bias);
  const present = (b: number, i: number, j: number) =>
    i < (queryLengths?.[b] ?? queries) && j < (keyLengths?.[b] ?? keys);

  const { blockSize } = drawn;
  const blockDims = [1, drawn.blocksPerHead ? heads : 1, queries, keys].map((size, axis) =>
    axis < 2 ? size : Math.ceil(size / blockSize),
  );
  const blocks = blockSize
    ? Uint8Array.from({ length: blockDims.reduce((a, b) => a * b, 1) }, () => (chance() ? 1 : 0))
    : undefined;
  const block = (h: number, i: number, j: number) => {
    const matrix = (drawn.blocksPerHead ? h : 0) * blockDims[2];
    return blocks?.[
      (matrix + Math.floor(i / blockSize)) * blockDims[3] + Math.floor(j / blockSize)
    ];
  };
  const slopes = Float32Array.from({ length: drawn.slopesPerBatch ? batch * heads : heads }, next);
  const distance = (b: number, i: number, j: number) => {
    const place = position(b) + i;
    const { signed, key, absolute } = {
      signed: j - place,
      key: j,
      absolute: -Math.abs(place - j),
    };
    return drawn.alibi === "signed" ? signed : drawn.alibi === "key" ? key : absolute;
  };
  const alibi = (b: number, h: number, i: number, j: number) =>
    slopes[drawn.slopesPerBatch ? b * heads + h : h] * distance(b, i, j);
  const sinks = Float32Array.from({ length: heads }, () =>
    next() < -0.5 ? -Infinity : next() * (drawn.sinks === "large" ? 1e4 : 2),
  );
  const modify = (score: number, b: number, h: number, i: number, j: number) =>
    score * 0.5 + (((b + 2 * h + 3 * i + 5 * j) % 7) - 3);

  const { left = Infinity, right = Infinity } = drawn.window ?? {};
  const visible = (b: number, h: number, i: number, j: number) =>
    present(b, i, j) &&
    (!drawn.causal || j <= position(b) + i) &&
    j >= position(b) + i - left &&
    j <= position(b) + i + right &&
    (!blocks || block(h, i, j) !== 0) &&
    masks.every((mask) => mask.takesPart(b, h, i, j));

  const problem: Problem = {
    batch,
    heads,
    keyValueHeads,
    queries,
    keys,
    headSize,
    valueSize,
    query,
    key,
    value,
    scale: drawn.scale ?? 1 / Math.sqrt(headSize),
    present,
    visible,
    bias: bias ?? (() => 0),
    further,
    ...(drawn.alibi && { alibi, distance }),
    ...(drawn.softcap && { softcap: drawn.softcap }),
    ...(drawn.modified && { modify }),
    ...(drawn.sinks !== "none" && { sinks }),
    ...(drawn.dropout && { dropout: dropoutFactors(drawn.dropout, drawn.seed, heads) }),
  };
  if (drawn.poison !== undefined) poison(problem, drawn.poison);
  const options: AttendOptions = {
    layout,
    ...(layout === "BLE" && { heads, keyValueHeads }),
    scale: drawn.scale,
    causal: drawn.causal,
    queryOffset,
    keyLengths,
    queryLengths,
    mask: drawn.listed || given.length > 1 ? given : given[0],
    window: drawn.window,
    softcap: drawn.softcap,
    alibi:
      drawn.alibi === undefined
        ? undefined
        : { slopes, distance: drawn.alibi === "default" ? undefined : drawn.alibi },
    sinks: drawn.sinks === "none" ? undefined : sinks,
    blockMask: blocks && { data: blocks, dims: blockDims, size: blockSize },
    scoreMod: drawn.modified ? modifying(modify) : undefined,
    dropout: drawn.dropout ? { probability: drawn.dropout, seed: drawn.seed } : undefined,
    weights: drawn.scores === "probabilities" && drawn.weights === "mean" ? true : drawn.weights,
    scores: drawn.scores,
    logSumExp: drawn.logSumExp,
  };
  return { problem, options };
}

/** The same change to a tile, as attend asks for it. */
function modifying(modify: NonNullable<Problem["modify"]>) {
  return ({ scores, batch, head, query, key, rows, columns }: ScoreTile) => {
    assert.equal(scores.length, rows * columns);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        scores[i * columns + j] = modify(scores[i * columns + j], batch, head, query + i, key + j);
  };
}

/** Puts `bad` into row `row`: all of it, or a single column, one after the other as rows follow. */
export function spoil(data: Float32Array, row: number, size: number, bad: number): void {
  const column = row % (size + 1);
  const from = row * size;
  data.fill(
    bad,
    column < size ? from + column : from,
    column < size ? from + column + 1 : from + size,
  );
}

/** Puts `bad` into every key and value that no query sees. */
function poison({ batch, heads, keyValueHeads, queries, keys, ...problem }: Problem, bad: number) {
  const group = heads / keyValueHeads;
  for (let b = 0; b < batch; b++)
    for (let head = 0; head < keyValueHeads; head++)
      for (let j = 0; j < keys; j++) {
        let seen = false;
        for (let h = head * group; h < (head + 1) * group && !seen; h++)
          for (let i = 0; i < queries && !seen; i++) seen = problem.visible(b, h, i, j);
        if (seen) continue;
        const row = (b * keyValueHeads + head) * keys + j;
        spoil(problem.key, row, problem.headSize, bad);
        spoil(problem.value, row, problem.valueSize, bad);
      }
}
