// rotate and the frequencies against their formulas in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type FrequencyOptions, type Layout, type RotateOptions, tensor } from "wasm-attention";
import { engine, randomArray, variants } from "./engines";
import { arrange, dimsOf } from "./problems";
import { shareOfTolerance, ulp } from "./reference";

const runs = Number(process.env.RUNS ?? 100);

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

const problems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 3 }),
  heads: fc.integer({ min: 1, max: 3 }),
  rows: fc.integer({ min: 0, max: 9 }),
  half: fc.integer({ min: 1, max: 12 }),
  rest: fc.integer({ min: 0, max: 5 }),
  layout: fc.constantFrom<Layout>("BHLD", "BLHD", "BLE"),
  rank: fc.constantFrom(4, 3, 2),
  pairing: fc.constantFrom(undefined, "half" as const, "interleaved" as const),
  positions: fc.constantFrom("none", "offset", "rows", "each"),
  table: fc.constantFrom("base", "default", "frequencies", "caches", "rows"),
  sections: fc.constantFrom(undefined, "blocks", "turns"),
  factor: fc.constantFrom(undefined, 0.5, 1.3),
  pass: fc.boolean(),
  out: fc.constantFrom("none", "plain", "x", "allocated"),
});

for (const variant of variants) {
  test(`rotate in every form, ${variant}`, async () => {
    const attention = await engine(variant);
    fc.assert(
      fc.property(problems, (drawn) => {
        const { rows, half: pairs, layout, rank, seed, pairing, table } = drawn;
        const batch = rank === 4 ? drawn.batch : 1;
        const heads = rank === 2 && layout !== "BLE" ? 1 : drawn.heads;
        const size = 2 * pairs + drawn.rest;
        const next = randomArray(1000, seed);
        const integer = (index: number, most: number) =>
          Math.floor(((next[index] + 1) / 2) * (most + 1));
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
        const count = axes * rows * (drawn.positions === "each" ? batch : 1);
        const ids = Array.from(
          { length: count },
          (_, k) => integer(200 + k, pass ? 2 * longest : longest - 1) - (pass ? 5 : 0),
        );
        const positionOf = (axis: number, b: number, i: number) => {
          if (table === "rows") return b * rows + i;
          if (drawn.positions === "none" || drawn.positions === "offset") return start + i;
          return drawn.positions === "each"
            ? ids[(axis * batch + b) * rows + i]
            : ids[axis * rows + i];
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
          const frequency =
            table === "frequencies" ? frequencies[p] : Math.fround(base ** (-p / pairs));
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
        const out =
          drawn.out === "none"
            ? undefined
            : drawn.out === "plain"
              ? new Float32Array(x.length)
              : input;
        const got = attention.rotate(input, { ...options, out });
        assert.deepEqual(got.dims, dims);
        if (out) assert.equal(got.data, out instanceof Float32Array ? out : out.data);
        const back = layout === "BHLD" ? got.data : arrange(got.data, rows, heads, size, "BLHD");
        const share = shareOfTolerance(back, truth, [naive]);
        assert.ok(share <= 1, `${share} of the tolerance`);
        allocated?.dispose();
        assert.equal(attention.memory.used, used);
      }),
      { numRuns: runs },
    );
  });

  test(`scores of rotated rows depend on their distance alone, ${variant}`, async () => {
    const attention = await engine(variant);
    const [q, k] = [1, 2].map((seed) => tensor(randomArray(64, seed), [1, 64]));
    const dot = (i: number, j: number) => {
      const [a, b] = [attention.rotate(q, { positions: i }), attention.rotate(k, { positions: j })];
      return a.data.reduce((sum, x, d) => sum + x * b.data[d], 0);
    };
    for (const [i, j] of [
      [5, 2],
      [3, 0],
      [1003, 1000],
    ])
      assert.ok(Math.abs(dot(i, j) - dot(3, 0)) < 1e-3);
    assert.deepEqual(attention.rotate(q).data, q.data, "position 0 turns nothing");
  });

  test(`rope frequencies and their scalings, ${variant}`, async () => {
    const attention = await engine(variant);
    const plain = (base: number, D: number) =>
      Array.from({ length: D / 2 }, (_, i) => base ** ((-2 * i) / D));
    const { PI, log, floor, ceil, min, max } = Math;
    const cases: [FrequencyOptions, number[], number][] = [];
    for (const [dimensions, base] of [
      [2, 10000],
      [64, 500000],
      [96, 10000],
      [128, 1000000],
    ]) {
      const f = plain(base, dimensions);
      const common = { dimensions, base };
      cases.push([common, f, 1]);
      cases.push([{ ...common, scaling: { type: "linear", factor: 3 } }, f.map((x) => x / 3), 1]);
      const original = 2048;
      for (const length of [100, 2048, 9000]) {
        const stretch = (4 * max(length, original)) / original - 3;
        const grown =
          dimensions > 2 ? plain(base * stretch ** (dimensions / (dimensions - 2)), dimensions) : f;
        cases.push([
          {
            ...common,
            scaling: {
              type: "dynamic",
              factor: 4,
              originalMaxPositionEmbeddings: original,
              length,
            },
          },
          grown,
          1,
        ]);
      }
      // Peng et al. 2023, section 3.4, as transformers computes it.
      for (const [betaFast, betaSlow, truncate] of [
        [32, 1, true],
        [16, 2, false],
      ] as const) {
        const pair = (turns: number) =>
          (dimensions * log(original / (turns * 2 * PI))) / (2 * log(base));
        const low = max(truncate ? floor(pair(betaFast)) : pair(betaFast), 0);
        const high = min(truncate ? ceil(pair(betaSlow)) : pair(betaSlow), dimensions - 1);
        const yarn = f.map((x, i) => {
          const ramp = min(max((i - low) / (high === low ? 0.001 : high - low), 0), 1);
          return (x / 8) * ramp + x * (1 - ramp);
        });
        const scaling = {
          type: "yarn",
          factor: 8,
          originalMaxPositionEmbeddings: original,
          betaFast,
          betaSlow,
          truncate,
        } as const;
        cases.push([{ ...common, scaling }, yarn, 0.1 * log(8) + 1]);
        cases.push([{ ...common, scaling: { ...scaling, attentionFactor: 0.7 } }, yarn, 0.7]);
        cases.push([
          { ...common, scaling: { ...scaling, mscale: 0.75, mscaleAllDim: 0.5 } },
          yarn,
          (0.075 * log(8) + 1) / (0.05 * log(8) + 1),
        ]);
      }
      // Llama 3.1's apply_scaling.
      const [lowFreqFactor, highFreqFactor] = [1, 4];
      const llama = f.map((x) => {
        const wavelength = (2 * PI) / x;
        if (wavelength < original / highFreqFactor) return x;
        if (wavelength > original / lowFreqFactor) return x / 8;
        const smooth = (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
        return ((1 - smooth) * x) / 8 + smooth * x;
      });
      cases.push([
        {
          ...common,
          scaling: {
            type: "llama3",
            factor: 8,
            originalMaxPositionEmbeddings: original,
            lowFreqFactor,
            highFreqFactor,
          },
        },
        llama,
        1,
      ]);
    }
    for (const [options, want, factor] of cases) {
      const { frequencies, attentionFactor } = attention.ropeFrequencies(options);
      assert.equal(frequencies.length, want.length);
      for (const [i, frequency] of want.entries())
        assert.ok(
          Math.abs(frequencies[i] - frequency) <= 2 * ulp(frequency),
          JSON.stringify(options),
        );
      assert.ok(Math.abs(attentionFactor - factor) < 1e-12);
    }
  });
}
