// Arrays of another realm (Jest, vm, iframes), of a class of their own, half floats and linear memory:
// every operation takes them for what they hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import type { AllocatedTensor } from "wasm-attention";
import { fromBfloat16, fromFloat16, tensor, toFloat16 } from "wasm-attention";
import { engine, type Whole } from "./engines";
import { type Makes, operations, plain } from "./operations";

const context = createContext({});
/** A function of the other realm. */
const there = (source: string) => runInContext(`(${source})`, context);

const foreign: Makes = {
  floats: there("(list) => Float32Array.from(list)"),
  bytes: there("(list) => Uint8Array.from(list)"),
  words: there("(list) => Int32Array.from(list)"),
  bits: there("(list) => BigInt64Array.from(Array.from(list, BigInt))"),
  list: there("(list) => Array.from(list)"),
  object: there("(value) => Object.assign({}, value)"),
};

/** Typed arrays that say they are longer or shorter, elsewhere and empty. */
function lying<View extends ArrayBufferView>(view: View): View {
  for (const [name, value] of Object.entries({
    length: 1e6,
    byteLength: 4e6,
    byteOffset: 64,
    buffer: new ArrayBuffer(8),
    subarray: () => new Float32Array(1e6),
    set: () => undefined,
    slice: () => [],
    [Symbol.iterator]: () => [][Symbol.iterator](),
  })) {
    Object.defineProperty(view, name, { value });
  }
  return view;
}
const liars: Makes = {
  ...plain,
  floats: (list) => lying(plain.floats(list)),
  bytes: (list) => lying(plain.bytes(list)),
  words: (list) => lying(plain.words(list)),
  bits: (list) => lying(plain.bits(list)),
};

class Own extends Float32Array {
  override get length(): number {
    return 3;
  }
  override get buffer(): ArrayBuffer {
    throw new Error("nobody asks");
  }
  static get [Symbol.species](): never {
    throw new Error("nobody asks");
  }
}
const subclass: Makes = {
  ...plain,
  floats: (list) => new Own(new Float32Array(list).buffer),
};

for (const [name, call] of Object.entries(operations)) {
  for (const [kind, make] of Object.entries({ foreign, liars, subclass })) {
    test(`${name}: ${kind} arrays`, async () => {
      const attention = await engine("portable");
      const { used } = attention.memory;
      const want = call(attention, plain).map(bytesOf);
      assert.deepEqual(call(attention, make).map(bytesOf), want);
      assert.equal(attention.memory.used, used);
    });
  }

  test(`${name}: views of linear memory`, async () => {
    const attention = await engine("portable");
    const want = call(attention, plain).map(bytesOf);
    const { make, intact } = linearMemory(attention);
    assert.deepEqual(call(attention, make).map(bytesOf), want);
    intact();
  });
}

test("half floats of another realm", () => {
  const bits = there("(list) => Uint16Array.from(list)")([0x3c00, 0xc000]);
  assert.deepEqual([...fromFloat16(bits)], [1, -2]);
  assert.deepEqual([...toFloat16(foreign.floats([1, -2]))], [0x3c00, 0xc000]);
  assert.deepEqual([...fromBfloat16(there("(list) => Uint16Array.from(list)")([0x3f80]))], [1]);
});

test("a signal of another realm, and one without the newer methods", async () => {
  const attention = await engine("portable");
  const x = tensor(new Float32Array(4), [2, 2]);
  const reason = new Error("mine");
  const signal = { aborted: true, reason } as AbortSignal;
  await assert.rejects(attention.attendAsync(x, x, x, { signal }), reason);
  const running = { aborted: false } as AbortSignal;
  await attention.attendAsync(x, x, x, { signal: running });
});

function bytesOf({ data }: { data: Float32Array }): string {
  // By index: what the arrays say of themselves is not to be trusted.
  const length = Object.getOwnPropertyDescriptor(
    Object.getPrototypeOf(Float32Array.prototype),
    "length",
  )?.get?.call(data) as number;
  const copy = new Float32Array(length);
  for (let index = 0; index < length; index++) copy[index] = data[index] as number;
  return Buffer.from(copy.buffer).toString("hex");
}

/** Float arrays as parts of one allocated tensor, at odd places, with numbers between that stay. */
function linearMemory(attention: Whole): { make: Makes; intact: () => void } {
  const all: AllocatedTensor = attention.allocate([4000]);
  all.data.fill(-7);
  let next = 1;
  const used = new Set<number>();
  const make: Makes = {
    ...plain,
    floats(list) {
      const start = next;
      next += list.length + 3;
      for (let index = 0; index < list.length; index++) used.add(start + index);
      const part = all.data.subarray(start, start + list.length);
      part.set(list);
      return part;
    },
  };
  const intact = () => {
    for (const [index, number] of all.data.entries())
      if (!used.has(index)) assert.equal(number, -7, `element ${index}`);
    all.dispose();
  };
  return { make, intact };
}
