// The layer with bias_k, bias_v and add_zero_attn, forward and backward, against the float64 reference
// with those keys after the others; and the reference's gradients of the bias by finite differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appendedKeys, type LayerOptions, MultiHeadAttention, type Tensor } from "wasm-attention";
import { multiHeadBackward } from "wasm-attention/training";
import { engine, randomArray, randomTensor, variants } from "./engines";
import { dropoutFactors } from "./philox";
import { attend, type Round, shareOfTolerance } from "./reference";
import { attendBackward, type BackwardProblem } from "./reference-backward";
import { linearGradients, type Numbers, splitHeads } from "./reference-layer";
import { linear } from "./reference-linear";

const of = (seed: number, ...dims: number[]) => randomTensor(dims, seed);

const [B, L, H, Hkv, D, Dv] = [2, 9, 4, 2, 5, 3];
const [queryInput, keyInput, valueInput, outputSize] = [11, 13, 7, 19];

const weights = {
  wq: of(1, queryInput, H * D),
  wk: of(2, keyInput, Hkv * D),
  wv: of(3, valueInput, Hkv * Dv),
  dense: of(4, H * Dv, outputSize),
};
const bias = { key: of(5, 1, 1, Hkv * D), value: of(6, Hkv * Dv) };

interface Case {
  S: number;
  withBias: boolean;
  zeros: boolean;
  everything: boolean;
}

/** Options of the layer, and what they mean to the reference for the inputs' own keys. */
function optionsOf({ S, everything }: Case) {
  const takesPart = Uint8Array.from({ length: L * S }, (_, k) => (k % 5 ? 1 : 0));
  const additive = randomArray(H * S, 7);
  const [slopes, sinks] = [randomArray(H, 8), randomArray(H, 9)];
  const [queryLengths, keyLengths] = everything
    ? [
        [L, 5],
        [S, 0],
      ]
    : [
        [L, L],
        [S, S],
      ];
  const dropout = { probability: 0.4, seed: 2 ** 40 + 11 };
  const options: LayerOptions = everything
    ? {
        causal: true,
        queryOffset: 6,
        softcap: 2,
        mask: [
          { data: takesPart, dims: [L, S] },
          { data: additive, dims: [H, 1, S] },
        ],
        alibi: { slopes },
        sinks,
        queryLengths,
        keyLengths,
        dropout,
      }
    : {};
  const factors = [false, true].map((ofAppended) =>
    dropoutFactors(dropout.probability, dropout.seed, H, ofAppended),
  );
  const own = (j: number) => everything && j < S;
  const present: BackwardProblem["present"] = (b, i, j) =>
    i < queryLengths[b] && (j >= S || j < keyLengths[b]);
  const meaning = {
    present,
    visible: (b: number, _h: number, i: number, j: number) =>
      present(b, i, j) && (!own(j) || (j <= i + 6 && takesPart[i * S + j] === 1)),
    bias: (_b: number, h: number, _i: number, j: number) => (own(j) ? additive[h * S + j] : 0),
    ...(everything && {
      softcap: 2,
      sinks,
      alibi: (_b: number, h: number, i: number, j: number) =>
        own(j) ? -slopes[h] * Math.abs(i + 6 - j) : 0,
      distance: (_b: number, i: number, j: number) => (own(j) ? -Math.abs(i + 6 - j) : 0),
      dropout: (b: number, h: number, i: number, j: number) =>
        j < S ? factors[0](b, h, i, j) : factors[1](b, h, i, j - S),
    }),
  };
  return { options, meaning };
}

