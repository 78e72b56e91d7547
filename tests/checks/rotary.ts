// rotate in every form against its formula in float64.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Attention, type Layout, type RotateOptions, tensor } from "wasm-attention";
import { randomArray } from "../engines";
import { shareOfTolerance } from "../reference";
import { arrange, dimsOf } from "./problems";

interface Turn {
  batch: number;
  heads: number;
  rows: number;
  size: number;
  pairs: number;
  interleaved: boolean;
  /** [B, H, rows, size] */
  x: Float32Array;
  /** Of pair p in row i of batch b, or undefined where it is copied. */
  angle(b: number, i: number, p: number): [cos: number, sin: number] | undefined;
}

/** x₀′ = x₀·cos − x₁·sin, x₁′ = x₁·cos + x₀·sin (Su et al. 2021, equation 34). */
function turned(turn: Turn, round: (x: number) => number = (x) => x): Float64Array {
  const { batch, heads, rows, size, pairs, interleaved } = turn;
  const result = Float64Array.from(turn.x);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < rows; i++)
        for (let p = 0; p < pairs; p++) {
          const angle = turn.angle(b, i, p);
          if (!angle) continue;
          const [cos, sin] = angle.map(round);
          const first = ((b * heads + h) * rows + i) * size;
          const [at, to] = interleaved ? [2 * p, 2 * p + 1] : [p, p + pairs];
          const [x, y] = [turn.x[first + at], turn.x[first + to]];
          result[first + at] = round(round(x * cos) - round(y * sin));
          result[first + to] = round(round(y * cos) + round(x * sin));
        }
  return result;
}

export const rotaryProblems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 3 }),
  heads: fc.integer({ min: 1, max: 3 }),
  rows: fc.integer({ min: 0, max: 9 }),
  half: fc.integer({ min: 1, max: 12 }),
  rest: fc.integer({ min: 0, max: 5 }),
  layout: fc.constantFrom<Layout>("BHLD", "BLHD", "BLE"),
  rank: fc.constantFrom(4, 3, 2),
  pairing: fc.constantFrom(undefined, "half" as const, "interleaved" as const),
  positions: fc.constantFrom("none", "offset", "rows", "firsts", "each"),
  table: fc.constantFrom("base", "default", "frequencies", "caches", "rows"),
  sections: fc.constantFrom(undefined, "blocks", "turns"),
  factor: fc.constantFrom(undefined, 0.5, 1.3),
  pass: fc.boolean(),
  out: fc.constantFrom("none", "plain", "x", "allocated"),
});

type Drawn = typeof rotaryProblems extends fc.Arbitrary<infer T> ? T : never;

