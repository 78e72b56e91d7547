// bias_kv and add_zero_attn against PyTorch's own way: rows appended to the projected keys and
// values, columns to the mask.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appendedKeys, linear, prepareLinear, type Tensor, tensor } from "wasm-attention";
import { fromPyTorch } from "wasm-attention/weights";
import { engine, randomArray, variants } from "./engines";

const close = (got: ArrayLike<number>, want: number[]) => {
  assert.equal(got.length, want.length);
  for (const [i, x] of want.entries()) {
    const near = Object.is(got[i], x) || Math.abs(got[i] - x) <= 4e-7 * Math.max(1, Math.abs(x));
    assert.ok(near, `element ${i}: ${got[i]}, not ${x}`);
  }
};

for (const variant of variants) {
  test(`bias_kv and add_zero_attn are keys that every query sees, masks or not, ${variant}`, async () => {
    const attention = await engine(variant);
    const [heads, D, L, S, B] = [2, 3, 4, 5, 2];
    const E = heads * D;
    const matrix = (seed: number) => tensor(randomArray(E * E, seed), [E, E]);
    const weights = {
      in_proj_weight: tensor(randomArray(3 * E * E, 1), [3 * E, E]),
      "out_proj.weight": matrix(2),
    };
    const bias = {
      bias_k: tensor(randomArray(E, 3), [1, 1, E]),
      bias_v: tensor(randomArray(E, 4), [1, 1, E]),
    };
    const x = tensor(randomArray(B * L * E, 5), [B, L, E]);
    const y = tensor(randomArray(B * S * E, 6), [B, S, E]);
    const logits = { scale: 0.7, softcap: 1.5 };
    const mask = {
      data: Uint8Array.from({ length: L * S }, (_, k) => (k % 3 ? 1 : 0)),
      dims: [L, S],
    };
    const part = (index: number) =>
      tensor(weights.in_proj_weight.data.subarray(index * E * E, (index + 1) * E * E), [E, E]);
    const project = (input: Tensor, index: number) =>
      linear(attention, input, prepareLinear(attention, part(index), { order: "out,in" }));

    for (const [withBias, addZeroAttention] of [
      [true, false],
      [false, true],
      [true, true],
    ]) {
      const layer = fromPyTorch(
        attention,
        { ...weights, ...(withBias && bias) },
        { heads, appended: appendedKeys({ addZeroAttention }) },
      );
      const { used } = attention.memory;
      const got = layer.forward(
        { query: x, key: y, value: y },
        {
          ...logits,
          mask,
          causal: true,
          weights: true,
          logSumExp: true,
          scores: "biased",
        },
      );
      assert.equal(attention.memory.used, used);
      // What PyTorch does: rows appended to the projected keys and values, columns to the mask.
      const extra = Number(withBias) + Number(addZeroAttention);
      const longer = (projected: Tensor, row: Tensor) => {
        const data = new Float32Array(B * (S + extra) * E);
        for (let b = 0; b < B; b++) {
          data.set(projected.data.subarray(b * S * E, (b + 1) * S * E), b * (S + extra) * E);
          if (withBias) data.set(row.data, (b * (S + extra) + S) * E);
        }
        return tensor(data, [B, S + extra, E]);
      };
      const padded = Uint8Array.from({ length: L * (S + extra) }, (_, k) => {
        const [i, j] = [Math.floor(k / (S + extra)), k % (S + extra)];
        return j >= S || (j <= i && mask.data[i * S + j]) ? 1 : 0;
      });
      const mixed = attention.attend(
        project(x, 0),
        longer(project(y, 1), bias.bias_k),
        longer(project(y, 2), bias.bias_v),
        {
          ...logits,
          layout: "BLE",
          heads,
          mask: { data: padded, dims: [L, S + extra] },
          weights: true,
          logSumExp: true,
          scores: "biased",
        },
      );
      const want = linear(
        attention,
        mixed.output,
        prepareLinear(attention, weights["out_proj.weight"], { order: "out,in" }),
      );
      const near = (a: Tensor, b: Tensor) => {
        assert.deepEqual(a.dims, b.dims);
        close(a.data, [...b.data]);
      };
      assert.deepEqual(got.weights?.dims, [B, heads, L, S + extra]);
      near(got.output, want);
      near(got.weights!, mixed.weights!);
      near(got.scores!, mixed.scores!);
      near(got.logSumExp!, mixed.logSumExp!);
      const asked = { ...logits, mask, causal: true, weights: "mean" } as const;
      const mean = layer.forward({ query: x, key: y, value: y }, asked).weights!;
      assert.deepEqual(mean.dims, [B, L, S + extra]);
      close(
        mean.data,
        Array.from(mean.data, (_, k) => {
          const [b, rest] = [Math.floor(k / (L * (S + extra))), k % (L * (S + extra))];
          const at = (h: number) => mixed.weights!.data[(b * heads + h) * L * (S + extra) + rest];
          return (at(0) + at(1)) / 2;
        }),
      );
      const one = layer.forward(
        {
          query: tensor(x.data.slice(0, L * E), [L, E]),
          key: tensor(y.data.slice(0, S * E), [S, E]),
        },
        { ...logits, mask, causal: true, scores: "biased" },
      );
      assert.deepEqual(one.output.data, got.output.data.slice(0, L * E));
    }
  });
}

test("rows past queryLengths see no appended key either", async () => {
  const attention = await engine("portable");
  const [heads, D, L, B] = [2, 3, 4, 2];
  const E = heads * D;
  const weights = {
    in_proj_weight: tensor(randomArray(3 * E * E, 1), [3 * E, E]),
    "out_proj.weight": tensor(randomArray(E * E, 2), [E, E]),
    bias_k: tensor(randomArray(E, 3), [1, 1, E]),
    bias_v: tensor(randomArray(E, 4), [1, 1, E]),
  };
  const x = tensor(randomArray(B * L * E, 5), [B, L, E]);
  for (const addZeroAttention of [false, true]) {
    using layer = fromPyTorch(attention, weights, {
      heads,
      appended: appendedKeys({ addZeroAttention }),
    });
    const queryLengths = [1, 3];
    const asked = { weights: true, logSumExp: true };
    const whole = layer.forward(x, asked);
    const got = layer.forward(x, { ...asked, queryLengths });
    const columns = L + 1 + Number(addZeroAttention);
    for (let b = 0; b < B; b++) {
      for (let row = 0; row < L; row++) {
        const seen = row < queryLengths[b];
        const of = ({ data }: Tensor, at: number, size: number) => data.slice(at, at + size);
        const output = of(got.output, (b * L + row) * E, E);
        const expected = of(whole.output, (b * L + row) * E, E);
        assert.deepEqual(output, seen ? expected : new Float32Array(E));
        for (let h = 0; h < heads; h++) {
          const at = (b * heads + h) * L + row;
          const sum = of(got.weights!, at * columns, columns).reduce((a, w) => a + w, 0);
          assert.ok(Math.abs(sum - (seen ? 1 : 0)) < 1e-6, `weights of row ${row} sum to ${sum}`);
          assert.equal(got.logSumExp!.data[at], seen ? whole.logSumExp!.data[at] : -Infinity);
        }
      }
    }
  }
});
