// rotate and the frequencies against their formulas in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { type FrequencyOptions, ropeFrequencies, rotate } from "wasm-attention/positions";
import { holds } from "./checks/property";
import { checkRotate, rotaryProblems } from "./checks/rotary";
import { engine, randomArray, variants } from "./engines";
import { ulp } from "./reference";

for (const variant of variants) {
  test(`rotate in every form, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(rotaryProblems, (drawn) => checkRotate(attention, drawn));
  });

  test(`scores of rotated rows depend on their distance alone, ${variant}`, async () => {
    const attention = await engine(variant);
    const [q, k] = [1, 2].map((seed) => tensor(randomArray(64, seed), [1, 64]));
    const dot = (i: number, j: number) => {
      const [a, b] = [
        rotate(attention, q, { positions: i }),
        rotate(attention, k, { positions: j }),
      ];
      return a.data.reduce((sum, x, d) => sum + x * b.data[d], 0);
    };
    for (const [i, j] of [
      [5, 2],
      [3, 0],
      [1003, 1000],
    ])
      assert.ok(Math.abs(dot(i, j) - dot(3, 0)) < 1e-3);
    assert.deepEqual(rotate(attention, q).data, q.data, "position 0 turns nothing");
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
      const { frequencies, attentionFactor } = ropeFrequencies(attention, options);
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

test("positions: one for each batch's first row, and sizes that may mean either are refused", async () => {
  const attention = await engine("portable");
  const [batch, heads, rows, size] = [3, 2, 4, 8];
  const x = tensor(randomArray(batch * heads * rows * size, 1), [batch, heads, rows, size]);
  const starts = [5, 0, -7];
  const each = starts.flatMap((start) => [0, 1, 2, 3].map((row) => start + row));
  assert.deepEqual(
    rotate(attention, x, { positions: starts }),
    rotate(attention, x, { positions: each }),
  );
  const sections = { sizes: [1, 3] };
  assert.deepEqual(
    rotate(attention, x, { positions: [...starts, 9, 9, 9], sections }),
    rotate(attention, x, { positions: [...each, ...each.map((_, k) => 9 + (k % rows))], sections }),
  );
  const square = tensor(x.data.slice(0, 3 * 3 * size), [3, 1, 3, size]);
  assert.throws(() => rotate(attention, square, { positions: starts }), {
    message:
      'rotate: "positions" expected [B, L] = 9 integers, as B = L = 3 leaves open which axis they follow, got [5, 0, -7]',
  });
  const whole = starts.flatMap((start) => [start, start + 1, start + 2]);
  assert.deepEqual(rotate(attention, square, { positions: whole }).dims, square.dims);
});

test("angles are exact to float32 up to 2²⁶, and refused past it", async () => {
  const attention = await engine("portable");
  const x = tensor(Float32Array.of(1, 0), [1, 2]);
  const turn = (frequency: number, positions = 1) =>
    rotate(attention, x, { frequencies: Float32Array.of(frequency), positions }).data;
  // In whole numbers: π to 59 decimals.
  const [pi, one] = [314159265358979323846264338327950288419716939937510582097494n, 10n ** 59n];
  for (let angle = 2 ** 26; angle > 2 ** 20; angle = Math.fround(Math.floor(angle * 0.97))) {
    const turned = Number((BigInt(angle) * one) % (2n * pi)) / 1e59;
    const [cosine, sine] = turn(angle);
    assert.ok(Math.abs(cosine - Math.cos(turned)) < 6e-8, `cosine of ${angle}`);
    assert.ok(Math.abs(sine - Math.sin(turned)) < 6e-8, `sine of ${angle}`);
  }
  const refused = (frequency: number, at: number) => {
    assert.throws(() => turn(frequency, at), {
      message: `rotate: "frequencies[0]" expected a frequency of angles up to 2²⁶ at position ${Math.abs(at)}, got ${frequency}`,
    });
  };
  refused(2 ** 26 + 8, 1);
  refused(8, 2 ** 24);
  refused(8, -(2 ** 24));
  for (const wrong of [NaN, Infinity, -Infinity]) for (const at of [0, 1]) refused(wrong, at);
});
