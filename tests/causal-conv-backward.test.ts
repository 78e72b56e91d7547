// causalConvBackward against its sums in float64, and against central differences of the convolution.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  type CausalConvBackwardOptions,
  type CausalConvGradients,
  causalConv,
  causalConvBackward,
  causalConvBackwardAsync,
} from "wasm-attention/variants";
import { bitsOf, engine, randomTensor, variants } from "./engines";
import { shareOfTolerance } from "./reference";
import { convRow, type Round } from "./reference-variants";

type Gradients = Record<"input" | "weight" | "bias" | "state", number[]>;

type Sizes = readonly [batch: number, channels: number, length: number, size: number];

function draw([batch, channels, length, size]: Sizes, seed: number) {
  return {
    x: randomTensor([batch, channels, length], seed, 3),
    weight: randomTensor([channels, 1, size], seed + 1),
    bias: randomTensor([channels], seed + 2),
    state: randomTensor([batch, channels, size - 1], seed + 3, 3),
    outputGradient: randomTensor([batch, channels, length], seed + 4),
    stateGradient: randomTensor([batch, channels, size - 1], seed + 5),
  };
}

/** By the formulas, with `silu` or without. */
function truth(given: ReturnType<typeof draw>, silu: boolean, round: Round = (x) => x): Gradients {
  const [batch, channels, length] = given.x.dims;
  const size = given.weight.dims[2];
  const past = size - 1;
  const input: number[] = [];
  const state: number[] = [];
  const weight: number[] = new Array(channels * size).fill(0);
  const bias: number[] = new Array(channels).fill(0);
  for (let i = 0; i < batch * channels; i++) {
    const c = i % channels;
    const part = ({ data }: Tensor, count: number) =>
      Array.from(data.subarray(i * count, (i + 1) * count));
    const [x, before] = [part(given.x, length), part(given.state, past)];
    const kernel = given.weight.data.subarray(c * size, (c + 1) * size);
    const row = [...before, ...x];
    const z = convRow(x, kernel, before, { bias: given.bias.data[c], silu: false }, round);
    const dz = part(given.outputGradient, length).map((g, t) => {
      const s = round(1 / round(1 + round(Math.exp(-z[t]))));
      return silu ? round(g * round(s + round(round(z[t] * s) * round(1 - s)))) : g;
    });
    const dx = row.map((_, j) => {
      let sum = 0;
      for (let k = 0; k < size; k++)
        if (j - k >= 0 && j - k < length) sum = round(sum + round(kernel[k] * dz[j - k]));
      return sum;
    });
    for (const [k, g] of part(given.stateGradient, past).entries())
      dx[length + k] = round(dx[length + k] + g);
    state.push(...dx.slice(0, past));
    input.push(...dx.slice(past));
    for (let t = 0; t < length; t++) {
      bias[c] = round(bias[c] + dz[t]);
      for (let k = 0; k < size; k++)
        weight[c * size + k] = round(weight[c * size + k] + round(dz[t] * row[t + k]));
    }
  }
  return { input, weight, bias, state };
}

const sizesOf: readonly Sizes[] = [
  [1, 1, 1, 1],
  [2, 3, 0, 4],
  [1, 2, 2, 5],
  [3, 5, 37, 4],
  [2, 300, 131, 3],
];
const names = ["input", "weight", "bias", "state"] as const;
const of = (got: CausalConvGradients, name: (typeof names)[number]) =>
  got[`${name}Gradient`] as Tensor;

for (const variant of variants) {
  test(`gradients against float64, threads and asynchronous calls alike, ${variant}`, async () => {
    const [one, two] = [await engine(variant), await engine(variant, { threads: 2 })];
    const { used } = one.memory;
    for (const [index, sizes] of sizesOf.entries())
      for (const activation of [undefined, "silu"] as const) {
        const given = draw(sizes, 10 * index + 1);
        const { bias, state, ...pass } = given;
        const options = { bias: bias.data, state, activation };
        const got = causalConvBackward(one, pass, options);
        const silu = activation === "silu";
        const [want, naive] = [truth(given, silu), truth(given, silu, Math.fround)];
        for (const name of names) {
          const share = shareOfTolerance(of(got, name).data, want[name], [naive[name]]);
          assert.ok(share <= 1, `${name} of ${sizes}, ${activation}: ${share} of the tolerance`);
        }
        assert.deepEqual(bitsOf(causalConvBackward(two, pass, options)), bitsOf(got));
        for (const attention of [one, two])
          assert.deepEqual(
            bitsOf(await causalConvBackwardAsync(attention, pass, options)),
            bitsOf(got),
          );
      }
    assert.equal(one.memory.used, used);
    two.dispose();
  });

  test(`the formulas are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const given = draw([2, 2, 5, 3], 77);
    const { bias, state, ...pass } = given;
    const options = { bias, state, activation: "silu" } as const;
    const got = causalConvBackward(attention, pass, options);
    const tensors = { input: given.x, weight: given.weight, bias, state };
    const loss = () => {
      const forward = causalConv(attention, pass.x, pass.weight, options);
      const dot = (a: Tensor, b: Tensor) => a.data.reduce((sum, x, i) => sum + x * b.data[i], 0);
      return dot(forward.output, given.outputGradient) + dot(forward.state, given.stateGradient);
    };
    for (const name of names)
      tensors[name].data.forEach((x, i, data) => {
        data[i] = x + 2 ** -6;
        const above = loss();
        data[i] = x - 2 ** -6;
        const below = loss();
        data[i] = x;
        const want = (above - below) * 2 ** 5;
        assert.ok(Math.abs(of(got, name).data[i] - want) < 3e-3, `${name}[${i}]: ${want}`);
      });
  });

  test(`what is not given has no gradient, cut in two it is the same, ${variant}`, async () => {
    const attention = await engine(variant);
    const { x, weight, outputGradient } = draw([1, 2, 9, 4], 5);
    const got = causalConvBackward(attention, { x, weight, outputGradient });
    assert.deepEqual(Object.keys(got), ["inputGradient", "weightGradient"]);
    const piece = ({ data }: Tensor, from: number, to: number) =>
      tensor(Float32Array.from([...data.subarray(from, to), ...data.subarray(9 + from, 9 + to)]), [
        1,
        2,
        to - from,
      ]);
    const pieces = (from: number, to: number) => ({
      ...{ x: piece(x, from, to), weight, outputGradient: piece(outputGradient, from, to) },
    });
    const { state } = causalConv(attention, piece(x, 0, 5), weight);
    const out: CausalConvBackwardOptions["out"] = { weight: new Float32Array(8) };
    const last = causalConvBackward(attention, pieces(5, 9), { state, out });
    const given = { input: new Float32Array(10), weight: out.weight };
    const first = causalConvBackward(
      attention,
      { ...pieces(0, 5), stateGradient: last.stateGradient },
      { out: given, accumulate: true },
    );
    const near = (a: Tensor, b: Tensor) =>
      a.data.forEach((value, i) => {
        assert.ok(Math.abs(value - b.data[i]) < 3e-6, `${value}, ${b.data[i]}`);
      });
    near(last.inputGradient, piece(got.inputGradient, 5, 9));
    near(first.inputGradient, piece(got.inputGradient, 0, 5));
    near(first.weightGradient, got.weightGradient);
  });
}