export function checkRotate(attention: Attention, drawn: Drawn): void {
  const { rows, half: pairs, layout, rank, seed, pairing, table } = drawn;
  const batch = rank === 4 ? drawn.batch : 1;
  const heads = rank === 2 && layout !== "BLE" ? 1 : drawn.heads;
  const size = 2 * pairs + drawn.rest;
  const next = randomArray(1000, seed);
  const integer = (index: number, most: number) => Math.floor(((next[index] + 1) / 2) * (most + 1));
  const sizes = [0, 0, 0];
  if (drawn.sections) for (let p = 0; p < pairs; p++) sizes[integer(p, 2)]++;
  const axes = drawn.sections && table !== "rows" ? 3 : 1;
  const axisOf = (p: number) => {
    if (axes === 1) return 0;
    if (drawn.sections === "turns") return p < 3 * sizes[p % 3] ? p % 3 : 0;
    return p < sizes[0] ? 0 : p < sizes[0] + sizes[1] ? 1 : 2;
  };
  const longest = 20;
  const pass = table === "caches" && drawn.pass;
  const start = drawn.positions === "offset" ? integer(100, longest - rows) : 0;
  const firsts = drawn.positions === "firsts";
  const each = axes * batch * rows;
  const counts: Record<string, number> = { firsts: axes * batch, each };
  const count = counts[drawn.positions] ?? axes * rows;
  const last = longest - (firsts ? Math.max(rows, 1) : 1);
  const ids = Array.from(
    { length: count },
    (_, k) => integer(200 + k, pass ? 2 * longest : last) - (pass ? 5 : 0),
  );
  const positionOf = (axis: number, b: number, i: number) => {
    if (table === "rows") return b * rows + i;
    if (drawn.positions === "none" || drawn.positions === "offset") return start + i;
    // As many as there are rows and batches: one for each of both.
    if (count === each) return ids[(axis * batch + b) * rows + i];
    return firsts ? ids[axis * batch + b] + i : ids[axis * rows + i];
  };
  const cells = (table === "rows" ? batch * rows : longest) * pairs;
  const [cos, sin] = [randomArray(cells, seed + 1), randomArray(cells, seed + 2)];
  const frequencies = randomArray(pairs, seed + 3);
  const base = table === "default" ? 10000 : 77;
  const factor = drawn.factor ?? 1;
  const angle: Turn["angle"] = (b, i, p) => {
    const position = positionOf(axisOf(p), b, i);
    if (table === "caches" || table === "rows") {
      if (table === "caches" && (position < 0 || position >= longest)) return undefined;
      return [cos[position * pairs + p] * factor, sin[position * pairs + p] * factor];
    }
    const frequency = table === "frequencies" ? frequencies[p] : Math.fround(base ** (-p / pairs));
    // As the references do, the product is a float32.
    const radians = Math.fround(position * frequency);
    return [Math.cos(radians) * factor, Math.sin(radians) * factor];
  };
  const x = randomArray(batch * heads * rows * size, seed + 4);
  const turn = {
    batch,
    heads,
    rows,
    size,
    pairs,
    interleaved: pairing === "interleaved",
    x,
    angle,
  };
  const dims = dimsOf(layout, rank, batch, heads, rows, size);
  const cacheDims = table === "rows" ? [batch, rows, pairs] : [longest, pairs];
  const options: RotateOptions = {
    layout,
    ...(layout === "BLE" && { heads }),
    pairing,
    dimensions: drawn.rest || seed % 2 ? 2 * pairs : undefined,
    positions:
      table === "rows" || drawn.positions === "none"
        ? undefined
        : drawn.positions === "offset"
          ? start
          : ids,
    sections: axes > 1 ? { sizes, interleaved: drawn.sections === "turns" } : undefined,
    ...((table === "caches" || table === "rows") && {
      cos: tensor(cos, cacheDims),
      sin: tensor(sin, cacheDims),
    }),
    ...(table === "frequencies" && { frequencies }),
    ...(table === "base" && { base }),
    attentionFactor: drawn.factor,
    outOfRange: pass ? "pass" : undefined,
  };
  const { used } = attention.memory;
  const given = tensor(arrange(x, heads, rows, size, layout), dims);
  const allocated = drawn.out === "allocated" ? attention.allocate(dims) : undefined;
  allocated?.data.set(given.data);
  const input = allocated ?? given;
  const truth = turned(turn);
  const naive = turned(turn, Math.fround);
  // They may follow the batch or the rows: refused, and then said for each.
  if (options.positions === ids && batch === rows && count !== each) {
    const ambiguous = { name: "ArgumentError", argument: "positions" };
    assert.throws(() => attention.rotate(input, options), ambiguous);
    options.positions = Array.from({ length: each }, (_, index) => {
      const row = Math.floor(index / rows);
      return positionOf(Math.floor(row / batch), row % batch, index % rows);
    });
  }
  const out =
    drawn.out === "none" ? undefined : drawn.out === "plain" ? new Float32Array(x.length) : input;
  const got = attention.rotate(input, { ...options, out });
  assert.deepEqual(got.dims, dims);
  if (out) assert.equal(got.data, out instanceof Float32Array ? out : out.data);
  const back = layout === "BHLD" ? got.data : arrange(got.data, rows, heads, size, "BLHD");
  const share = shareOfTolerance(back, truth, [naive]);
  assert.ok(share <= 1, `${share} of the tolerance`);
  allocated?.dispose();
  assert.equal(attention.memory.used, used);
}
