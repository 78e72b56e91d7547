// Shards that fail, come late or never, are not needed, or answer something else.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tensor } from "wasm-attention";
import { attendSharded, localShard, type Shard, ShardError } from "wasm-attention/shards";
import { inputs, KEYS, part, SPAN, same, shardsOf } from "./checks/shards";
import { engine, type Whole } from "./engines";

/** A shard that does as it is told beside one that answers. */
async function beside(attention: Whole, attend: Shard["attend"]) {
  const { query, key, value } = inputs({});
  const first = localShard(attention, { key: part(key, 0, SPAN), value: part(value, 0, SPAN) });
  const rest = localShard(attention, {
    key: part(key, SPAN, KEYS),
    value: part(value, SPAN, KEYS),
  });
  return { query, key, value, first, shards: [first, { ...rest, attend }] };
}

test("a shard that fails or answers something else is named", async () => {
  using attention = await engine("portable");
  const { used } = attention.memory;
  const state = new Float32Array(4 * 3 * 26);
  for (const [attend, received] of [
    [() => Promise.reject(new TypeError("gone")), "TypeError: gone"],
    [
      () => {
        throw new RangeError("at once");
      },
      "RangeError: at once",
    ],
    [() => Promise.reject(7), "7"],
    [() => [], "[]"],
    [
      () => [state, state, state],
      "[Float32Array of 312, Float32Array of 312, Float32Array of 312]",
    ],
    [() => [state, state, state, state.subarray(1)], "Float32Array of 311"],
    [() => [state, state, state, new Float64Array(312)], "Float64Array of 312"],
    [() => undefined as never, "undefined"],
  ] as [Shard["attend"], string][]) {
    const { query, shards } = await beside(attention, attend);
    await assert.rejects(attendSharded(attention, query, shards), (error: Error) => {
      assert(error instanceof ShardError);
      const expected = "the states of keys 4096 to 16901";
      assert.equal(
        error.message,
        `attendSharded: "shards[1]" expected ${expected}, got ${received}`,
      );
      return true;
    });
    const { missing } = await attendSharded(attention, query, shards, { allowMissing: true });
    assert.deepEqual(
      missing.map(({ shard, from, to }) => [shard, from, to]),
      [[1, SPAN, KEYS]],
    );
  }
  assert.equal(attention.memory.used, used);
});

test("with allowMissing the others' keys alone take part, sinks once", async () => {
  using attention = await engine("portable");
  const { query, key, value, shards } = await beside(attention, () => Promise.reject(Error("x")));
  const sinks = [0.5, -Infinity, 3, 0];
  const options = { sinks, allowMissing: true };
  const got = await attendSharded(attention, query, shards, options);
  const close = (got: Tensor, want: Tensor) =>
    assert(got.data.every((x, i) => Math.abs(x - (want.data[i] as number)) < 1e-5));
  const part0 = attention.attend(query, part(key, 0, SPAN), part(value, 0, SPAN), {
    sinks,
    logSumExp: true,
  });
  close(got.output, part0.output);
  close(got.logSumExp, part0.logSumExp);
  // Where the first one is missing.
  const [first, second] = await shardsOf(key, value, 2, (k, v) =>
    localShard(attention, { key: k, value: v }),
  );
  const gone = { ...(first as Shard), attend: () => Promise.reject(Error("x")) };
  const rest = await attendSharded(attention, query, [gone, second as Shard], options);
  const from = (first as Shard).keys as number;
  const want = attention.attend(query, part(key, from, KEYS), part(value, from, KEYS), {
    sinks,
    logSumExp: true,
  });
  close(rest.output, want.output);
  close(rest.logSumExp, want.logSumExp);
});

test("an abort ends the call at once, whether a shard listens or not", async () => {
  using attention = await engine("portable");
  let told = 0;
  const { query, shards } = await beside(attention, (_query, _options, signal) => {
    signal?.addEventListener("abort", () => told++);
    return new Promise(() => undefined);
  });
  const controller = new AbortController();
  const call = attendSharded(attention, query, shards, { signal: controller.signal });
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(call, (error) => error === reason);
  assert.equal(told, 1);
  const again = attendSharded(attention, query, shards, { signal: controller.signal });
  await assert.rejects(again, (error) => error === reason);
  // One that fails tells the others.
  const failing = { ...(shards[0] as Shard), attend: () => Promise.reject(Error("x")) };
  await assert.rejects(attendSharded(attention, query, [failing, shards[1] as Shard]), ShardError);
  assert.equal(told, 2);
});

test("shards that no row sees are not asked, and late answers change nothing", async () => {
  using attention = await engine("portable");
  const { query, key, value } = inputs({});
  const asked: number[] = [];
  const shards = (
    await shardsOf(key, value, 5, (k, v) => localShard(attention, { key: k, value: v }))
  ).map((shard, i) => ({
    ...shard,
    attend: async (...given: Parameters<Shard["attend"]>) => {
      asked.push(i);
      // The first comes last.
      await new Promise((resolve) => setTimeout(resolve, 20 - 4 * i));
      return shard.attend(...given);
    },
  }));
  const options = { causal: true, queryOffset: 2 * SPAN + 50, window: { left: SPAN } } as const;
  const got = await attendSharded(attention, query, shards, options);
  assert.deepEqual(asked, [1, 2]);
  same(got, attention.attend(query, key, value, { ...options, logSumExp: true }));
});