/** Everything the layer gives, from the formulas. `rows` are the appended keys and values. */
function solve(
  drawn: Case,
  inputs: Numbers[],
  rows: Record<"key" | "value", Numbers>,
  dy: Numbers,
) {
  return (round?: Round) => {
    const { S } = drawn;
    const [x, y, z] = inputs;
    const extra = Number(drawn.withBias) + Number(drawn.zeros);
    const project = (data: Numbers, { data: matrix, dims: [ins, outs] }: Tensor) =>
      linear(data, matrix, undefined, data.length / ins, ins, outs, round);
    const longer = (data: Numbers, row: Numbers) => {
      const size = data.length / (B * S);
      return Float64Array.from({ length: B * (S + extra) * size }, (_, k) => {
        const [b, j, d] = [
          Math.floor(k / ((S + extra) * size)),
          Math.floor(k / size) % (S + extra),
          k % size,
        ];
        if (j < S) return data[(b * S + j) * size + d];
        return drawn.withBias && j === S ? row[d] : 0;
      });
    };
    const problem: BackwardProblem = {
      batch: B,
      heads: H,
      keyValueHeads: Hkv,
      queries: L,
      keys: S + extra,
      headSize: D,
      valueSize: Dv,
      query: splitHeads(project(x, weights.wq), B, L, H),
      key: splitHeads(longer(project(y, weights.wk), rows.key), B, S + extra, Hkv),
      value: splitHeads(longer(project(z, weights.wv), rows.value), B, S + extra, Hkv),
      outputGradient: new Float32Array(),
      scale: 1 / Math.sqrt(D),
      ...optionsOf(drawn).meaning,
    };
    const solution = attend(problem, round);
    const mixed = splitHeads(solution.output, B, H, L);
    const output = linearGradients(dy, mixed, weights.dense, round);
    problem.outputGradient = splitHeads(output.input, B, L, H);
    const { gradients, reaches } = attendBackward(problem, round);
    const query = linearGradients(splitHeads(gradients.query, B, H, L), x, weights.wq, round);
    const back = (data: Float64Array) => {
      const whole = splitHeads(data, B, Hkv, S + extra);
      const size = whole.length / (B * (S + extra));
      const own = Array.from({ length: B }, (_, b) => [
        ...whole.slice(b * (S + extra) * size, (b * (S + extra) + S) * size),
      ]).flat();
      const first = Float64Array.from({ length: size }, (_, d) => {
        let sum = 0;
        for (let b = 0; b < B; b++) sum += whole[(b * (S + extra) + S) * size + d];
        return sum;
      });
      return { own, first };
    };
    const [key, value] = [back(gradients.key), back(gradients.value)];
    return {
      ...solution,
      layer: project(mixed, weights.dense),
      gradients,
      reaches,
      query,
      key: linearGradients(key.own, y, weights.wk, round),
      value: linearGradients(value.own, z, weights.wv, round),
      dense: output,
      bias: { key: key.first, value: value.first },
    };
  };
}

const inputsOf = (S: number) => [
  of(21, B, L, queryInput),
  of(22, B, S, keyInput),
  of(23, B, S, valueInput),
];
const dy = of(24, B, L, outputSize);

const cases: Case[] = [
  { S: 21, withBias: true, zeros: false, everything: false },
  { S: 21, withBias: false, zeros: true, everything: false },
  { S: 133, withBias: true, zeros: true, everything: false },
  { S: 21, withBias: true, zeros: true, everything: true },
  { S: 133, withBias: true, zeros: false, everything: true },
  { S: 133, withBias: false, zeros: true, everything: true },
];

