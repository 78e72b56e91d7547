// Calls that do not hold the calling thread: the same bits, queued, aborted between parts.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ArgumentError,
  appendedKeys,
  createAttention,
  DisposedError,
  MultiHeadAttention,
  type Tensor,
} from "wasm-attention";
import { randomTensor } from "./engines";

const bytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

const x = randomTensor([1, 6, 900, 64], 1);
const small = randomTensor([1, 2, 10, 8], 2);

for (const threads of [1, 2]) {
  const name = threads === 1 ? "in slices" : "on workers";
  const start = () => createAttention({ threads });

  test(`${name}: the same bits, and the event loop runs meanwhile`, async () => {
    using attention = await start();
    const options = { causal: true, weights: true, logSumExp: true } as const;
    const expected = attention.attend(x, x, x, options);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const result = await attention.attendAsync(x, x, x, options);
    clearInterval(timer);
    assert(ticks >= 3, `${ticks} ticks`);
    assert.deepEqual(result.output.dims, expected.output.dims);
    assert(bytes(result.output).equals(bytes(expected.output)));
    assert(bytes(result.weights as Tensor).equals(bytes(expected.weights as Tensor)));
    assert(bytes(result.logSumExp as Tensor).equals(bytes(expected.logSumExp as Tensor)));
    const [mean, again] = [
      await attention.attendAsync(x, x, x, { weights: "mean" }),
      attention.attend(x, x, x, { weights: "mean" }),
    ];
    assert(bytes(mean.weights as Tensor).equals(bytes(again.weights as Tensor)));
  });

  test(`${name}: scoreMod belongs to its own call`, async () => {
    using attention = await start();
    const plain = attention.attend(small, small, small).output;
    const later = attention.attendAsync(x, x, x, { scoreMod: ({ scores }) => scores.fill(0) });
    for (let i = 0; i < 5; i++) {
      await new Promise(setImmediate);
      assert(bytes(attention.attend(small, small, small).output).equals(bytes(plain)));
    }
    const zeros = attention.attend(x, x, x, { scoreMod: ({ scores }) => scores.fill(0) });
    assert(bytes((await later).output).equals(bytes(zeros.output)));
  });

  test(`${name}: overlapping calls run one after another, other calls meanwhile`, async () => {
    using attention = await start();
    const { used } = attention.memory;
    const expected = [1, 2, 3].map((scale) => attention.attend(x, x, x, { scale }).output);
    const settled: number[] = [];
    const all = [1, 2, 3].map(async (scale) => {
      const { output } = await attention.attendAsync(x, x, x, { scale });
      settled.push(scale);
      return output;
    });
    await new Promise(setImmediate);
    // Others allocate, grow the memory and compute while the first is in flight.
    using allocated = attention.allocate([1 << 20]);
    allocated.data.fill(1);
    const { output } = attention.attend(x, x, x, { scale: 2 });
    assert(bytes(output).equals(bytes(expected[1] as Tensor)));
    allocated.dispose();
    for (const [index, result] of (await Promise.all(all)).entries()) {
      assert(bytes(result).equals(bytes(expected[index] as Tensor)));
    }
    assert.deepEqual(settled, [1, 2, 3]);
    assert.equal(attention.memory.used, used);
  });

  test(`${name}: abort before and in the middle; the queue goes on`, async () => {
    using attention = await start();
    const { used } = attention.memory;
    const reason = new Error("never mind");
    await assert.rejects(
      attention.attendAsync(x, x, x, { signal: AbortSignal.abort(reason) }),
      reason,
    );
    const out = new Float32Array(x.data.length).fill(7);
    const controller = new AbortController();
    const aborted = attention.attendAsync(x, x, x, { signal: controller.signal, out });
    const next = attention.attendAsync(small, small, small);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert(attention.memory.used > used, "in flight");
    controller.abort(reason);
    await assert.rejects(aborted, reason);
    assert(out.every((element) => element === 7));
    assert(bytes((await next).output).equals(bytes(attention.attend(small, small, small).output)));
    assert.equal(attention.memory.used, used);
    assert.equal(attention.threads, threads, attention.threadsFallback);
  });

  test(`${name}: tensors disposed in flight are read to the end, then given back`, async () => {
    using attention = await start();
    const { used } = attention.memory;
    const expected = attention.attend(x, x, x).output;
    const allocated = attention.allocate(x.dims);
    allocated.data.set(x.data);
    const later = attention.attendAsync(allocated, allocated, allocated);
    await new Promise(setImmediate);
    allocated.dispose();
    using other = attention.allocate(x.dims);
    other.data.fill(Number.NaN);
    assert(bytes((await later).output).equals(bytes(expected)));
    other.dispose();
    assert.equal(attention.memory.used, used);
  });

  test(`${name}: weights of a layer disposed in flight are read to the end, then given back`, async () => {
    using attention = await start();
    const { used } = attention.memory;
    const weights = {
      wq: randomTensor([64, 64], 3),
      wk: randomTensor([64, 64], 4),
      wv: randomTensor([64, 64], 5),
      dense: randomTensor([64, 4096], 6),
    };
    const layer = MultiHeadAttention.fromMatrices(attention, weights, { heads: 4 });
    const [query, key] = [randomTensor([800, 64], 7), randomTensor([8, 64], 8)];
    const expected = layer.forward({ query, key }).output;
    const later = layer.forwardAsync({ query, key });
    // Until the last projection has begun, by far the longest.
    while (attention.memory.used < used + expected.data.byteLength) {
      await new Promise(setImmediate);
    }
    layer.dispose();
    const others = Array.from({ length: 6 }, () => attention.allocate([64 * 4096]));
    for (const other of others) other.data.fill(Number.NaN);
    assert(bytes((await later).output).equals(bytes(expected)));
    for (const other of others) other.dispose();
    assert.equal(attention.memory.used, used);
  });

  test(`${name}: an abort ends a call long before its end`, async () => {
    using attention = await start();
    const long = randomTensor([1, 6, 2000, 64], 9);
    // The first call compiles.
    await attention.attendAsync(long, long, long);
    let begun = performance.now();
    await attention.attendAsync(long, long, long);
    const whole = performance.now() - begun;
    const controller = new AbortController();
    const aborted = attention.attendAsync(long, long, long, { signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, whole / 10));
    controller.abort();
    begun = performance.now();
    await assert.rejects(aborted, { name: "AbortError" });
    const rest = performance.now() - begun;
    assert(rest < whole / 2, `${rest} of ${whole} ms`);
  });

  test(`${name}: an allocated out is written at the end`, async () => {
    using attention = await start();
    using out = attention.allocate(x.dims);
    out.data.fill(7);
    const later = attention.attendAsync(x, x, x, { out });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert(out.data.every((element) => element === 7));
    assert.equal((await later).output, out);
    assert(bytes(out).equals(bytes(attention.attend(x, x, x).output)));
  });

  test(`${name}: an engine disposed in flight is a DisposedError`, async () => {
    const attention = await start();
    const later = attention.attendAsync(x, x, x);
    const queued = attention.attendAsync(small, small, small);
    await new Promise(setImmediate);
    attention.dispose();
    await assert.rejects(later, DisposedError);
    await assert.rejects(queued, DisposedError);
  });

  test(`${name}: bad input rejects, and the next call works`, async () => {
    using attention = await start();
    const bad = attention.attendAsync(x, small, x);
    await assert.rejects(bad, ArgumentError);
    const signal = "now" as unknown as AbortSignal;
    await assert.rejects(attention.attendAsync(x, x, x, { signal }), (error: Error) => {
      assert(error instanceof ArgumentError);
      assert.match(error.message, /attendAsync: "signal" expected an AbortSignal, got "now"/);
      return true;
    });
    await assert.rejects(attention.attendAsync(x, x, x, null as never), ArgumentError);
    assert.equal((await attention.attendAsync(small, small, small)).output.dims.join(), "1,2,10,8");
  });

  test(`${name}: a scoreMod that throws rejects, and nothing stays`, async () => {
    using attention = await start();
    const { used } = attention.memory;
    const scoreMod = () => {
      throw new RangeError("of mine");
    };
    await assert.rejects(attention.attendAsync(x, x, x, { scoreMod }), /of mine/);
    assert.equal(attention.memory.used, used);
  });

  for (const addZeroAttention of [false, true]) {
    test(`${name}: forwardAsync${addZeroAttention ? " with a zero key" : ""}`, async () => {
      using attention = await start();
      const weights = {
        wq: randomTensor([96, 96], 3),
        wk: randomTensor([96, 96], 4),
        wv: randomTensor([96, 96], 5),
        dense: randomTensor([96, 96], 6),
      };
      using layer = MultiHeadAttention.fromMatrices(attention, weights, {
        heads: 4,
        appended: appendedKeys({ addZeroAttention }),
      });
      const rows = randomTensor([2, 400, 96], 7);
      const { used } = attention.memory;
      const expected = layer.forward({ query: rows, key: rows, value: rows }, { weights: true });
      const later = layer.forwardAsync({ query: rows, key: rows, value: rows }, { weights: true });
      await new Promise(setImmediate);
      layer.forward(rows);
      const result = await later;
      assert(bytes(result.output).equals(bytes(expected.output)));
      assert(bytes(result.weights as Tensor).equals(bytes(expected.weights as Tensor)));
      const controller = new AbortController();
      const aborted = layer.forwardAsync(
        { query: rows, key: rows, value: rows },
        { signal: controller.signal },
      );
      await new Promise(setImmediate);
      controller.abort();
      await assert.rejects(aborted, { name: "AbortError" });
      assert.equal(attention.memory.used, used);
      layer.dispose();
      await assert.rejects(layer.forwardAsync(rows), DisposedError);
    });
  }
}
