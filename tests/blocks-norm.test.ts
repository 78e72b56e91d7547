// layerNorm, rmsNorm, softmax and logSoftmax, forward and backward, against float64 at every kind of edge.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  layerNorm,
  layerNormBackward,
  logSoftmax,
  logSoftmaxBackward,
  type RmsNormOptions,
  rmsNorm,
  rmsNormBackward,
  softmax,
  softmaxBackward,
} from "wasm-attention/blocks";
import { engine, randomArray, variants, type Whole } from "./engines";
import { shareOfTolerance } from "./reference";
import {
  alongAxis,
  differences,
  type NormGiven,
  norm,
  normBackward,
  softmaxBackwardRow,
  softmaxRow,
} from "./reference-blocks";

/** 1, lanes and sixteens with their neighbours, primes, and rows that make an item alone. */
const columnCounts = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 127, 384, 4099, 16385];
const rowCounts = [0, 1, 2, 9];

type Form = (a: Whole, x: Tensor, options: RmsNormOptions) => { output: Tensor; sum?: Tensor };
const forms: Record<"layerNorm" | "rmsNorm", Form> = { layerNorm, rmsNorm };
const backwards = { layerNorm: layerNormBackward, rmsNorm: rmsNormBackward };

for (const variant of variants) {
  for (const name of ["layerNorm", "rmsNorm"] as const) {
    test(`${name} and its gradients at every edge, ${variant}`, async () => {
      const attention = await engine(variant);
      const { used } = attention.memory;
      for (const columns of columnCounts)
        for (const rows of rowCounts) {
          const [plain, added, dy, reaching] = [1, 2, 3, 4].map((seed) =>
            randomArray(rows * columns, seed + columns, seed === 1 ? 4 : 1),
          );
          const [weight, bias] = [5, 6].map((seed) => randomArray(columns, seed));
          const eps = rows === 2 ? 0.1 : 1e-5;
          const dims = [1, rows, columns];
          const residual = tensor(added, dims);
          const { output, sum } = forms[name](attention, tensor(plain, dims), {
            ...{ weight, bias, eps, residual },
          });
          assert.ok(sum);
          assert.deepEqual(output.dims, dims);
          assert.deepEqual(
            sum.data,
            plain.map((x, i) => x + added[i]),
          );
          const given: NormGiven = { columns, centred: name === "layerNorm", eps, weight, bias };
          const near = (
            what: string,
            got: Float32Array,
            of: (round?: typeof Math.fround) => Float64Array,
          ) => {
            const share = shareOfTolerance(got, of(), [of(Math.fround)]);
            assert.ok(share <= 1, `${what} of [${rows}, ${columns}]: ${share} of the tolerance`);
          };
          near("output", output.data, (round) => norm(sum.data, given, round));
          const own = forms[name](attention, sum, { eps }).output;
          const bare = { ...given, weight: undefined, bias: undefined };
          near("without weights", own.data, (round) => norm(sum.data, bare, round));

          const got = backwards[name](attention, tensor(dy, dims), sum, { weight, bias, eps });
          const want = (index: 0 | 1 | 2) => (round?: typeof Math.fround) =>
            normBackward(dy, sum.data, given, round)[index];
          near("inputGradient", got.inputGradient.data, want(0));
          assert.ok(got.weightGradient && got.biasGradient);
          near("weightGradient", got.weightGradient.data, want(1));
          near("biasGradient", got.biasGradient.data, want(2));
          const both = backwards[name](attention, tensor(dy, dims), sum, {
            ...{ weight, eps, sumGradient: tensor(reaching, dims) },
          });
          assert.equal(both.biasGradient, undefined);
          assert.deepEqual(
            both.inputGradient.data,
            got.inputGradient.data.map((x, i) => x + reaching[i]),
          );
        }
      assert.equal(attention.memory.used, used);
    });
  }

  test(`softmax and logSoftmax over any axis, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const sizes: [number, number, number][] = [
      ...columnCounts.flatMap((n): [number, number, number][] => [
        [2, n, 1],
        [1, n, 3],
      ]),
      ...[1, 2, 4, 5, 13, 64].map((inner): [number, number, number] => [3, 17, inner]),
      ...[
        [0, 3, 2],
        [3, 0, 2],
        [3, 2, 0],
        [5, 1, 7],
        [1, 5000, 9],
      ].map((dims) => dims as [number, number, number]),
    ];
    for (const dims of sizes)
      for (const logarithmic of [false, true]) {
        const count = dims[0] * dims[1] * dims[2];
        const [x, dy] = [randomArray(count, 1, 8), randomArray(count, 2)];
        const [forward, backward] = logarithmic
          ? [logSoftmax, logSoftmaxBackward]
          : [softmax, softmaxBackward];
        const y = forward(attention, tensor(x, dims), { axis: 1 });
        const of = (round?: typeof Math.fround) =>
          alongAxis([x], dims, ([line]) => softmaxRow(line, logarithmic, round));
        const share = shareOfTolerance(y.data, of(), [of(Math.fround)]);
        assert.ok(share <= 1, `[${dims}], ${logarithmic}: ${share} of the tolerance`);
        const dx = backward(attention, tensor(dy, dims), y, { axis: -2 });
        const back = (round?: typeof Math.fround) =>
          alongAxis([dy, y.data], dims, ([line, of]) =>
            softmaxBackwardRow(line, of, logarithmic, round),
          );
        const ofGradient = shareOfTolerance(dx.data, back(), [back(Math.fround)]);
        assert.ok(ofGradient <= 1, `gradient of [${dims}], ${logarithmic}: ${ofGradient}`);
      }
    assert.equal(attention.memory.used, used);
  });

  test(`rows of −∞, NaN, ∞ and huge numbers, ${variant}`, async () => {
    const attention = await engine(variant);
    const [inf, nan] = [Infinity, NaN];
    const rows = [
      [-inf, -inf, -inf, -inf, -inf],
      [-inf, 0, -inf, 1, -inf],
      [0, nan, 1, 2, 3],
      [0, inf, 1, -inf, 3],
      [1.6e38, 1.6e38, -1.6e38, 0, 1],
      [1e30, 1, 1, 1, 1],
      [-1e-40, 1e-40, 0, -0, 1e-45],
      [88, 89, -88, -104, -200],
    ];
    const x = tensor(Float32Array.from(rows.flat()), [rows.length, 5]);
    const turned = tensor(
      Float32Array.from(
        x.data,
        (_, i) => x.data[(i % rows.length) * 5 + Math.floor(i / rows.length)],
      ),
      [5, rows.length],
    );
    for (const [name, logarithmic] of [
      ["softmax", false],
      ["logSoftmax", true],
    ] as const) {
      const form = { softmax, logSoftmax }[name];
      const got = form(attention, x).data;
      const other = form(attention, turned, { axis: 0 }).data;
      for (const [i, row] of rows.entries()) {
        const singles = Array.from(x.data.subarray(i * 5, i * 5 + 5));
        const of = (round?: typeof Math.fround) => softmaxRow(singles, logarithmic, round);
        const columns = singles.map((_, j) => other[j * rows.length + i]);
        for (const data of [got.subarray(i * 5, i * 5 + 5), columns]) {
          const share = shareOfTolerance(data, of(), [of(Math.fround)]);
          assert.ok(share <= 1, `${name} of [${row}]: ${Array.from(data)}`);
        }
      }
    }
    const given = { columns: 5, centred: true, eps: 1e-5 };
    for (const centred of [true, false]) {
      const got = forms[centred ? "layerNorm" : "rmsNorm"](attention, x, { eps: 1e-5 }).output.data;
      for (const i of [0, 1, 2, 3, 6, 7]) {
        const row = x.data.subarray(i * 5, i * 5 + 5);
        const of = (round?: typeof Math.fround) => norm(row, { ...given, centred }, round);
        const share = shareOfTolerance(got.subarray(i * 5, i * 5 + 5), of(), [of(Math.fround)]);
        assert.ok(share <= 1, `norm of [${row}]: ${got.subarray(i * 5, i * 5 + 5)}`);
      }
    }
  });
}

test("the references' gradients are their slopes", () => {
  const [x, dy, weight] = [1, 2, 3].map((seed) => Float64Array.from(randomArray(21, seed)));
  const near = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    for (const [i, value] of Array.from(a).entries())
      assert.ok(Math.abs(value - b[i]) < 1e-7, `${value} ${b[i]}`);
  };
  for (const centred of [true, false]) {
    const given = { columns: 7, centred, eps: 1e-5, weight: weight.subarray(0, 7) };
    near(
      normBackward(dy, x, given)[0],
      differences((moved) => norm(moved, given), x, dy),
    );
    const ofWeight = (moved: Float64Array) => norm(x, { ...given, weight: moved });
    near(normBackward(dy, x, given)[1], differences(ofWeight, given.weight, dy));
  }
  for (const logarithmic of [true, false]) {
    const of = (data: Float64Array) => softmaxRow(Array.from(data), logarithmic);
    const y = of(x);
    near(softmaxBackwardRow(Array.from(dy), y, logarithmic), differences(of, x, dy));
  }
});

test("statistics, an axis, results over inputs and sums that are added to", async () => {
  const attention = await engine("portable");
  const dims = [2, 3, 4];
  const x = tensor(randomArray(24, 1), dims);
  const both = layerNorm(attention, x, { axis: 1, eps: 0.5, statistics: true });
  const flat = layerNorm(attention, tensor(x.data, [2, 12]), { eps: 0.5, statistics: true });
  assert.deepEqual(both.output.data, flat.output.data);
  assert.deepEqual(
    [both.mean.dims, both.inverseDeviation.dims],
    [
      [2, 1, 1],
      [2, 1, 1],
    ],
  );
  const mean = x.data.subarray(0, 12).reduce((sum, value) => sum + value / 12, 0);
  assert.ok(Math.abs(both.mean.data[0] - mean) < 1e-7);
  using place = attention.allocate(dims);
  place.data.set(x.data);
  const want = layerNorm(attention, x, { residual: x }).output;
  assert.equal(layerNorm(attention, place, { residual: place, out: place }).output, place);
  assert.deepEqual(place.data, want.data);

  const [dy, weight, bias] = [
    tensor(randomArray(24, 2), dims),
    randomArray(4, 3),
    randomArray(4, 4),
  ];
  const once = layerNormBackward(attention, dy, x, { weight, bias });
  const out = { input: new Float32Array(24), weight: weight.slice(), bias: bias.slice() };
  layerNormBackward(attention, dy, x, { weight, bias, out, accumulate: true });
  assert.deepEqual(out.input, once.inputGradient.data);
  assert.deepEqual(
    out.weight,
    weight.map((w, i) => w + (once.weightGradient?.data[i] ?? NaN)),
  );
  assert.deepEqual(
    out.bias,
    bias.map((b, i) => b + (once.biasGradient?.data[i] ?? NaN)),
  );
});
