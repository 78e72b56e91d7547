// Where the references differ or are silent, from the definitions: small cases by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, type Tensor, tensor } from "wasm-attention";
import { engine, variants } from "./engines";

const ones = (rows: number) => tensor(new Float32Array(rows).fill(1), [rows, 1]);
const zeros = (rows: number) => tensor(new Float32Array(rows), [rows, 1]);
const column = (...values: number[]) => tensor(Float32Array.from(values), [values.length, 1]);
const close = (got: ArrayLike<number>, want: number[]) => {
  assert.equal(got.length, want.length);
  for (const [i, x] of want.entries()) {
    const near = Object.is(got[i], x) || Math.abs(got[i] - x) <= 4e-7 * Math.max(1, Math.abs(x));
    assert.ok(near, `element ${i}: ${got[i]}, not ${x}`);
  }
};
const softmax = (scores: number[]) => {
  const parts = scores.map((s) => Math.exp(s));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
};

for (const variant of variants) {
  test(`lower-right causal with more queries than keys: the first rows see nothing, ${variant}`, async () => {
    const attention = await engine(variant);
    const value = column(3, 5);
    const options: AttendOptions = { causal: "lower-right", logSumExp: true, weights: true };
    const { output, logSumExp, weights } = attention.attend(zeros(4), ones(2), value, options);
    close(output.data, [0, 0, 3, 4]);
    close(logSumExp!.data, [-Infinity, -Infinity, 0, Math.log(2)]);
    close(weights!.data, [0, 0, 0, 0, 1, 0, 0.5, 0.5]);
    const upper = attention.attend(zeros(4), ones(2), value, { causal: "upper-left" });
    close(upper.output.data, [3, 4, 4, 4]);
    // Of each batch by its own lengths.
    const batched = (x: Tensor, b: number) =>
      tensor(new Float32Array(x.data.length * b).fill(0), [b, 1, ...x.dims]);
    const v = tensor(Float32Array.of(3, 5, 3, 5), [2, 1, 2, 1]);
    const each = attention.attend(batched(zeros(4), 2), batched(zeros(2), 2), v, {
      causal: "lower-right",
      keyLengths: [1, 2],
      queryLengths: [4, 3],
    });
    close(each.output.data, [0, 0, 0, 3, 0, 3, 4, 0]);
  });

  test(`a row without a visible key is 0 and −∞, whatever hides them, ${variant}`, async () => {
    const attention = await engine(variant);
    const hiding: [string, AttendOptions][] = [
      ["keyLengths", { keyLengths: [0] }],
      ["causal", { causal: true, queryOffset: -3 }],
      ["window", { window: { left: 0, right: 0 }, queryOffset: 3 }],
      ["boolean mask", { mask: { data: Uint8Array.of(0), dims: [1] } }],
      ["additive mask", { mask: { data: Float32Array.of(-Infinity), dims: [1] } }],
      ["integer mask", { mask: new Int32Array(9) }],
      ["long mask", { mask: new BigInt64Array(9) }],
      ["short mask", { mask: { data: Uint8Array.of(0, 0), dims: [2], shorter: true } }],
      ["block mask", { blockMask: { data: Uint8Array.of(0), dims: [1, 1, 1, 1], size: 3 } }],
      ["scoreMod", { scoreMod: ({ scores }) => scores.fill(-Infinity) }],
    ];
    const with_: AttendOptions[] = [
      {},
      { softcap: 2 },
      { alibi: { slopes: [1] } },
      { scores: "raw" },
      { scores: "capped", softcap: 3 },
      { scores: "biased" },
      { scores: "probabilities" },
    ];
    for (const [name, hidden] of hiding)
      for (const options of with_) {
        const got = attention.attend(ones(3), ones(3), column(1, NaN, 2), {
          ...options,
          ...hidden,
          weights: true,
          logSumExp: true,
        });
        assert.deepEqual([...got.output.data], [0, 0, 0], name);
        assert.deepEqual([...got.weights!.data], new Array(9).fill(0), name);
        assert.deepEqual([...got.logSumExp!.data], new Array(3).fill(-Infinity), name);
        if (options.scores === "biased")
          assert.deepEqual([...got.scores!.data], new Array(9).fill(-Infinity), name);
      }
    // A sink keeps all the weight: still no value, but a logSumExp.
    const sunk = attention.attend(ones(3), ones(3), ones(3), {
      keyLengths: [0],
      sinks: [2],
      logSumExp: true,
    });
    close(sunk.output.data, [0, 0, 0]);
    close(sunk.logSumExp!.data, [2, 2, 2]);
  });

  test(`soft cap comes before ALiBi, and ALiBi has its three distances, ${variant}`, async () => {
    const attention = await engine(variant);
    const [query, key] = [column(4, 4), column(1, -1, 2)];
    const capped = (j: number) => 3 * Math.tanh((4 * key.data[j]) / 3);
    const distances = {
      absolute: (i: number, j: number) => -Math.abs(i + 1 - j),
      signed: (i: number, j: number) => j - (i + 1),
      key: (_: number, j: number) => j,
    };
    for (const [name, distance] of Object.entries(distances)) {
      const { weights, scores } = attention.attend(query, key, key, {
        scale: 1,
        softcap: 3,
        queryOffset: 1,
        alibi: { slopes: [0.5], distance: name as keyof typeof distances },
        weights: true,
        scores: "biased",
      });
      const rows = [0, 1].map((i) => [0, 1, 2].map((j) => capped(j) + 0.5 * distance(i, j)));
      close(scores!.data, rows.flat());
      close(weights!.data, rows.flatMap(softmax));
    }
    // FlashInfer's order, ALiBi and then the cap, is said by scoreMod.
    const { scores } = attention.attend(query, key, key, {
      scale: 1,
      scores: "biased",
      scoreMod: (tile) => {
        for (let i = 0; i < tile.rows; i++)
          for (let j = 0; j < tile.columns; j++) {
            const at = i * tile.columns + j;
            const biased = tile.scores[at] + 0.5 * (tile.key + j - (tile.query + i));
            tile.scores[at] = 3 * Math.tanh(biased / 3);
          }
      },
    });
    close(
      scores!.data,
      [0, 1].flatMap((i) =>
        [0, 1, 2].map((j) => 3 * Math.tanh((4 * key.data[j] + 0.5 * (j - i)) / 3)),
      ),
    );
  });

  test(`masks shorter than S leave out what they do not cover, ${variant}`, async () => {
    const attention = await engine(variant);
    const value = column(1, 2, 30, 40);
    for (const data of [
      Uint8Array.of(1, 1),
      Float32Array.of(0, 0),
      Int32Array.of(7, 1),
      BigInt64Array.of(1n, 2n),
    ]) {
      const mask = { data, dims: [2], shorter: true };
      close(attention.attend(zeros(2), ones(4), value, { mask }).output.data, [1.5, 1.5]);
      assert.throws(
        () => attention.attend(zeros(2), ones(4), value, { mask: { data, dims: [2] } }),
        {
          argument: "mask.dims",
        },
      );
    }
  });

  test(`integer masks: 0 is left out, what is above it takes part, ${variant}`, async () => {
    const attention = await engine(variant);
    const value = column(1, 2, 4);
    for (const data of [Int32Array.of(1, 0, 0), BigInt64Array.of(9n, 0n, 0n)]) {
      close(
        attention.attend(zeros(1), ones(3), value, { mask: { data, dims: [3] } }).output.data,
        [1],
      );
      close(attention.attend(zeros(1), ones(3), value, { mask: data }).output.data, [1]);
    }
  });

  test(`block masks: the last blocks may be partial, tiles left out are not read, ${variant}`, async () => {
    const attention = await engine(variant);
    const data = Uint8Array.of(1, 0, 0, 1);
    const value = column(1, 2, 3, NaN, 5);
    const blockMask = { data, dims: [1, 1, 2, 2], size: 3 };
    const { output } = attention.attend(zeros(5), zeros(5), value, { blockMask });
    close(output.data, [2, 2, 2, NaN, NaN]);
    let rows = 0;
    const large = (n: number) => tensor(new Float32Array(n), [n, 1]);
    attention.attend(large(512), large(512), large(512), {
      blockMask: { data: Uint8Array.of(1, 0, 0, 0), dims: [1, 1, 2, 2], size: 256 },
      scoreMod: (tile) => {
        rows += tile.rows * tile.columns;
      },
    });
    assert.equal(rows, 256 * 256, "the cost follows the blocks kept");
  });

  test(`sinks take weight and give no value; −∞ is none, ${variant}`, async () => {
    const attention = await engine(variant);
    const [query, key, value] = [column(1), column(1, 2), column(10, 20)];
    const heads = (x: Tensor) => tensor(Float32Array.of(...x.data, ...x.data), [2, ...x.dims]);
    const { output, logSumExp, weights } = attention.attend(
      heads(query),
      heads(key),
      heads(value),
      {
        scale: 1,
        sinks: [3, -Infinity],
        logSumExp: true,
        weights: true,
      },
    );
    const [a, b] = softmax([1, 2, 3]);
    const [c, d] = softmax([1, 2]);
    close(weights!.data, [a, b, c, d]);
    close(output.data, [10 * a + 20 * b, 10 * c + 20 * d]);
    close(logSumExp!.data, [
      Math.log(Math.E + Math.E ** 2 + Math.E ** 3),
      Math.log(Math.E + Math.E ** 2),
    ]);
  });
}
