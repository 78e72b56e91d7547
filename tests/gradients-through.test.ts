// attendBackward through returned weights, logSumExp, scoreMod and relative biases, against central differences of the
// formulas in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AttendOptions,
  attendPacked,
  mergeStates,
  type ScoreTile,
  type Tensor,
  tensor,
} from "wasm-attention";
import { relativeBias } from "wasm-attention/positions";
import {
  type AttendGradients,
  attendBackward,
  attendBackwardAsync,
  attendPackedBackward,
  type BackwardOptions,
  type ScoreGradientTile,
} from "wasm-attention/training";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";
import { along, differences, dot, type HeadSizes, modifiedHeads } from "./reference-modified";

const small: HeadSizes[] = [
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 1, keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: 4, keyValueHeads: 2, queries: 3, keys: 5, depth: 3, columns: 2 },
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 7, keys: 6, depth: 9, columns: 10 },
];
const edges: HeadSizes[] = [
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 67, keys: 131, depth: 11, columns: 8 },
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 130, keys: 257, depth: 8, columns: 5 },
];

interface Form {
  causal?: boolean;
  softcap?: number;
  dropout?: { probability: number; seed: number };
  masked?: boolean;
  /** Scores become s · factor[i % 3] + table[h][j − i + n − 1]. */
  scoreMod?: boolean;
  /** A bias of each head, or one for all. */
  relative?: "each" | "all";
  lengths?: boolean;
}

const forms: Form[] = [
  {},
  { causal: true, softcap: 2 },
  { masked: true, lengths: true },
  { dropout: { probability: 0.25, seed: 7 } },
  { scoreMod: true },
  { scoreMod: true, causal: true, softcap: 1.5, lengths: true },
  { relative: "each", causal: true },
  { relative: "all", softcap: 3, scoreMod: true },
];

/** Options, the truth of them, and what is learnt besides the tensors. */
function pose(sizes: HeadSizes, form: Form, seed: number) {
  const { batch, heads, keyValueHeads, queries, keys, depth, columns } = sizes;
  const query = randomTensor([batch, heads, queries, depth], seed, 2);
  const key = randomTensor([batch, keyValueHeads, keys, depth], seed + 1, 2);
  const value = randomTensor([batch, keyValueHeads, keys, columns], seed + 2);
  const n = Math.max(queries, keys);
  const span = 2 * n - 1;
  const shared = form.relative === "all" ? 1 : heads;
  const bias = randomTensor([shared, span], seed + 3);
  const table = randomArray(heads * span, seed + 4);
  const factor = randomArray(3, seed + 5);
  const mask = Uint8Array.from(randomArray(queries * keys, seed + 6), (x) => (x > -0.3 ? 1 : 0));
  const lengths = Array.from({ length: batch }, (_, b) => Math.max(keys - 1 - b, 0));
  const exact = (x: Tensor | Float32Array) => Float64Array.from("dims" in x ? x.data : x);
  const numbers = {
    query: exact(query),
    key: exact(key),
    value: exact(value),
    bias: exact(bias),
    table: exact(table),
    factor: exact(factor),
  };
  const place = (i: number, j: number) => j - i + n - 1;
  const options: AttendOptions = {
    causal: form.causal,
    softcap: form.softcap,
    dropout: form.dropout,
    keyLengths: form.lengths ? lengths : undefined,
    mask: form.relative
      ? relativeBias(bias)
      : form.masked
        ? { data: mask, dims: [queries, keys] }
        : undefined,
    scoreMod: form.scoreMod
      ? ({ scores, head, query: first, key: from, rows, columns: wide }) => {
          for (let i = 0; i < rows; i++)
            for (let j = 0; j < wide; j++)
              scores[i * wide + j] =
                scores[i * wide + j] * factor[(first + i) % 3] +
                table[head * span + place(first + i, from + j)];
        }
      : undefined,
  };
  const learnt = { table: new Float64Array(table.length), factor: new Float64Array(3) };
  const scoreModGradient = form.scoreMod
    ? ({
        scores,
        gradients,
        head,
        query: first,
        key: from,
        rows,
        columns: wide,
      }: ScoreGradientTile) => {
        for (let i = 0; i < rows; i++)
          for (let j = 0; j < wide; j++) {
            const at = i * wide + j;
            learnt.table[head * span + place(first + i, from + j)] += gradients[at];
            learnt.factor[(first + i) % 3] += gradients[at] * scores[at];
            gradients[at] *= factor[(first + i) % 3];
          }
      }
    : undefined;
  const truth = (factors?: ArrayLike<number>) =>
    modifiedHeads(sizes, numbers, (b, h) => ({
      scale: 1 / Math.sqrt(depth),
      softcap: form.softcap ?? 0,
      visible: (i, j) =>
        (!form.causal || j <= i) &&
        (!form.lengths || j < lengths[b]) &&
        (!form.masked || mask[i * keys + j] === 1),
      scoreMod: form.scoreMod
        ? (s, i, j) => s * numbers.factor[i % 3] + numbers.table[h * span + place(i, j)]
        : undefined,
      bias: form.relative
        ? (i, j) => numbers.bias[(shared === 1 ? 0 : h * span) + place(i, j)]
        : undefined,
      weightMod: factors
        ? (w, i, j) => w * factors[((b * heads + h) * queries + i) * keys + j]
        : undefined,
    }));
  return { query, key, value, numbers, options, scoreModGradient, learnt, truth };
}