for (const variant of variants)
  for (const drawn of cases)
    test(`appended keys forward and backward, ${JSON.stringify(drawn)}, ${variant}`, async () => {
      const attention = await engine(variant);
      const { S } = drawn;
      const inputs = inputsOf(S);
      const data = inputs.map((x) => x.data);
      const config = {
        heads: H,
        keyValueHeads: Hkv,
        appended: appendedKeys({
          addZeroAttention: drawn.zeros,
          biasKeyValue: drawn.withBias ? bias : undefined,
        }),
      };
      using layer = MultiHeadAttention.fromMatrices(attention, weights, config);
      const { used } = attention.memory;
      const { options } = optionsOf(drawn);
      const got = layer.forward(
        { query: inputs[0], key: inputs[1], value: inputs[2] },
        {
          ...options,
          record: true,
          weights: true,
          logSumExp: true,
        },
      );
      const { record } = got;
      assert.ok(record && got.weights && got.logSumExp);
      const target = of(31, B, L, queryInput);
      const before = target.data.slice();
      const back = multiHeadBackward(layer, dy, record, {
        gradients: drawn.everything ? { mask: true, alibi: true, sinks: true } : undefined,
        out: { query: target },
        accumulate: true,
      });
      assert.equal(attention.memory.used, used, "the record is gone");

      const solved = solve(drawn, data, { key: bias.key.data, value: bias.value.data }, dy.data);
      const [truth, naive] = [solved(), solved(Math.fround)];
      type Solved = typeof truth;
      const within = (
        name: string,
        a: Numbers | undefined,
        pick: (s: Solved) => Numbers,
        reach?: number,
      ) => {
        assert.ok(a, name);
        const share = shareOfTolerance(a, pick(truth), [pick(naive)], reach);
        assert.ok(share <= 1, `${name}: ${share} of the tolerance`);
      };
      within("output", got.output.data, (s) => s.layer);
      within("weights", got.weights.data, (s) => s.weights);
      within("logSumExp", got.logSumExp.data, (s) => s.logSumExp);
      within("query", back.queryGradient.data, (s) => s.query.input.map((g, k) => g + before[k]));
      within("key", back.keyGradient?.data, (s) => s.key.input);
      within("value", back.valueGradient?.data, (s) => s.value.input);
      within("query weight", back.weights.query.weight.data, (s) => s.query.weight);
      within("key weight", back.weights.key.weight.data, (s) => s.key.weight);
      within("value weight", back.weights.value.weight.data, (s) => s.value.weight);
      within("dense", back.weights.output.weight.data, (s) => s.dense.weight);
      if (drawn.withBias) {
        assert.deepEqual(back.biasKeyValue?.key.dims, [1, 1, Hkv * D]);
        assert.deepEqual(back.biasKeyValue.value.dims, [Hkv * Dv]);
        within("bias key", back.biasKeyValue.key.data, (s) => s.bias.key);
        within("bias value", back.biasKeyValue.value.data, (s) => s.bias.value);
      } else assert.equal(back.biasKeyValue, undefined);
      if (!drawn.everything) return;
      const overBatches = (sums: Float64Array) =>
        Float64Array.from({ length: H }, (_, h) => sums[h] + sums[H + h]);
      const { sinks, slopes } = truth.reaches;
      within("sinks", back.sinksGradient?.data, (s) => overBatches(s.gradients.sinks), B * sinks);
      within(
        "slopes",
        back.slopesGradient?.data,
        (s) => overBatches(s.gradients.slopes),
        B * slopes,
      );
      assert.deepEqual(
        back.maskGradients?.map((mask) => mask?.dims),
        [undefined, [H, 1, S]],
      );
      within("mask", back.maskGradients?.[1]?.data, ({ gradients }) =>
        Float64Array.from({ length: H * S }, (_, at) => {
          const [h, j] = [Math.floor(at / S), at % S];
          const width = gradients.bias.length / (B * H * L);
          let sum = 0;
          for (let b = 0; b < B; b++)
            for (let i = 0; i < L; i++) sum += gradients.bias[((b * H + h) * L + i) * width + j];
          return sum;
        }),
      );
    });

test("the reference's gradients of the bias against finite differences", () => {
  for (const drawn of cases) {
    if (!drawn.withBias) continue;
    const data = inputsOf(drawn.S).map((x) => x.data);
    const rows = {
      key: Float64Array.from(bias.key.data),
      value: Float64Array.from(bias.value.data),
    };
    const loss = () => {
      const { layer } = solve(drawn, data, rows, dy.data)();
      return dy.data.reduce((sum, g, k) => sum + g * layer[k], 0);
    };
    const { bias: gradients } = solve(drawn, data, rows, dy.data)();
    for (const name of ["key", "value"] as const)
      for (const at of rows[name].keys()) {
        const [there, step] = [rows[name][at], 2 ** -17];
        rows[name][at] = there + step;
        const above = loss();
        rows[name][at] = there - step;
        const below = loss();
        rows[name][at] = there;
        const slope = (above - below) / (2 * step);
        const error = Math.abs(slope - gradients[name][at]);
        assert.ok(error < 1e-6 * (1 + Math.abs(slope)), `${name}[${at}]: ${error}`);
      }
  }
});
