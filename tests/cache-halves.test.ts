// Sequences as half floats: out of caches of any numbers, and into them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromFloat16, tensor, toFloat16 } from "wasm-attention";
import { type CacheNumbers, type CacheOptions, createCache } from "wasm-attention/cache";
import { bitsOf, engine, randomArray } from "./engines";

const [KV, D, DV, S] = [2, 9, 5, 43];
const kinds: CacheNumbers[] = ["float32", "int16", "int8", "int4"];
const key = tensor(randomArray(KV * S * D, 1, 3), [1, KV, S, D]);
const value = tensor(randomArray(KV * S * DV, 2, 3), [1, KV, S, DV]);
const halves = (x: Float32Array) => fromFloat16(toFloat16(x));

test("half floats come back as they are; of every cache, into every cache", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const make = (numbers: CacheNumbers, more: Partial<CacheOptions> = {}) =>
    createCache(attention, { keyValueHeads: KV, headSize: D, valueSize: DV, numbers, ...more });
  for (const numbers of kinds) {
    using cache = make(numbers, { pageSize: 16, rotary: { dimensions: 8 } });
    cache.append(key, value, { positions: 100 });
    const rows = cache.read();
    const bytes = cache.export(0, { numbers: "float16" });
    assert.equal(bytes.length, 64 + Math.ceil((KV * S * (D + DV)) / 2) * 4);
    for (const target of kinds) {
      using other = make(target, { pageSize: 50, rotary: { dimensions: 8 } });
      const id = other.import(bytes);
      assert.equal(other.length(id), S);
      // What the other cache makes of those numbers; keys are rotated already.
      using plain = make(target);
      const rounded = [rows.key, rows.value].map(({ data, dims }) => tensor(halves(data), dims));
      plain.append(rounded[0], rounded[1]);
      assert.deepEqual(bitsOf(other.read(id)), bitsOf(plain.read()), `${numbers} → ${target}`);
      // It goes on where the text was.
      const next = [key, value].map(({ data, dims: [, , , size] }) =>
        tensor(data.slice(0, KV * size), [1, KV, 1, size]),
      );
      other.append(next[0], next[1], { sequences: [id] });
      cache.append(next[0], next[1]);
      if (numbers === target) {
        const [a, b] = [cache.read(0, { from: S }), other.read(id, { from: S })];
        assert.deepEqual(bitsOf(b), bitsOf(a), "the same position");
      }
      cache.truncate(0, S);
    }
  }
  assert.equal(attention.memory.used, used);
});

test("with a window and sinks; exported again, the same bytes", async () => {
  const attention = await engine("portable");
  const sizes = { keyValueHeads: KV, headSize: D, valueSize: DV, window: 10, sinks: 2 };
  using cache = createCache(attention, { ...sizes, pageSize: 4 });
  const token = ({ data, dims: [, , , size] }: typeof key, t: number) =>
    tensor(
      Float32Array.from({ length: KV * size }, (_, i) => {
        return data[(Math.floor(i / size) * S + t) * size + (i % size)];
      }),
      [1, KV, 1, size],
    );
  for (let t = 0; t < S; t++) cache.append(token(key, t), token(value, t));
  const bytes = cache.export(0, { numbers: "float16" });
  using other = createCache(attention, { ...sizes, pageSize: 7 });
  const id = other.import(bytes);
  assert.equal(other.length(id), S);
  assert.deepEqual(other.export(id, { numbers: "float16" }), bytes);
});

test("what half floats refuse", async () => {
  const attention = await engine("portable");
  const sizes = { keyValueHeads: 1, headSize: 2, valueSize: 2 };
  using cache = createCache(attention, sizes);
  const one = (...x: number[]) => tensor(Float32Array.from(x), [1, 1, 1, 2]);
  cache.append(one(65504, -Infinity), one(NaN, 1e-9));
  const { key: k, value: v } = cache.read(cache.import(cache.export(0, { numbers: "float16" })));
  assert.deepEqual([...k.data, ...v.data], [65504, -Infinity, NaN, 0]);
  const refuse = (call: () => unknown, message: string) =>
    assert.throws(call, { name: "ArgumentError", message });
  cache.append(one(0, 1), one(-70000, 1), { sequences: [0] });
  refuse(
    () => cache.export(0, { numbers: "float16" }),
    'export: "numbers" expected numbers up to 65504, for half floats, got -70000',
  );
  refuse(
    () => cache.export(0, { numbers: "float64" as never }),
    'export: "numbers" expected "stored" or "float16", got "float64"',
  );
  cache.truncate(0, 1);
  const bytes = cache.export(0, { numbers: "float16" });
  for (let at = 0; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at] ^= 1;
    assert.throws(
      () => cache.import(damaged),
      { name: "ArgumentError", argument: "bytes" },
      `${at}`,
    );
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => cache.import(bytes.slice(0, length)), { argument: "bytes" });
  }
  using wider = createCache(attention, { ...sizes, valueSize: 3 });
  refuse(
    () => wider.import(bytes),
    'import: "bytes" expected a sequence with valueSize = 3, as the cache has, got valueSize = 2',
  );
});
