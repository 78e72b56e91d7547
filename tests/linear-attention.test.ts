// linearAttention against its recurrence in float64: every rule, layout and grouping of heads, cut anywhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  causalConv,
  causalConvAsync,
  linearAttention,
  linearAttentionAsync,
} from "wasm-attention/variants";
import { draw, type Form, laidOut, rules, type Sizes } from "./checks/linear";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";
import { shareOfTolerance } from "./reference";
import { convRow, type Round } from "./reference-variants";

const sizesOf: Sizes[] = [
  { batch: 1, heads: [1, 1, 1], keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: [2, 2, 2], keys: 31, depth: 7, columns: 5 },
  { batch: 1, heads: [4, 2, 2], keys: 33, depth: 8, columns: 8 },
  { batch: 1, heads: [2, 1, 4], keys: 5, depth: 13, columns: 9 },
  { batch: 1, heads: [6, 1, 3], keys: 64, depth: 16, columns: 17 },
  { batch: 1, heads: [1, 1, 1], keys: 131, depth: 64, columns: 67 },
  { batch: 2, heads: [1, 1, 1], keys: 0, depth: 3, columns: 4 },
];

for (const variant of variants) {
  test(`every rule at every edge, against float64, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    let seed = 1;
    for (const sizes of sizesOf)
      for (const rule of rules)
        for (const form of [
          { rule },
          { rule, wide: true, started: true },
          { rule, normalised: rule === "gated" },
          { rule, lengths: Array.from({ length: sizes.batch }, (_, b) => sizes.keys >> (b + 1)) },
          ...(rule === "linear"
            ? [
                { rule, elu: true },
                { rule, elu: true, started: true },
              ]
            : []),
          ...(rule === "linear" ? [{ rule, elu: true, causal: false }] : []),
        ]) {
          seed += 10;
          const given =
            "causal" in form ? { ...sizes, queries: 3 * (sizes.keys ? 1 : 0) + 2 } : sizes;
          const { query, key, value, options, truth } = draw(given, form, seed);
          const got = linearAttention(attention, query, key, value, options);
          const [want, naive] = [truth(), truth(Math.fround)];
          for (const name of ["output", "state"] as const) {
            const share = shareOfTolerance(got[name].data, want[name], [naive[name]]);
            const what = JSON.stringify({ sizes, form, seed });
            assert.ok(share <= 1, `${name} of ${what}: ${share} of the tolerance`);
          }
          assert.equal(attention.memory.used, used);
        }
  });

  test(`layouts give the same bits, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const [q, k, v] of [
      [4, 2, 2],
      [2, 1, 4],
      [3, 3, 3],
    ]) {
      const sizes = { batch: 2, heads: [q, k, v] as const, keys: 9, depth: 6, columns: 10 };
      const form: Form = { rule: "gated_delta", wide: true, started: true, lengths: [9, 4] };
      const { query, key, value, options } = draw(sizes, form, 77);
      const want = linearAttention(attention, query, key, value, options);
      for (const layout of ["BLHD", "BLE"] as const) {
        const to = (x: Tensor) => laidOut(x, layout);
        const split = layout === "BLE" ? { heads: q, keyValueHeads: v } : {};
        const got = linearAttention(attention, to(query), to(key), to(value), {
          ...{ ...options, ...split, layout },
          decay: to(options.decay as Tensor),
          beta: to(options.beta as Tensor),
        });
        const expected = { ...want, output: to(want.output) };
        assert.deepEqual(bitsOf(got), bitsOf(expected), layout);
      }
    }
  });

  test(`cut anywhere, a state goes on with the same bits, and back, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const rule of rules) {
      const sizes: Sizes = { batch: 1, heads: [2, 1, 1], keys: 70, depth: 12, columns: 20 };
      const form: Form = { rule, wide: true, normalised: rule === "linear" };
      const { query, key, value, options } = draw(sizes, form, 91);
      const whole = linearAttention(attention, query, key, value, options);
      const rows = (x: Tensor | undefined, from: number, to: number) => {
        if (!x) return undefined;
        const [, heads, , size] = x.dims;
        const data = Array.from({ length: heads }, (_, h) =>
          Array.from(x.data.subarray((h * 70 + from) * size, (h * 70 + to) * size)),
        ).flat();
        return tensor(Float32Array.from(data), [1, heads, to - from, size]);
      };
      const step = (from: number, to: number, state: Tensor, out?: Tensor) => {
        const [q, k, v] = [query, key, value].map((x) => rows(x, from, to) as Tensor);
        return linearAttention(attention, q, k, v, {
          ...options,
          state,
          decay: rows(options.decay, from, to),
          beta: rows(options.beta, from, to),
          out: { state: out },
        });
      };
      using state = attention.allocate(whole.state.dims);
      using kept = attention.allocate(whole.state.dims);
      state.data.fill(0);
      let at = 0;
      for (const count of [1, 2, 33, 1, 20, 13]) {
        if (count === 20) {
          // Tokens that are thought better of: the copy is gone back to.
          kept.data.set(state.data);
          step(at, at + 7, state, state);
          state.data.set(kept.data);
        }
        const { output } = step(at, at + count, state, state);
        const want = rows(whole.output, at, at + count) as Tensor;
        assert.deepEqual(bitsOf({ output }), bitsOf({ output: want }), `${rule} at ${at}`);
        at += count;
      }
      assert.deepEqual(bitsOf({ state }), bitsOf({ state: whole.state }), rule);
    }
  });

  test(`threads, asynchronous calls and linear memory change no bit, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    for (const [index, rule] of rules.entries()) {
      const sizes: Sizes = { batch: 1, heads: [3, 3, 3], keys: 300, depth: 40, columns: 70 };
      const { query, key, value, options } = draw(sizes, { rule, wide: true }, 300 + index);
      const want = bitsOf(linearAttention(one, query, key, value, options));
      assert.deepEqual(bitsOf(linearAttention(two, query, key, value, options)), want);
      for (const attention of [one, two]) {
        const got = await linearAttentionAsync(attention, query, key, value, options);
        assert.deepEqual(bitsOf(got), want);
      }
    }
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const x = randomTensor([1, 1, 2, 3], 1);
    await assert.rejects(linearAttentionAsync(one, x, x, x, { signal: controller.signal }), {
      message: "enough",
    });
    two.dispose();
  });

  test(`the forward pass needs no memory that grows with the length, ${variant}`, async () => {
    const attention = await engine(variant);
    const dims = [1, 2, 4096, 64];
    const [query, key, value, decay, output] = [1, 2, 3, 4, 5].map((seed) => {
      const allocated = attention.allocate(dims);
      if (seed < 4) allocated.data.set(randomTensor(dims, seed).data);
      else allocated.data.fill(-0.5);
      return allocated;
    });
    const { reserved } = attention.memory;
    linearAttention(attention, query, key, value, {
      ...{ updateRule: "gated", decay, out: { output } },
    });
    // Each tensor has 2 MB.
    assert.ok(attention.memory.reserved - reserved <= 2 ** 18);
    attention.dispose();
  });

  test(`what is past a length is not read, what is seen reaches on, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const bad of [NaN, Infinity, -Infinity]) {
      const sizes: Sizes = { batch: 1, heads: [1, 1, 1], keys: 9, depth: 4, columns: 5 };
      const { query, key, value, options } = draw(
        sizes,
        { rule: "gated_delta", wide: true, lengths: [6] },
        55,
      );
      const clean = bitsOf(linearAttention(attention, query, key, value, options));
      const { decay, beta } = options as { decay: Tensor; beta: Tensor };
      for (const { data, dims } of [key, value, decay, beta]) data.fill(bad, 6 * dims[3]);
      assert.deepEqual(bitsOf(linearAttention(attention, query, key, value, options)), clean);
      value.data[5 * 2 + 1] = bad;
      const { output } = linearAttention(attention, query, key, value, options);
      for (let t = 0; t < 9; t++)
        for (let c = 0; c < 5; c++)
          assert.equal(Number.isFinite(output.data[t * 5 + c]), t < 2 || c !== 1, `${t}, ${c}`);
    }
    // A decay of any size: e^89 is past float32, and nothing is 0 · ∞.
    const x = tensor(Float32Array.of(1), [1, 1]);
    const decayed = (g: number) =>
      linearAttention(attention, x, x, x, {
        ...{ updateRule: "gated", state: tensor(Float32Array.of(2), [1, 1]) },
        decay: tensor(Float32Array.of(g), [1, 1]),
      }).output.data[0];
    assert.equal(decayed(-1000), 1);
    assert.equal(decayed(0), 3);
    assert.ok(Math.abs(decayed(3) / (1 + 2 * Math.exp(3)) - 1) < 3e-7);
    assert.equal(decayed(200), Infinity);
    assert.ok(Number.isNaN(decayed(NaN)));
  });

  test(`causalConv against float64, cut anywhere, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const [length, size] of [
      [1, 1],
      [0, 4],
      [2, 5],
      [37, 4],
      [128, 3],
    ] as const)
      for (const activation of [undefined, "silu"] as const) {
        const [batch, channels] = [2, 3];
        const x = randomTensor([batch, channels, length], 5 + length, 3);
        const weight = randomTensor([channels, 1, size], 6);
        const bias = randomArray(channels, 7);
        const state = randomTensor([batch, channels, size - 1], 8);
        const options = { bias, state, activation };
        const got = causalConv(attention, x, weight, options);
        const want = (round?: Round) =>
          Array.from({ length: batch * channels }, (_, i) => {
            const c = i % channels;
            return convRow(
              x.data.subarray(i * length, (i + 1) * length),
              weight.data.subarray(c * size, (c + 1) * size),
              state.data.subarray(i * (size - 1), (i + 1) * (size - 1)),
              { bias: bias[c], silu: activation === "silu" },
              round,
            );
          }).flat();
        const share = shareOfTolerance(got.output.data, want(), [want(Math.fround)]);
        assert.ok(share <= 1, `${length}, ${size}, ${activation}: ${share} of the tolerance`);
        const later = await causalConvAsync(attention, x, weight, options);
        assert.deepEqual(bitsOf(later), bitsOf(got));
        let past: Tensor = state;
        for (let t = 0; t < length; t++) {
          const token = tensor(
            Float32Array.from({ length: batch * channels }, (_, i) => x.data[i * length + t]),
            [batch, channels, 1],
          );
          const step = causalConv(attention, token, weight, { ...options, state: past });
          past = step.state;
          for (let i = 0; i < batch * channels; i++)
            assert.equal(step.output.data[i], got.output.data[i * length + t]);
        }
        assert.deepEqual(past.data, got.state.data);
      }
  });
}
