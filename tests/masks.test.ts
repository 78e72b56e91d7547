// Several masks at once, and the shapes that frameworks give theirs. Problems with every other option and
// lists of masks are drawn in checks/problems.ts; these say what a list means.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, type Mask, type Tensor, tensor } from "wasm-attention";
import { type AttendState, attendBackward } from "wasm-attention/training";
import { additive, boolean, type Plain } from "./drawn-masks";
import { engine, randomTensor, variants, type Whole } from "./engines";

const of = (seed: number, ...dims: number[]) => randomTensor(dims, seed);

/** Whole numbers: with a scale of 1/4 no sum of scores and masks rounds. */
function exact(seed: number, ...dims: number[]): Tensor {
  const { data } = of(seed, ...dims);
  return tensor(
    data.map((x) => Math.round(x * 2)),
    dims,
  );
}

type Four = [number, number, number, number];
/** The list as one additive mask of [B, H, L, S]. */
function together(masks: readonly Plain[], full: Four): Plain {
  const data = new Float32Array(full.reduce((a, b) => a * b, 1));
  const padded = masks.map((mask) => [1, 1, 1, 1, ...mask.dims].slice(-4));
  let index = 0;
  for (let b = 0; b < full[0]; b++)
    for (let h = 0; h < full[1]; h++)
      for (let i = 0; i < full[2]; i++)
        for (let j = 0; j < full[3]; j++, index++)
          for (const [n, mask] of masks.entries()) {
            const [B, H, L, S] = padded[n] as Four;
            const row = ((b % B) * H + (h % H)) * L + (i % L);
            const at = row * S + (j % S);
            if (mask.data instanceof Float32Array) data[index] += mask.data[at];
            else if (!mask.data[at]) data[index] = -Infinity;
          }
  return { data, dims: full };
}