for (const variant of variants) {
  test(`gradients of every form are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of [...small, ...edges].entries())
      for (const [number, form] of forms.entries()) {
        const posed = pose(sizes, form, 1000 * index + 10 * number + 3);
        const { query, key, value, numbers, options, learnt, scoreModGradient } = posed;
        const asked = { ...options, logSumExp: true, weights: true } as const;
        const { output, logSumExp, weights } = attention.attend(query, key, value, asked);
        const outputGradient = randomTensor(output.dims, 11);
        const weightsGradient = randomTensor(weights.dims, 12);
        const logSumExpGradient = randomTensor(logSumExp.dims, 13);
        const back: BackwardOptions = {
          ...options,
          scoreModGradient,
          gradients: form.relative ? { mask: true } : undefined,
        };
        const got = attendBackward(
          attention,
          {
            ...{ query, key, value, output, logSumExp, weights },
            ...{ outputGradient, weightsGradient, logSumExpGradient },
          },
          back,
        );
        // Which weights are dropped is not what is tested here.
        const { probability = 0 } = form.dropout ?? {};
        const factors =
          form.dropout && weights.data.map((weight) => (weight ? 1 / (1 - probability) : 0));
        const loss = () => {
          const [o, w, lse] = posed.truth(factors);
          const total = dot(o, outputGradient.data) + dot(w, weightsGradient.data);
          return (
            total +
            lse.reduce(
              (sum, x, i) => (x === -Infinity ? sum : sum + x * logSumExpGradient.data[i]),
              0,
            )
          );
        };
        const whole = posed.truth(factors);
        for (const [i, x] of whole[0].entries()) assert.ok(Math.abs(output.data[i] - x) < 2e-5);
        const all: Record<string, ArrayLike<number> | undefined> = {
          query: got.queryGradient.data,
          key: got.keyGradient.data,
          value: got.valueGradient.data,
          bias: got.maskGradient?.data,
          ...(form.scoreMod && learnt),
        };
        assert.equal(all.bias !== undefined, form.relative !== undefined);
        for (const [name, gradient] of Object.entries(all)) {
          if (!gradient) continue;
          const moved = numbers[name as keyof typeof numbers];
          const what = `${name} of ${JSON.stringify({ sizes, form })}`;
          assert.equal(gradient.length, moved.length);
          if (sizes.queries > 60) {
            for (const seed of [5, 6]) {
              const direction = randomArray(moved.length, seed);
              const want = along(moved, direction, loss);
              const size = direction.reduce((sum, x, i) => sum + Math.abs(x * gradient[i]), 1);
              const error = Math.abs(dot(gradient, direction) - want) / size;
              assert.ok(error < 1e-5, `${what}: ${dot(gradient, direction)} for ${want}`);
            }
            continue;
          }
          const want = differences(moved, loss);
          const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
          want.forEach((x, i) => {
            const error = Math.abs(gradient[i] - x) / largest;
            assert.ok(error < 2e-5, `${what}: ${gradient[i]} for ${x}`);
          });
        }
        assert.equal(attention.memory.used, used);
      }
  });

  test(`a relative bias has the bits of its mask, wherever the queries are, ${variant}`, async () => {
    const attention = await engine(variant);
    const n = 150;
    const bias = randomTensor([2, 2, 2 * n - 1], 1, 3);
    for (const [queries, keys, queryOffset] of [
      [1, 150, 149],
      [70, 150, 80],
      [5, 40, -7],
      [150, 1, 0],
      [3, 0, 2],
    ]) {
      const query = randomTensor([2, 2, queries, 8], 2);
      const key = randomTensor([2, 2, keys, 8], 3);
      const data = Float32Array.from({ length: 4 * queries * keys }, (_, at) => {
        const [j, i] = [at % keys, Math.floor(at / keys) % queries];
        const head = Math.floor(at / (keys * queries));
        return bias.data[head * (2 * n - 1) + j - i - queryOffset + n - 1];
      });
      const given = { queryOffset, causal: queries > 1, logSumExp: true } as const;
      const whole = { data, dims: [2, 2, queries, keys] };
      const relative = relativeBias(bias, { queryOffset });
      const want = attention.attend(query, key, key, { ...given, mask: whole });
      const got = attention.attend(query, key, key, { ...given, mask: relative });
      assert.deepEqual(bitsOf(got), bitsOf(want));
      const further = { data: randomArray(keys, 5), dims: [1, keys] };
      assert.deepEqual(
        bitsOf(attention.attend(query, key, key, { ...given, mask: [relative, further] })),
        bitsOf(attention.attend(query, key, key, { ...given, mask: [whole, further] })),
      );
      const pass = { query, key, value: key, ...want, outputGradient: query };
      const back = (mask: BackwardOptions["mask"]) =>
        attendBackward(attention, pass, { ...given, mask, gradients: { mask: true } });
      const [one, other] = [back(relative), back(whole)];
      assert.deepEqual(one.queryGradient, other.queryGradient);
      const sums = new Float64Array(bias.data.length);
      other.maskGradient?.data.forEach((g, at) => {
        const [j, i] = [at % keys, Math.floor(at / keys) % queries];
        sums[Math.floor(at / (keys * queries)) * (2 * n - 1) + j - i - queryOffset + n - 1] += g;
      });
      assert.deepEqual(one.maskGradient?.dims, bias.dims);
      for (const [at, sum] of sums.entries())
        assert.ok(Math.abs((one.maskGradient as Tensor).data[at] - sum) < 1e-5);
    }
  });

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
