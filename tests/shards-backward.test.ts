// Back through shards: gradients of keys and values have the bits of attendBackward's, those of the query the
// same for any number of shards, held against float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAttention, type Tensor } from "wasm-attention";
import {
  attendSharded,
  attendShardedBackward,
  ShardError,
  type ShardedBackwardOptions,
  type TrainingShard,
  trainingShard,
} from "wasm-attention/shards";
import { attendBackward, type BackwardOptions } from "wasm-attention/training";
import { CASES, type Case, inputs, KEYS, part, SPAN, shardsOf, starts } from "./checks/shards";
import { bitsOf, engine, randomTensor, variants, type Whole } from "./engines";
import { once } from "./once";
import { type Draws, naiveDraws, type Problem, shareOfDraws } from "./reference";
import { attendBackward as solve } from "./reference-backward";

type Gradients = { query: Tensor; key: Tensor; value: Tensor };

/** What shards give, their keys' and values' put together; by how many shards. */
async function gone(attention: Whole, drawn: Case, count: number, wanted: object = {}) {
  const { query, key, value } = inputs(drawn);
  const shards = (await shardsOf(key, value, count, (k, v) =>
    trainingShard(attention, { key: k, value: v }),
  )) as TrainingShard[];
  const forward = await attendSharded(attention, query, shards, drawn.options);
  const outputGradient = randomTensor(forward.output.dims, 4);
  const options = { ...drawn.options, ...wanted } as ShardedBackwardOptions;
  const pass = { ...forward, query, outputGradient };
  const got = await attendShardedBackward(attention, pass, shards, options);
  const at = starts(key.dims[2] as number, count);
  const whole = (like: Tensor, name: "keyGradient" | "valueGradient"): Tensor => {
    const [batch, heads, rows, size] = like.dims as [number, number, number, number];
    const data = new Float32Array(like.data.length);
    for (const [index, shard] of got.shards.entries()) {
      const from = at[index] as number;
      const own = shard[name];
      if (!own) continue;
      const count = own.dims[2] as number;
      for (let h = 0; h < batch * heads; h++) {
        const some = own.data.subarray(h * count * size, (h + 1) * count * size);
        data.set(some, (h * rows + from) * size);
      }
    }
    return { data, dims: like.dims };
  };
  const gradients: Gradients = {
    query: got.queryGradient,
    key: whole(key, "keyGradient"),
    value: whole(value, "valueGradient"),
  };
  return { got, gradients, pass: { ...pass, key, value } };
}

for (const variant of variants) {
  for (const [name, drawn] of Object.entries(CASES)) {
    test(`${name}: back through 1, 2, 3 and 5 shards, ${variant}`, async () => {
      using attention = await engine(variant);
      const { used } = attention.memory;
      let first: Gradients | undefined;
      const spans = Math.ceil((drawn.keys ?? KEYS) / SPAN);
      for (const count of [1, 2, 3, 5]) {
        if (count > spans) continue;
        const { gradients, pass } = await gone(attention, drawn, count);
        const { output, logSumExp, query, key, value, outputGradient } = pass;
        const want = attendBackward(
          attention,
          { output, logSumExp, query, key, value, outputGradient },
          drawn.options as BackwardOptions,
        );
        const local = { key: want.keyGradient, value: want.valueGradient };
        assert.deepEqual(bitsOf({ key: gradients.key, value: gradients.value }), bitsOf(local));
        if (spans === 1)
          assert.deepEqual(bitsOf({ q: gradients.query }), bitsOf({ q: want.queryGradient }));
        first ??= gradients;
        assert.deepEqual(bitsOf(gradients), bitsOf(first));
      }
      assert.equal(attention.memory.used, used);
    });
  }
}

const CHECKED = ["plain", "causal", "sinks once", "softcap", "alibi", "ragged"] as const;

/** The same call to the reference. */
function problemOf(drawn: Case, outputGradient: Float32Array) {
  const { query, key, value } = inputs(drawn);
  const [batch, heads, queries, headSize] = query.dims as [number, number, number, number];
  const [, keyValueHeads, keys] = key.dims as [number, number, number];
  const { causal, queryOffset, sinks, softcap, scale, alibi } = drawn.options ?? {};
  const { keyLengths, queryLengths } = drawn.options ?? {};
  const rows = (b: number) => queryLengths?.[b] ?? queries;
  const columns = (b: number) => keyLengths?.[b] ?? keys;
  const offset = (b: number) =>
    causal === "lower-right" || (alibi && causal)
      ? columns(b) - rows(b)
      : ((queryOffset as number | undefined) ?? 0);
  const distance = (b: number, i: number, j: number) => -Math.abs(offset(b) + i - j);
  const problem: Problem = {
    ...{ batch, heads, keyValueHeads, queries, keys, headSize, valueSize: value.dims[3] as number },
    ...{ query: query.data, key: key.data, value: value.data },
    scale: scale ?? 1 / Math.sqrt(headSize),
    present: (b, i, j) => i < rows(b) && j < columns(b),
    visible: (b, _h, i, j) => !causal || j <= offset(b) + i,
    bias: () => 0,
    ...(softcap && { softcap }),
    ...(sinks && { sinks }),
    ...(alibi && {
      distance,
      alibi: (b, h, i, j) => Math.fround((alibi.slopes[h] as number) * distance(b, i, j)),
    }),
  };
  return { ...problem, outputGradient };
}

type Truth = ReturnType<typeof solve>;
const solved = once<{ readonly truth: Truth; readonly naive: Draws<Truth> }>();

