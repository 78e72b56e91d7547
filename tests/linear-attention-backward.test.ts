// linearAttentionBackward against central differences of the recurrence in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  type LinearAttentionBackwardOptions,
  type LinearAttentionGradients,
  type LinearAttentionPass,
  linearAttention,
  linearAttentionBackward,
  linearAttentionBackwardAsync,
} from "wasm-attention/variants";
import { dot } from "./checks/direction";
import { draw, type Form, laidOut, type Sizes } from "./checks/linear";
import { bitsOf, engine, randomTensor, type Variant, variants, type Whole } from "./engines";

const sizesOf: Sizes[] = [
  { batch: 1, heads: [1, 1, 1], keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: [2, 2, 2], keys: 7, depth: 5, columns: 3 },
  { batch: 1, heads: [4, 1, 2], keys: 9, depth: 4, columns: 9 },
  { batch: 1, heads: [1, 1, 2], keys: 35, depth: 3, columns: 2 },
];
const formsOf = (keys: number): Form[] => [
  { rule: "linear" },
  { rule: "linear", started: true, lengths: [keys >> 1, keys] },
  { rule: "linear", elu: true, started: true },
  { rule: "linear", elu: true, causal: false },
  { rule: "linear", causal: false, started: true },
  { rule: "gated", wide: true, started: true },
  { rule: "gated", started: true, lengths: [keys - (keys >> 2), keys] },
  { rule: "gated", wide: true, normalised: true, started: true },
  { rule: "delta", started: true },
  { rule: "delta", lengths: [keys - (keys >> 2), keys] },
  { rule: "gated_delta", wide: true, started: true, lengths: [keys, keys >> 1] },
  { rule: "gated_delta", started: true },
  { rule: "gated_delta", normalised: true, started: true },
];

/** The gradients, which two threads and asynchronous calls give to the last bit. */
async function sameBits(
  attention: Whole,
  variant: Variant,
  pass: LinearAttentionPass,
  options: LinearAttentionBackwardOptions,
) {
  const whole = linearAttentionBackward(attention, pass, options);
  const two = await engine(variant, { threads: 2 });
  assert.deepEqual(bitsOf(linearAttentionBackward(two, pass, options)), bitsOf(whole));
  for (const on of [attention, two]) {
    const later = await linearAttentionBackwardAsync(on, pass, options);
    assert.deepEqual(bitsOf(later), bitsOf(whole));
  }
  two.dispose();
  return whole;
}

