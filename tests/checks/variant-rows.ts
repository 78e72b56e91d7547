// Drawn problems of entmax, monotonicAttention and causalConv, row by row, against float64 from their formulas.

import assert from "node:assert/strict";
import fc from "fast-check";
import { tensor } from "wasm-attention";
import {
  alphaEntmax,
  alphaNormmax,
  budget,
  causalConv,
  entmax,
  monotonicAttention,
} from "wasm-attention/variants";
import { randomArray, randomTensor, type Whole } from "../engines";
import { shareOfDraws } from "../reference";
import { budgetRow, normmaxRow } from "../reference-sparse";
import { convRow, entmaxNaive, entmaxRow, monotonicRow, type Round } from "../reference-variants";

const MOST_DRAWS = 32;
const size = (max: number) => fc.integer({ min: 1, max });

export const rowwise = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  rows: size(4),
  columns: fc.constantFrom(1, 2, 3, 8, 31, 129, 300),
  kind: fc.constantFrom(
    "entmax" as const,
    "entmax" as const,
    "normmax" as const,
    "budget" as const,
  ),
  alpha: fc.constantFrom(1.0625, 1.25, 1.5, 1.5, 2, 2, 3, 8),
  amplitude: fc.constantFrom(0.1, 1, 10, 1000),
  hidden: fc.boolean(),
  sharp: fc.constantFrom(0, 1, 1e-6),
  taps: size(5),
  silu: fc.boolean(),
});

/** What makes a normalizer of α, and a row of weights in float64 and as one would write it in float32. */
const forms = {
  entmax: { make: alphaEntmax, row: entmaxRow, naive: entmaxNaive, most: 8 },
  // Above 2 a weight rises steeply from 0, and with it an error.
  normmax: {
    ...{ make: alphaNormmax, row: normmaxRow, most: 2 },
    naive: (x: readonly number[], alpha: number) => normmaxRow(x, alpha, Math.fround),
  },
  budget: {
    ...{ make: budget, row: budgetRow, most: 8 },
    naive: (x: readonly number[], alpha: number) => budgetRow(x, alpha, Math.fround),
  },
} as const;

type Drawn = typeof rowwise extends fc.Arbitrary<infer T> ? T : never;

export function checkRowwise(attention: Whole, drawn: Drawn): void {
  const { rows, columns, seed, amplitude } = drawn;
  const x = randomArray(rows * columns, seed, amplitude);
  if (drawn.hidden) x.fill(-Infinity, 0, columns >> 1);
  const list = Array.from({ length: rows }, (_, i) =>
    Array.from(x.subarray(i * columns, (i + 1) * columns)),
  );
  const { make, row: weigh, naive: rough, most } = forms[drawn.kind];
  const alpha = Math.min(drawn.alpha, most);
  const near = (k: number) =>
    k >= MOST_DRAWS
      ? undefined
      : list.flatMap((row) => {
          const moved = row.map((value) => Math.fround(value * (1 + k * 2 ** -18)));
          const [naive, exactly] = [rough(moved, alpha), weigh(moved, alpha)];
          return weigh(row, alpha).map((p, i) => p + (naive[i] - exactly[i]));
        });
  const p = entmax(attention, tensor(x, [rows, columns]), { normalizer: make(alpha) });
  const want = list.flatMap((row) => weigh(row, alpha));
  const share = shareOfDraws(p.data, want, near, (one) => one);
  assert.ok(share <= 1, `${drawn.kind}: ${share} of the tolerance`);

  const chances = randomArray(rows * columns, seed + 1).map((u) => {
    const inside = (u + 1) / 2;
    return drawn.sharp ? (u > 0 ? 1 - drawn.sharp * inside : drawn.sharp * inside) : inside;
  });
  const steps = Array.from({ length: rows }, (_, i) =>
    Array.from(chances.subarray(i * columns, (i + 1) * columns)),
  );
  const first = Array.from({ length: columns }, (_, j) => (j ? 0 : 1));
  const aligned = monotonicAttention(attention, tensor(chances, [rows, columns]));
  for (const [i, a] of monotonicRow(steps, first, columns).flat().entries())
    assert.ok(
      Math.abs(aligned.data[i] - a) <= 2e-7 * rows,
      `alignment: ${aligned.data[i]} for ${a}`,
    );

  const signal = randomTensor([1, rows, columns], seed + 2, 3);
  const weight = randomTensor([rows, drawn.taps], seed + 3);
  const activation = drawn.silu ? ("silu" as const) : undefined;
  const convolved = causalConv(attention, signal, weight, { activation });
  const truth = (k: number, round?: Round) =>
    Array.from({ length: rows }, (_, c) =>
      convRow(
        signal.data
          .subarray(c * columns, (c + 1) * columns)
          .map((value) => value * (1 + k * 2 ** -18)),
        weight.data.subarray(c * drawn.taps, (c + 1) * drawn.taps),
        new Float32Array(drawn.taps - 1),
        { bias: 0, silu: drawn.silu },
        round,
      ),
    ).flat();
  const exactly = truth(0);
  const naive = (k: number) => {
    if (k >= MOST_DRAWS) return undefined;
    const [rounded, moved] = [truth(k, Math.fround), truth(k)];
    return exactly.map((y, i) => y + (rounded[i] - moved[i]));
  };
  const of = shareOfDraws(convolved.output.data, exactly, naive, (one) => one);
  assert.ok(of <= 1, `causalConv: ${of} of the tolerance`);
}
