// relu, gelu, silu, their gated forms and their slopes against float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { prepareLinear, tensor } from "wasm-attention";
import { activate, activateBackward, fusedLinear } from "wasm-attention/blocks";
import { engine, randomArray, randomTensor, variants } from "./engines";
import { shareOfTolerance, ulp } from "./reference";
import { activations, differences } from "./reference-blocks";
import { linear as product } from "./reference-linear";

const { fround } = Math;
const names = Object.keys(activations) as (keyof typeof activations)[];
const special = [0, -0, 1, -1, NaN, Infinity, -Infinity, 1e-40, 1e30, -1e30, 14, -14, 120, -120];
/** From −30 to 30, with every size of float32 near 0. */
const line = Float32Array.from([
  ...special,
  ...Array.from({ length: 6001 }, (_, i) => (i - 3000) / 100),
  ...Array.from({ length: 60 }, (_, i) => (i % 2 ? -1 : 1) * 2 ** -i),
]);

for (const variant of variants) {
  for (const name of names) {
    test(`${name} and its slope, alone and as a gate, ${variant}`, async () => {
      const attention = await engine(variant);
      const { of, slope, share, exponent, naive } = activations[name];
      const x = tensor(line, [line.length]);
      const ones = tensor(new Float32Array(line.length).fill(1), x.dims);
      const y = activate(attention, x, name).data;
      const dx = activateBackward(attention, ones, x, name).inputGradient.data;
      for (const [i, value] of line.entries()) {
        const pairs = [
          ["", y, of(value), naive.of(value), 0],
          ["′", dx, slope(value), naive.slope(value), share(value)],
        ] as const;
        for (const [what, got, want, rounded, reach] of pairs) {
          const error = Math.abs(rounded - want);
          const allowed =
            2 * (Number.isFinite(error) ? error : 0) +
            (4 + Math.min(exponent(value), 100)) * ulp(Math.max(Math.abs(want), Math.abs(reach))) +
            2 ** -119;
          const right = Object.is(got[i] + 0, want + 0) || Math.abs(got[i] - want) <= allowed;
          assert.ok(right, `${name}${what}(${value}) = ${got[i]}, not ${want}`);
        }
      }
      for (const count of [0, 1, 2, 3, 4, 5, 7, 63, 16383, 16384, 16385, 40000]) {
        const [a, g, dy] = [1, 2, 3].map((seed) => randomTensor([count], seed, 3));
        const near = (
          got: Float32Array | undefined,
          exactly: (i: number) => number,
          rounded: (i: number) => number,
        ) => {
          assert.ok(got);
          const [want, draw] = [exactly, rounded].map((each) =>
            Float64Array.from({ length: count }, (_, i) => each(i)),
          );
          const worst = shareOfTolerance(got, want, [draw]);
          assert.ok(worst <= 1, `${count} elements: ${worst} of the tolerance`);
        };
        near(
          activate(attention, a, name).data,
          (i) => of(a.data[i]),
          (i) => naive.of(a.data[i]),
        );
        near(
          activate(attention, a, name, { gate: g }).data,
          (i) => a.data[i] * of(g.data[i]),
          (i) => fround(a.data[i] * naive.of(g.data[i])),
        );
        const back = activateBackward(attention, dy, a, name, { gate: g });
        near(
          back.inputGradient.data,
          (i) => dy.data[i] * of(g.data[i]),
          (i) => fround(dy.data[i] * naive.of(g.data[i])),
        );
        near(
          back.gateGradient?.data,
          (i) => dy.data[i] * a.data[i] * slope(g.data[i]),
          (i) => fround(fround(dy.data[i] * a.data[i]) * naive.slope(g.data[i])),
        );
      }
    });
  }
}

test("the references' slopes are their differences", () => {
  const x = Float64Array.from(randomArray(24, 1, 4));
  const ones = x.map(() => 1);
  for (const { of, slope } of Object.values(activations)) {
    const want = differences((moved) => moved.map((value) => of(value)), x, ones);
    for (const [i, value] of x.entries()) assert.ok(Math.abs(slope(value) - want[i]) < 1e-8);
  }
});

test("a product's reference holds through the fused one", async () => {
  const attention = await engine("portable");
  const [rows, depth, columns] = [65, 70, 33];
  const [a, w, b] = [rows * depth, depth * columns, columns].map((n) => randomArray(n, n));
  const matrix = tensor(w, [depth, columns]);
  using prepared = prepareLinear(attention, matrix, { order: "in,out", bias: b });
  const x = tensor(a, [rows, depth]);
  const got = fusedLinear(attention, x, prepared, { activation: "gelu" });
  const want = product(a, w, b, rows, depth, columns);
  const naive = product(a, w, b, rows, depth, columns, fround);
  const share = shareOfTolerance(got.data, Float64Array.from(want, activations.gelu.of), [
    Float64Array.from(naive, activations.gelu.naive.of),
  ]);
  assert.ok(share <= 1, `${share} of the tolerance`);
});
