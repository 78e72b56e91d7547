// What is of no use as an argument is refused for what it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, linear, mergeStates, prepareLinear, tensor } from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import { attendBackward } from "wasm-attention/training";
import { engine, randomArray } from "./engines";

const dims = [1, 2, 3, 4];
const data = randomArray(24, 1);
const x = tensor(data, dims);

test("what is of no use as a tensor, an array or a weight", async () => {
  const attention = await engine("portable");
  const cyclic: unknown[] = [];
  cyclic.push(cyclic, [cyclic, cyclic]);
  const own = new Error("no keys");
  const thrower = new Proxy(
    {},
    {
      ownKeys: () => {
        throw own;
      },
    },
  );
  const long = "x".repeat(1e6);
  const named = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [long + i, i]));
  const hostile: [string, unknown][] = Object.entries({
    null: null,
    cyclic,
    sparse: new Array(3),
    bare: Object.create(null),
    thrower,
    long,
    named,
    symbol: Symbol("s"),
    big: 3n,
    view: new DataView(new ArrayBuffer(3)),
    fake: Object.create(Float32Array.prototype),
    empty: {},
    function: () => x,
    nested: { data: cyclic, dims: cyclic },
    sizes: { data, dims: [Object.create(null), cyclic, long] },
  });
  const some = { output: x, logSumExp: tensor(new Float32Array(6), [1, 2, 3]) };
  using weight = prepareLinear(attention, tensor(randomArray(16, 2), [4, 4]), { order: "in,out" });
  const places: Record<string, (value: never) => unknown> = {
    query: (value) => attention.attend(value, x, x),
    out: (value) => attention.attend(x, x, x, { out: value }),
    lengths: (value) => attention.attend(x, x, x, { keyLengths: value }),
    mask: (value) => attention.attend(x, x, x, { mask: value }),
    sinks: (value) => attention.attend(x, x, x, { sinks: value }),
    pass: (value) => attendBackward(attention, value),
    parts: (value) => mergeStates(attention, value),
    part: (value) => mergeStates(attention, [some, value]),
    weight: (value) => prepareLinear(attention, value, { order: "in,out" }),
    bias: (value) =>
      prepareLinear(attention, tensor(data, [6, 4]), { order: "in,out", bias: value }),
    prepared: (value) => linear(attention, x, value),
    updated: (value) => weight.update(value),
    dims: (value) => attention.allocate(value),
    data: (value) => tensor(value, [3]),
    positions: (value) => rotate(attention, x, { positions: value }),
    frequencies: (value) => rotate(attention, x, { frequencies: value }),
  };
  const { used } = attention.memory;
  for (const [place, call] of Object.entries(places)) {
    for (const [kind, value] of hostile) {
      assert.throws(
        () => call(value as never),
        (error) => {
          // The names of these are asked for: what that throws, the call throws.
          if (["mask", "pass"].includes(place) && error === own) return true;
          assert.ok(error instanceof ArgumentError, `${place}, ${kind}: ${error}`);
          assert.ok(error.message.length < 400, `${place}, ${kind}: ${error.message.length}`);
          return true;
        },
        `${place}, ${kind}`,
      );
    }
  }
  assert.equal(attention.memory.used, used);
});

test("BigInts and stale views are named for what they are", async () => {
  const attention = await engine("portable");
  assert.throws(() => attention.allocate([2n, 3n] as never), {
    message: 'allocate: "dims" expected numbers, not BigInts, from 0 to 2³¹ − 1, got [2n, 3n]',
  });
  using allocated = attention.allocate([4, 4]);
  const stale = allocated.data;
  attention.allocate([1 << 20]).dispose();
  assert.throws(() => attention.attend({ data: stale, dims: [4, 4] }, allocated, allocated), {
    message: 'attend: "query" expected L·D = 4·4 = 16 elements, got 0 (detached: take .data anew)',
  });
  assert.equal(attention.attend(allocated, allocated, allocated).output.data.length, 16);
});
