// Buffers that are resized or transferred while an asynchronous call copies what lies in them: a typed
// error, nothing written outside, and the next call is right.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ArgumentError, tensor } from "wasm-attention";
import { createWhole, type Whole } from "./engines";

/** Resizable buffers are newer than the types this package is compiled with. */
type Resizable = ArrayBuffer & { resize(bytes: number): void };
const Resizable = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => Resizable;
type Growable = SharedArrayBuffer & { grow(bytes: number): void };
const Growable = SharedArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => Growable;

// Every pause of a call is long enough for the event loop to run.
let time = 0;
mock.method(performance, "now", () => (time += 10));

/** More than is copied at once. */
const QUERIES = 1 << 16;
const KEYS = 64;
const long = tensor(new Float32Array(QUERIES * 8).fill(0.1), [QUERIES, 8]);
const key = tensor(new Float32Array(KEYS * 8).fill(0.1), [KEYS, 8]);

const changes: Record<string, (buffer: Resizable) => void> = {
  grow: (buffer) => {
    buffer.resize(2 ** 23);
    new Float32Array(buffer).fill(7);
  },
  shrink: (buffer) => buffer.resize(8),
  transfer: (buffer) => void structuredClone(buffer, { transfer: [buffer] }),
};

/** A call's block lies in a hole of this size, before numbers that nothing may touch. */
async function guarded(): Promise<{ attention: Whole; intact: () => void }> {
  const attention = await createWhole({ reproducible: true });
  const hole = attention.allocate([2e6]);
  const canary = attention.allocate([1.8e6]);
  canary.data.fill(1.5);
  hole.dispose();
  return { attention, intact: () => assert.ok(canary.data.every((number) => number === 1.5)) };
}

type Call = (attention: Whole, small: Float32Array) => Promise<unknown>;
const window = { left: 0, right: 0 };
const calls: Record<string, Call> = {
  value: (a, small) => a.attendAsync(long, key, tensor(small, [KEYS, 1]), { window }),
  mask: (a, small) =>
    a.attendAsync(long, key, tensor(new Float32Array(KEYS), [KEYS, 1]), {
      window,
      mask: tensor(small, [KEYS]),
    }),
};

for (const [argument, call] of Object.entries(calls)) {
  for (const [name, change] of Object.entries(changes)) {
    test(`${argument}: ${name} while it is copied`, async () => {
      const { attention, intact } = await guarded();
      const { used } = attention.memory;
      const buffer = new Resizable(KEYS * 4, { maxByteLength: 2 ** 24 });
      const later = call(attention, new Float32Array(buffer).fill(1));
      setImmediate(() => change(buffer));
      await assert.rejects(later, (error) => {
        assert.ok(error instanceof ArgumentError, String(error));
        assert.equal(error.argument.split(".")[0], argument);
        return true;
      });
      intact();
      assert.equal(attention.memory.used, used);
      const fixed = new Float32Array(KEYS).fill(1);
      assert.ok(await call(attention, fixed));
    });
  }
}

test("a large input: each of its pieces is as long as it was", async () => {
  const { attention, intact } = await guarded();
  const bytes = QUERIES * 8 * 4;
  for (const [name, change] of Object.entries(changes)) {
    const buffer = new Resizable(bytes, { maxByteLength: 2 ** 24 });
    const query = tensor(new Float32Array(buffer), long.dims);
    const later = attention.attendAsync(query, key, key, { window });
    setImmediate(() => change(buffer));
    await assert.rejects(later, { name: "ArgumentError", argument: "query" }, name);
    intact();
  }
});

test("an out: as long as it was when the call ends, or nothing is written", async () => {
  const { attention } = await guarded();
  const value = tensor(new Float32Array(KEYS).fill(1), [KEYS, 1]);
  for (const [name, change] of Object.entries(changes)) {
    const buffer = new Resizable(QUERIES * 4, { maxByteLength: 2 ** 24 });
    const out = new Float32Array(buffer);
    const later = attention.attendAsync(long, key, value, { window, out });
    setImmediate(() => change(buffer));
    await assert.rejects(later, { name: "ArgumentError", argument: "out" }, name);
    for (const number of new Set(buffer.byteLength ? out : []))
      assert.equal(number, name === "grow" ? 7 : 0);
  }
});

test("shared memory that grows is read as it was checked", async () => {
  const { attention, intact } = await guarded();
  const buffer = new Growable(KEYS * 4, { maxByteLength: 2 ** 24 });
  const small = new Float32Array(buffer) as Float32Array;
  const value = tensor(small.fill(1), [KEYS, 1]);
  const now = attention.attend(key, key, value).output;
  assert.ok(now.data.every((number) => number === 1));
  const later = attention.attendAsync(long, key, value, { window });
  setImmediate(() => buffer.grow(2 ** 24));
  await assert.rejects(later, { name: "ArgumentError", argument: "value" });
  intact();
});

test("another engine's memory may grow meanwhile", async () => {
  const { attention } = await guarded();
  const other = await createWhole({ reproducible: true });
  const foreign = other.allocate(long.dims);
  foreign.data.set(long.data);
  const want = attention.attend(long, key, key, { window }).output.data;
  const later = attention.attendAsync(foreign, key, key, { window });
  setImmediate(() => other.allocate([1 << 22]));
  assert.deepEqual((await later).output.data, want);
  const gone = attention.attendAsync(foreign, key, key, { window });
  foreign.dispose();
  await assert.rejects(gone, { name: "DisposedError" });
});

test("views of this memory are held until the call ends", async () => {
  const { attention } = await guarded();
  const { used } = attention.memory;
  const want = attention.attend(long, key, key, { window }).output.data;
  const allocated = attention.allocate(long.dims);
  allocated.data.set(long.data);
  const target = attention.allocate(long.dims);
  const later = attention.attendAsync(tensor(allocated.data, long.dims), key, key, {
    window,
    out: target.view(0, long.dims),
  });
  await new Promise(setImmediate);
  allocated.dispose();
  const over = attention.allocate(long.dims);
  over.data.fill(Number.NaN);
  assert.deepEqual((await later).output.data, want);
  assert.deepEqual(target.data, want);
  over.dispose();
  target.dispose();
  assert.equal(attention.memory.used, used);
});
