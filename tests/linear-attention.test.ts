// linearAttention against its recurrence in float64: every rule, layout and grouping of heads, cut anywhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  causalConv,
  causalConvAsync,
  type LinearAttentionOptions,
  linearAttention,
  linearAttentionAsync,
  type UpdateRule,
} from "wasm-attention/variants";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";
import { shareOfTolerance } from "./reference";
import { convRow, type LinearGiven, linearHead, type Round } from "./reference-variants";

const rules: readonly UpdateRule[] = ["linear", "gated", "delta", "gated_delta"];

interface Sizes {
  batch: number;
  heads: readonly [query: number, key: number, value: number];
  queries?: number;
  keys: number;
  depth: number;
  columns: number;
}

interface Form {
  rule: UpdateRule;
  /** Decays of each row of the state, not of the head. */
  wide?: boolean;
  elu?: boolean;
  normalised?: boolean;
  causal?: boolean;
  lengths?: readonly number[];
  started?: boolean;
}

/** A drawn problem in layout BHLD, and its truth head by head. */
function draw(sizes: Sizes, form: Form, seed: number) {
  const { batch, keys, depth, columns, queries = keys } = sizes;
  const [h, hk, hv] = sizes.heads;
  const { rule, wide = false, elu = false, causal = true } = form;
  const normalised = form.normalised ?? elu;
  const query = randomTensor([batch, h, queries, depth], seed);
  const key = randomTensor([batch, hk, keys, depth], seed + 1, rule.includes("delta") ? 0.3 : 1);
  const value = randomTensor([batch, hv, keys, columns], seed + 2);
  const gated = rule.startsWith("gated");
  const decay = randomTensor([batch, hv, keys, wide ? depth : 1], seed + 3);
  decay.data.forEach((x, i) => {
    decay.data[i] = -Math.abs(x) * 0.5;
  });
  const beta = randomTensor([batch, hv, keys, 1], seed + 4);
  beta.data.forEach((x, i) => {
    beta.data[i] = Math.abs(x);
  });
  const wideColumns = columns + (normalised ? 1 : 0);
  const state = randomTensor([batch, hv, depth, wideColumns], seed + 5);
  if (normalised) state.data.set(state.data.map(Math.abs));
  const options: LinearAttentionOptions = {
    updateRule: rule,
    featureMap: elu ? "elu" : undefined,
    normalize: form.normalised,
    causal,
    decay: gated ? decay : undefined,
    beta: rule.includes("delta") ? beta : undefined,
    state: form.started ? state : undefined,
    keyLengths: form.lengths,
  };
  const heads = Math.max(h, hv);
  const part = ({ data, dims }: Tensor, b: number, head: number) => {
    const size = dims[2] * dims[3];
    return data.subarray((b * dims[1] + head) * size, (b * dims[1] + head + 1) * size);
  };
  const truth = (round?: Round) => {
    const output: number[] = [];
    const states: number[][] = [];
    for (let b = 0; b < batch; b++)
      for (let o = 0; o < heads; o++) {
        const v = Math.floor((o * hv) / heads);
        const decays = part(decay, b, v);
        const given: LinearGiven = {
          ...{ depth, columns, elu, normalised, causal, eps: 1e-6 },
          query: part(query, b, Math.floor((o * h) / heads)),
          key: part(key, b, Math.floor((v * hk) / hv)),
          value: part(value, b, v),
          decay: gated
            ? Float32Array.from({ length: keys * depth }, (_, i) =>
                wide ? decays[i] : decays[Math.floor(i / depth)],
              )
            : undefined,
          beta: options.beta && part(beta, b, v),
          state: form.started ? part(state, b, v) : undefined,
          scale: elu ? 1 : 1 / Math.sqrt(depth),
          length: form.lengths?.[b] ?? keys,
        };
        const [out, after] = linearHead(given, round);
        output.push(...out);
        states[b * hv + v] = after;
      }
    return { output, state: states.flat() };
  };
  return { query, key, value, options, truth };
}

/** BHLD as another layout. */
function laidOut({ data, dims }: Tensor, layout: "BLHD" | "BLE"): Tensor {
  const [B, H, L, D] = dims;
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let b = 0; b < B; b++)
    for (let l = 0; l < L; l++)
      for (let h = 0; h < H; h++)
        for (let d = 0; d < D; d++) moved[at++] = data[((b * H + h) * L + l) * D + d];
  return tensor(moved, layout === "BLE" ? [B, L, H * D] : [B, L, H, D]);
}

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