for (const variant of variants) {
  test(`gradients of every form are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of sizesOf.entries())
      for (const form of formsOf(sizes.keys)) {
        const given = form.causal === false ? { ...sizes, queries: sizes.keys + 2 } : sizes;
        const lengths = form.lengths?.slice(0, sizes.batch);
        const problem = draw(given, { ...form, lengths }, 1000 * index + 7);
        const { query, key, value, options, numbers, truth } = problem;
        // A divisor near 0 has no gradient worth the name.
        if (form.normalised && !form.elu)
          for (const { data } of [query, key]) data.set(data.map(Math.abs));
        if (form.normalised && !form.elu)
          for (const name of ["query", "key"] as const)
            numbers[name].set(numbers[name].map(Math.abs));
        const forward = linearAttention(attention, query, key, value, options);
        const outputGradient = randomTensor(forward.output.dims, 11);
        const stateGradient = randomTensor(forward.state.dims, 12);
        const pass = { query, key, value, outputGradient, stateGradient };
        const got = linearAttentionBackward(attention, pass, options);
        const loss = () => {
          const { output, state } = truth();
          return dot(output, outputGradient.data) + dot(state, stateGradient.data);
        };
        for (const name of ["query", "key", "value", "decay", "beta", "state"] as const) {
          const gradient = got[`${name}Gradient` as keyof LinearAttentionGradients];
          const optional = name === "decay" || name === "beta" || name === "state";
          const wanted = optional ? options[name] : true;
          assert.equal(gradient !== undefined, wanted !== undefined, name);
          if (!gradient) continue;
          const want = Float64Array.from(numbers[name], (x, i, step = 1e-5) => {
            numbers[name][i] = x + step;
            const above = loss();
            numbers[name][i] = x - step;
            const below = loss();
            numbers[name][i] = x;
            return (above - below) / (2 * step);
          });
          const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
          const what = `${name} of ${JSON.stringify({ sizes, form })}`;
          want.forEach((x, i) => {
            const error = Math.abs(gradient.data[i] - x) / largest;
            assert.ok(error < 3e-6, `${what}: ${gradient.data[i]} for ${x}`);
          });
        }
        assert.equal(attention.memory.used, used);
      }
  });

  test(`cut in two, the gradient of the state goes on; threads and async alike, ${variant}`, async () => {
    const attention = await engine(variant);
    const sizes: Sizes = { batch: 1, heads: [2, 2, 2], keys: 260, depth: 40, columns: 70 };
    const { query, key, value, options } = draw(sizes, { rule: "gated", wide: true }, 5);
    const outputGradient = randomTensor([1, 2, 260, 70], 6);
    const pass = { query, key, value, outputGradient };
    const whole = await sameBits(attention, variant, pass, options);

    const rows = ({ data, dims }: Tensor, from: number, to: number) => {
      const [, heads, length, size] = dims;
      const parts = Array.from({ length: heads }, (_, h) =>
        Array.from(data.subarray((h * length + from) * size, (h * length + to) * size)),
      );
      return tensor(Float32Array.from(parts.flat()), [1, heads, to - from, size]);
    };
    const piece = (from: number, to: number) => ({
      query: rows(query, from, to),
      key: rows(key, from, to),
      value: rows(value, from, to),
      outputGradient: rows(outputGradient, from, to),
    });
    const at = 101;
    const first = piece(0, at);
    const decays = (from: number, to: number) => rows(options.decay as Tensor, from, to);
    const { state } = linearAttention(attention, first.query, first.key, first.value, {
      ...options,
      decay: decays(0, at),
    });
    const last = linearAttentionBackward(attention, piece(at, 260), {
      ...{ ...options, state, decay: decays(at, 260) },
    });
    const { stateGradient } = last;
    const before = linearAttentionBackward(
      attention,
      { ...first, stateGradient },
      { ...options, decay: decays(0, at) },
    );
    for (const name of ["queryGradient", "keyGradient", "valueGradient"] as const) {
      for (const [part, from, to] of [[before, 0, at] as const, [last, at, 260] as const])
        assert.deepEqual(part[name].data, rows(whole[name], from, to).data, name);
    }
    const near = rows(whole.decayGradient as Tensor, 0, at).data;
    before.decayGradient?.data.forEach((x, i) => {
      assert.ok(Math.abs(x - near[i]) < 2e-4, `decay: ${x} for ${near[i]}`);
    });
  });

  test(`by a delta rule: threads, async, long rows, shared and strided betas, ${variant}`, async () => {
    const attention = await engine(variant);
    const sizes: Sizes = { batch: 2, heads: [4, 1, 2], keys: 130, depth: 70, columns: 75 };
    const form: Form = { rule: "gated_delta", lengths: [130, 77], started: true };
    const { query, key, value, options } = draw(sizes, form, 9);
    const outputGradient = randomTensor([2, 4, 130, 75], 6);
    const pass = { query, key, value, outputGradient };
    const whole = await sameBits(attention, variant, pass, options);
    // Tokens past a length have no gradient.
    const { data, dims } = whole.betaGradient as Tensor;
    assert.deepEqual(dims, [2, 2, 130, 1]);
    data.forEach((x, i) => {
      assert.equal(x === 0, i >= 260 && i % 130 >= 77, `${i}`);
    });
    const to = (x: Tensor) => laidOut(x, "BLE");
    const rows = { ...options, decay: to(options.decay as Tensor) };
    const back = (beta: Tensor) =>
      linearAttentionBackward(
        attention,
        {
          ...{ query: to(query), key: to(key), value: to(value) },
          outputGradient: to(outputGradient),
        },
        { ...rows, beta, layout: "BLE", heads: 4, keyValueHeads: 2 },
      );
    const strided = back(to(options.beta as Tensor));
    assert.deepEqual(strided.betaGradient?.data, to({ data, dims }).data);
    assert.deepEqual(strided.keyGradient.data, to(whole.keyGradient).data);
    // One for both heads: the sum of theirs.
    const shared = tensor(randomTensor([2, 130, 1], 8).data.map(Math.abs), [2, 130, 1]);
    const doubled = Float32Array.from({ length: 520 }, (_, i) => shared.data[i >> 1]);
    const each = back(tensor(doubled, [2, 130, 2])).betaGradient as Tensor;
    const got = back(shared).betaGradient as Tensor;
    assert.deepEqual(got.dims, [2, 130, 1]);
    const largest = each.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    got.data.forEach((x, i) => {
      const want = each.data[2 * i] + each.data[2 * i + 1];
      assert.ok(Math.abs(x - want) < 1e-6 * largest, `${i}: ${x} for ${want}`);
    });
  });

  test(`gradients are added to what is there, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = randomTensor([1, 2, 5, 4], 3);
    const pass = { query: x, key: x, value: x, outputGradient: x };
    const { keyGradient } = linearAttentionBackward(attention, pass);
    const key = new Float32Array(40).fill(1);
    linearAttentionBackward(attention, pass, {
      out: { query: x.data.slice(), key, value: x.data.slice() },
      accumulate: true,
    });
    assert.deepEqual(
      key,
      keyGradient.data.map((y) => Math.fround(1 + y)),
    );
  });
}
