// Gradients through what attend returns and through functions: threads, what throws, what is left out, parts that were
// merged, packed sequences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendPacked, mergeStates, type ScoreTile, type Tensor, tensor } from "wasm-attention";
import { relativeBias } from "wasm-attention/positions";
import {
  type AttendGradients,
  attendBackward,
  attendBackwardAsync,
  attendPackedBackward,
  type BackwardOptions,
  type ScoreGradientTile,
} from "wasm-attention/training";
import { bitsOf, engine, randomTensor, variants } from "./engines";

for (const variant of variants) {
  test(`threads and asynchronous calls change no bit, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const dims = [1, 4, 130, 24];
    const [query, key, value, outputGradient] = [1, 2, 3, 4].map((seed) =>
      randomTensor(dims, seed),
    );
    const bias = randomTensor([1, 259], 5);
    const forward = { causal: true, mask: relativeBias(bias) } as const;
    const state = one.attend(query, key, value, { ...forward, weights: true, logSumExp: true });
    const pass = {
      ...{ query, key, value, ...state, outputGradient },
      weightsGradient: randomTensor([1, 4, 130, 130], 6),
      logSumExpGradient: randomTensor([1, 4, 130], 7),
    };
    const options = { ...forward, gradients: { mask: true } } as const;
    const want = bitsOf(attendBackward(one, pass, options));
    assert.deepEqual(bitsOf(attendBackward(two, pass, options)), want);
    for (const attention of [one, two]) {
      assert.deepEqual(bitsOf(await attendBackwardAsync(attention, pass, options)), want);
    }
    // A function is called by the calling thread, and tile after tile in the same order.
    const seen: number[][] = [];
    const modified = {
      causal: true,
      scoreMod: () => undefined,
      scoreModGradient: ({ head, query: i, key: j }: ScoreGradientTile) =>
        void seen.push([head, i, j]),
    } as const;
    const plain = one.attend(query, key, value, { causal: true, logSumExp: true });
    const given = { query, key, value, ...plain, outputGradient };
    const unmodified = bitsOf(attendBackward(one, given, { causal: true }));
    for (const attention of [one, two]) {
      assert.deepEqual(bitsOf(attendBackward(attention, given, modified)), unmodified);
      const later = await attendBackwardAsync(attention, given, modified);
      assert.deepEqual(bitsOf(later), unmodified);
    }
    const calls = seen.length / 4;
    for (let k = 1; k < 4; k++)
      assert.deepEqual(seen.slice(k * calls, (k + 1) * calls), seen.slice(0, calls));
    two.dispose();
  });

  test(`what a function throws the call throws, and nothing is written, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const x = randomTensor([1, 1, 5, 4], 1);
    const state = attention.attend(x, x, x, { logSumExp: true });
    const out = { query: new Float32Array(20).fill(7) };
    const pass = { query: x, key: x, value: x, ...state, outputGradient: x };
    const scoreModGradient = () => {
      throw new Error("of mine");
    };
    const options = { scoreMod: () => undefined, scoreModGradient, out };
    assert.throws(() => attendBackward(attention, pass, options), /of mine/);
    await assert.rejects(attendBackwardAsync(attention, pass, options), /of mine/);
    assert.deepEqual(out.query, new Float32Array(20).fill(7));
    assert.equal(attention.memory.used, used);
    const inside = () => void attention.attend(x, x, x);
    assert.throws(
      () => attendBackward(attention, pass, { ...options, scoreModGradient: inside }),
      /an engine that is not running a scoreMod/,
    );
  });

  test(`keys that are left out have no gradient, whatever stands there, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = randomTensor([1, 1, 5, 4], 1);
    const seen = Uint8Array.from({ length: 25 }, (_, at) => (at > 4 && at % 5 < 3 ? 1 : 0));
    const forward = { mask: { data: seen, dims: [5, 5] }, logSumExp: true, weights: true } as const;
    const keys = tensor(x.data.slice(), x.dims);
    const clean = () => {
      const state = attention.attend(x, keys, keys, forward);
      return (what: number, scoreModGradient?: BackwardOptions["scoreModGradient"]) =>
        attendBackward(
          attention,
          {
            ...{ query: x, key: keys, value: keys, ...state, outputGradient: x },
            weightsGradient: tensor(
              Float32Array.from(seen, (is) => (is ? 1 : what)),
              [1, 1, 5, 5],
            ),
          },
          { ...forward, ...(scoreModGradient && { scoreMod: () => undefined, scoreModGradient }) },
        );
    };
    const want = clean()(0);
    keys.data.fill(Number.NaN, 12);
    for (const what of [0, Number.NaN, Infinity]) {
      assert.deepEqual(clean()(what), want);
      const times = ({ scores, gradients }: ScoreGradientTile) => {
        for (let i = 0; i < gradients.length; i++) gradients[i] += 0 * scores[i];
      };
      assert.deepEqual(clean()(what, times), want);
      const spoilt = ({ gradients }: ScoreGradientTile) => {
        for (let i = 0; i < gradients.length; i++) if (gradients[i] === 0) gradients[i] = what;
      };
      assert.deepEqual(clean()(what, spoilt), want);
    }
    assert.deepEqual([...want.queryGradient.data.slice(0, 4)], [0, 0, 0, 0]);
  });
}

test("parts that were merged are gone back through by the merged state", async () => {
  const attention = await engine("portable");
  const query = randomTensor([1, 2, 9, 8], 1);
  const rows = randomTensor([1, 2, 40, 8], 2);
  const cut = (from: number, to: number): Tensor => {
    const data = [0, 1].flatMap((h) => [
      ...rows.data.slice((h * 40 + from) * 8, (h * 40 + to) * 8),
    ]);
    return tensor(Float32Array.from(data), [1, 2, to - from, 8]);
  };
  const parts = [cut(0, 13), cut(13, 40)];
  const states = parts.map((part) => attention.attend(query, part, part, { logSumExp: true }));
  const merged = mergeStates(attention, states);
  const outputGradient = randomTensor([1, 2, 9, 8], 3);
  const logSumExpGradient = randomTensor([1, 2, 9], 4);
  const given = { outputGradient, logSumExpGradient };
  const whole = attendBackward(attention, {
    ...{ query, key: rows, value: rows, ...given },
    ...attention.attend(query, rows, rows, { logSumExp: true }),
  });
  const each = parts.map((part) =>
    attendBackward(attention, { query, key: part, value: part, ...merged, ...given }),
  );
  const near = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    for (const [i, x] of Array.from(a).entries())
      assert.ok(Math.abs(x - b[i]) < 1e-5, `${x} for ${b[i]}`);
  };
  near(
    whole.queryGradient.data.map(
      (_, i) => each[0].queryGradient.data[i] + each[1].queryGradient.data[i],
    ),
    whole.queryGradient.data,
  );
  for (const name of ["keyGradient", "valueGradient"] as const) {
    const rowsOf = (g: AttendGradients, h: number, count: number) =>
      g[name].data.slice(h * count * 8, (h + 1) * count * 8);
    for (const h of [0, 1])
      near([...rowsOf(each[0], h, 13), ...rowsOf(each[1], h, 27)], rowsOf(whole, h, 40));
  }
});

test("packed sequences: logSumExp's gradient, scoreMod's and a relative bias, as of each alone", async () => {
  const attention = await engine("relaxed");
  const x = randomTensor([12, 2, 4], 1);
  const dy = randomTensor([12, 2, 4], 2);
  const dlse = randomTensor([2, 12], 3);
  const bias = randomTensor([2, 17], 4);
  const mask = relativeBias(bias);
  const ends = [0, 5, 5, 12];
  const halve = (numbers: Float32Array) => {
    for (let i = 0; i < numbers.length; i++) numbers[i] *= 0.5;
  };
  const scoreMod = ({ scores }: ScoreTile) => halve(scores);
  const scoreModGradient = ({ gradients }: ScoreGradientTile) => halve(gradients);
  const packed = { cumulativeQueries: ends, causal: true, mask } as const;
  for (const modified of [false, true]) {
    const forward = { causal: true, mask, ...(modified && { scoreMod }) } as const;
    const backward = { ...(modified && { scoreModGradient }), gradients: { mask: true } } as const;
    const state = attendPacked(attention, x, x, x, {
      ...{ cumulativeQueries: ends, ...forward },
      logSumExp: true,
    });
    const got = attendPackedBackward(
      attention,
      { query: x, key: x, value: x, ...state, outputGradient: dy, logSumExpGradient: dlse },
      { cumulativeQueries: ends, ...forward, ...backward },
    );
    const sums = new Float64Array(34);
    for (const [from, to] of [
      [0, 5],
      [5, 12],
    ]) {
      const rows = (t: Tensor) => tensor(t.data.slice(from * 8, to * 8), [to - from, 2, 4]);
      const own = tensor(
        Float32Array.from([0, 1].flatMap((h) => [...dlse.data.slice(h * 12 + from, h * 12 + to)])),
        [2, to - from],
      );
      const each = rows(x);
      const options = { layout: "BLHD", ...forward } as const;
      const alone = attention.attend(each, each, each, { ...options, logSumExp: true });
      const given = { outputGradient: rows(dy), logSumExpGradient: own };
      const back = attendBackward(
        attention,
        { query: each, key: each, value: each, ...alone, ...given },
        { ...options, ...backward },
      );
      for (const name of ["queryGradient", "keyGradient", "valueGradient"] as const)
        assert.deepEqual(rows(got[name]).data, back[name].data);
      back.maskGradient?.data.forEach((g, i) => {
        sums[i] += g;
      });
    }
    for (const [i, sum] of sums.entries())
      assert.ok(Math.abs((got.maskGradient as Tensor).data[i] - sum) < 1e-5);
  }
  const state = attendPacked(attention, x, x, x, { ...packed, logSumExp: true });
  assert.throws(
    () =>
      attendPackedBackward(
        attention,
        { query: x, key: x, value: x, ...state, outputGradient: dy, weightsGradient: dy },
        packed,
      ),
    /"weightsGradient" expected no value: sequences are laid end to end/,
  );
});