for (const variant of variants) {
  for (const name of CHECKED) {
    test(`${name}: against float64, ${variant}`, async () => {
      using attention = await engine(variant);
      const drawn = CASES[name] as Case;
      const { sinks } = drawn.options ?? {};
      const { got, gradients, pass } = await gone(attention, drawn, 3, {
        gradients: { sinks: sinks !== undefined },
      });
      const problem = problemOf(drawn, pass.outputGradient.data);
      const { truth, naive } = solved(name, () => {
        const truth = solve(problem);
        return { truth, naive: naiveDraws(problem, truth, solve) };
      });
      for (const of of ["query", "key", "value"] as const) {
        const reach = truth.reaches[of];
        const own = gradients[of].data;
        const share = shareOfDraws(own, truth.gradients[of], naive, (s) => s.gradients[of], reach);
        assert(share <= 1, `${of}: ${share} of the tolerance`);
      }
      if (!sinks) return assert.equal(got.sinksGradient, undefined);
      const { output, logSumExp, query, key, value, outputGradient } = pass;
      const state = { output, logSumExp, query, key, value, outputGradient };
      const asked = { ...drawn.options, gradients: { sinks: true } } as BackwardOptions;
      const local = attendBackward(attention, state, asked);
      assert.deepEqual(got.sinksGradient, local.sinksGradient);
      const share = shareOfDraws(
        got.sinksGradient?.data ?? [],
        truth.gradients.sinks,
        naive,
        (s) => s.gradients.sinks,
        truth.reaches.sinks,
      );
      assert(share <= 1, `sinks: ${share} of the tolerance`);
    });
  }
}

test("layouts: gradients lie as their tensors do", async () => {
  using attention = await engine("portable");
  const [heads, size, L] = [4, 16, 5];
  const query = randomTensor([1, L, heads * size], 1);
  const key = randomTensor([1, KEYS, 2 * size], 2);
  const value = randomTensor([1, KEYS, 2 * size], 3);
  const options = { layout: "BLE", heads, causal: "lower-right" } as const;
  const shard = trainingShard(attention, { key, value, layout: "BLE", keyValueHeads: 2 });
  const forward = await attendSharded(attention, query, [shard], options);
  const pass = { ...forward, query, outputGradient: randomTensor(query.dims, 4) };
  const got = await attendShardedBackward(attention, pass, [shard], options);
  const { output, logSumExp, outputGradient } = pass;
  const want = attendBackward(
    attention,
    { output, logSumExp, query, key, value, outputGradient },
    { ...options, keyValueHeads: 2 },
  );
  const [own] = got.shards;
  assert.deepEqual(
    bitsOf({ key: own?.keyGradient, value: own?.valueGradient }),
    bitsOf({ key: want.keyGradient, value: want.valueGradient }),
  );
  assert.deepEqual(got.queryGradient.dims, query.dims);
  const worst = got.queryGradient.data.reduce(
    (most, x, i) => Math.max(most, Math.abs(x - (want.queryGradient.data[i] as number))),
    0,
  );
  assert(worst < 1e-6, `${worst}`);
});

test("what cannot be gone back through is refused; a shard that answers something else is named", async () => {
  using attention = await engine("portable");
  const { query, key, value } = inputs({});
  const shard = trainingShard(attention, { key, value });
  const forward = await attendSharded(attention, query, [shard]);
  const outputGradient = randomTensor(forward.output.dims, 4);
  const pass = { ...forward, query, outputGradient };
  const run = (shards: unknown[], options: object = {}, more: object = {}) =>
    attendShardedBackward(attention, { ...pass, ...more }, shards as TrainingShard[], options);
  const { attendBackward: _, ...without } = shard;
  await assert.rejects(run([without]), /"shards\[0\]" expected one with attendBackward/);
  await assert.rejects(run([shard], { dropout: { probability: 0.5, seed: 1 } }), /"dropout"/);
  await assert.rejects(run([shard], { out: new Float32Array(4) }), /"out" expected no value/);
  await assert.rejects(run([shard], { allowMissing: true }), /"allowMissing" expected no value/);
  await assert.rejects(run([shard], { gradients: { sinks: true } }), /"gradients.sinks"/);
  await assert.rejects(run([shard], { gradients: { mask: true } }), /"gradients.mask"/);
  await assert.rejects(run([shard], {}, { missing: [{ shard: 0 }] }), /"missing" expected none/);
  await assert.rejects(run([shard], {}, { logSumExp: query }), /"logSumExp/);
  const of = part(key, 0, SPAN);
  for (const answer of [
    undefined,
    { query: [] },
    { query: Array(5).fill(new Float32Array(3)) },
    { query: Array(5).fill(new Float32Array(4 * 3 * 16)), key: of },
    { query: Array(5).fill(new Float32Array(4 * 3 * 16)), value: 7 },
  ]) {
    const wrong = { ...shard, attendBackward: () => answer };
    await assert.rejects(run([wrong]), (error: Error) => {
      assert(error instanceof ShardError);
      assert.match(error.message, /"shards\[0\]" expected the gradients of keys 0 to 16901, got /);
      return true;
    });
  }
  const reason = new Error("enough");
  const never = { ...shard, attendBackward: () => new Promise(() => undefined) };
  const controller = new AbortController();
  const call = run([never], { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(call, (error) => error === reason);
  // Without the extension.
  using plain = await createAttention({ reproducible: true });
  const bare = trainingShard(plain as never, { key, value });
  await assert.rejects(
    attendShardedBackward(plain as never, pass, [bare]),
    (error: Error & { cause?: Error }) => /training/.test(`${error.cause?.message}`),
  );
});