for (const variant of variants) {
  test(`a list is its masks together, to the bit, on every road, ${variant}`, async () => {
    for (const threads of [1, 2]) {
      using attention = await engine(variant, { threads });
      const [B, H, S] = [2, 4, 300];
      const [k, v] = [exact(2, B, 2, S, 16), of(3, B, 2, S, 24)];
      // One query, few and many.
      for (const L of [1, 5, 200]) {
        const q = exact(1, B, H, L, 16);
        const full: Four = [B, H, L, S];
        const lists: Plain[][] = [
          [],
          [boolean(4, L, S)],
          [boolean(4, B, 1, 1, S), additive(5, H, L, S)],
          [additive(5, 1, H, L, 1), boolean(6, L, S), additive(7, B, 1, L, S)],
          [additive(5, 1), boolean(6, B, H, L, S), additive(7, S), boolean(8, L, 1)],
          Array.from({ length: 8 }, (_, n) => (n % 2 ? boolean : additive)(n + 9, 1, 1, L, S)),
        ];
        for (const list of lists) {
          for (const more of [{ weights: true, scores: "biased" }, { weights: "mean" }] as const) {
            const options: Omit<AttendOptions, "out"> = {
              logSumExp: true,
              causal: "lower-right",
              ...more,
            };
            const one = { ...options, mask: together(list, full) };
            const got = attention.attend(q, k, v, { ...options, mask: list });
            assert.deepEqual(got, attention.attend(q, k, v, one));
            const dy = of(9, B, H, L, 24);
            const state = got as AttendState;
            const { maskGradients, ...gradients } = attendBackward(
              attention,
              { ...state, query: q, key: k, value: v, outputGradient: dy },
              {
                ...options,
                mask: list,
                gradients: { mask: list.some(({ data }) => data instanceof Float32Array) },
              },
            );
            assert.deepEqual(
              gradients,
              attendBackward(
                attention,
                { ...state, query: q, key: k, value: v, outputGradient: dy },
                one,
              ),
            );
            if (!maskGradients) continue;
            assert.deepEqual(
              maskGradients.map((gradient) => gradient?.dims),
              list.map(({ data, dims }) => (data instanceof Float32Array ? dims : undefined)),
            );
          }
        }
      }
    }
  });

  test(`a key that one mask leaves out stays out, whatever another adds, ${variant}`, async () => {
    const attention = await engine(variant);
    const S = 7;
    const [k, v] = [of(2, S, 4), of(3, S, 4)];
    const out: Mask[] = [
      { data: Uint8Array.from({ length: S }, (_, j) => (j === 2 || j === 5 ? 0 : 1)), dims: [S] },
      {
        data: Float32Array.from({ length: S }, (_, j) => (j === 2 || j === 5 ? -Infinity : 0)),
        dims: [S],
      },
    ];
    const shorter = { data: new Uint8Array(5).fill(1), dims: [5], shorter: true };
    for (const L of [1, 3, 70]) {
      const q = of(1, L, 4);
      for (const hiding of out) {
        const options = { logSumExp: true, weights: true };
        const want = attention.attend(q, k, v, { ...options, mask: hiding });
        const bad = k.data.slice();
        bad.fill(NaN, 8, 12);
        for (const more of [Infinity, NaN, -1e38]) {
          const bias = new Float32Array(S);
          bias[2] = bias[5] = more;
          const adding = { data: bias, dims: [S] };
          for (const mask of [
            [hiding, adding],
            [adding, hiding],
            [adding, hiding, adding],
          ]) {
            assert.deepEqual(
              attention.attend(q, tensor(bad, [S, 4]), v, { ...options, mask }),
              want,
            );
          }
        }
        // Keys past a shorter mask too.
        const two = attention.attend(q, k, v, {
          ...options,
          mask: [
            shorter,
            { data: Float32Array.of(0, 0, 0, 0, 0, Infinity, NaN), dims: [S] },
            hiding,
          ],
        });
        const cut = attention.attend(q, k, v, { ...options, mask: hiding, keyLengths: [5] });
        assert.deepEqual(two, cut);
      }
    }
  });

  test(`padding and a causal mask of one's own never become L × S, ${variant}`, async () => {
    const attention = await engine(variant, { maximumMemory: 8 * 2 ** 20 });
    const n = 4096;
    const [q, k, v] = [1, 2, 3].map((seed) => of(seed, n, 8));
    const rows = { data: new Float32Array(n).fill(0.5), dims: [n, 1] };
    const columns = { data: new Uint8Array(n).fill(1), dims: [1, n] };
    columns.data.fill(0, n - 9);
    // L × S is 16 MB as bytes, 64 as numbers.
    const mask = [rows, columns];
    const got = attention.attend(q, k, v, { mask, logSumExp: true });
    const cut = { keyLengths: [n - 9], mask: rows, logSumExp: true };
    assert.deepEqual(got, attention.attend(q, k, v, cut));
    const back = attendBackward(
      attention,
      { ...(got as AttendState), query: q, key: k, value: v, outputGradient: q },
      {
        mask,
        gradients: { mask: true },
      },
    );
    assert.deepEqual(back.maskGradients?.[0]?.dims, [n, 1]);
    assert.equal(back.maskGradients[1], undefined);
  });

  test(`gradients of each mask are those of it alone, ${variant}`, async () => {
    const attention = await engine(variant);
    const [B, H, L, S] = [2, 3, 70, 140];
    const [q, k] = [exact(1, B, H, L, 16), exact(2, B, H, S, 16)];
    const [v, dy] = [of(3, B, H, S, 8), of(4, B, H, L, 8)];
    const [padding, bias, shift] = [
      boolean(5, B, 1, 1, S),
      additive(6, H, L, S),
      additive(7, B, 1, L, S),
    ];
    const options = { mask: [padding, bias, shift], logSumExp: true };
    const state = attention.attend(q, k, v, options) as AttendState;
    const run = (mask: Mask | Mask[]) =>
      attendBackward(
        attention,
        { ...state, query: q, key: k, value: v, outputGradient: dy },
        { mask, gradients: { mask: true } },
      );
    const { maskGradients, maskGradient } = run(options.mask);
    assert.equal(maskGradient, undefined);
    // All that was added, as one mask of all axes: its gradient summed over those that were broadcast.
    const whole = run(together(options.mask, [B, H, L, S]));
    assert.equal(whole.maskGradients, undefined);
    const all = whole.maskGradient as Tensor;
    const sums = [new Float32Array(H * L * S), new Float32Array(B * L * S)];
    for (const [index, g] of all.data.entries()) {
      const [b, h, rest] = [
        Math.floor(index / (H * L * S)),
        Math.floor(index / (L * S)) % H,
        index % (L * S),
      ];
      sums[0][h * L * S + rest] += g;
      sums[1][b * L * S + rest] += g;
    }
    assert.deepEqual(
      maskGradients?.map((gradient) => gradient?.data),
      [undefined, ...sums],
    );
    assert.deepEqual(run([together(options.mask, [B, H, L, S])]).maskGradients, [all]);
  });
}

test("a list is read in its order: (s + first) + second", async () => {
  const attention = await engine("portable");
  const [q, k] = [tensor(Float32Array.of(1), [1, 1]), tensor(Float32Array.of(1, 1), [2, 1])];
  const scores = (a: Whole, ...values: number[]) =>
    a.attend(q, k, k, {
      mask: values.map((x) => ({ data: Float32Array.of(x), dims: [1] })),
      scores: "biased",
    }).scores!.data[0];
  assert.equal(scores(attention, 2 ** 25, -(2 ** 25)), 0);
  assert.equal(scores(attention, 2 ** 25, 0), 2 ** 25);
});
