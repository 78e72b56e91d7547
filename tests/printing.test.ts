// What console.log and JSON show of an engine and what it makes; methods that are taken out of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  ArgumentError,
  AttentionError,
  DisposedError,
  MemoryError,
  MultiHeadAttention,
  prepareLinear,
  tensor,
  UnsupportedError,
} from "wasm-attention";
import { engine, randomArray } from "./engines";

test("an engine, its tensors, weights and layers say what they are", async () => {
  const attention = await engine("portable");
  const { memory } = attention;
  assert.equal(
    inspect(attention, { breakLength: Infinity }),
    `Attention { variant: 'portable', fused: false, threads: 1, memory: ${inspect(memory)} }`,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(attention)), {
    variant: "portable",
    fused: false,
    threads: 1,
    memory,
  });
  const allocated = attention.allocate([2, 10]);
  allocated.data.fill(1.5);
  const text = inspect(allocated, { breakLength: Infinity });
  assert.match(
    text,
    /^AllocatedTensor \{\s+dims: \[ 2, 10 \],\s+data: Float32Array\(20\) \[\s+1\.5,/,
  );
  assert.match(text, /12 more items/);
  const view = allocated.view(3, [2]);
  assert.deepEqual(JSON.parse(JSON.stringify({ view })), { view: { dims: [2], data: [1.5, 1.5] } });

  const square = tensor(randomArray(16, 1), [4, 4]);
  const weight = prepareLinear(attention, square, { order: "in,out" });
  assert.equal(
    inspect(weight, { breakLength: Infinity }),
    "PreparedLinear { inputSize: 4, outputSize: 4, order: 'in,out', bias: false }",
  );
  const matrices = { wq: square, wk: square, wv: square, dense: square };
  const layer = MultiHeadAttention.fromMatrices(attention, matrices, { heads: 2 });
  assert.match(inspect(layer), /^MultiHeadAttention \{\s+heads: 2,\s+keyValueHeads: 2,\s+query/);
  assert.equal(JSON.parse(JSON.stringify(layer)).key.inputSize, 4);
  const x = tensor(new Float32Array(12), [3, 4]);
  const { record } = layer.forward(x, { record: true });
  assert.equal(inspect(record), "LayerRecord { query: [ 3, 4 ] }");
  const names = [attention, allocated, weight, layer, record].map((of) => of?.constructor.name);
  const classes = ["Attention", "AllocatedTensor", "PreparedLinear", "MultiHeadAttention"];
  assert.deepEqual(names, [...classes, "LayerRecord"]);

  record?.dispose();
  assert.equal(inspect(record), "LayerRecord { disposed: true }");
  allocated.dispose();
  for (const gone of [allocated, view]) assert.match(inspect(gone), /data: 'disposed' \}$/);
  layer.dispose();
  assert.match(inspect(layer), /disposed: true/);
  attention.dispose();
  assert.equal(inspect(attention), "Attention { disposed: true }");
});

test("methods that are taken out of their object work", async () => {
  const attention = await engine("portable");
  const x = tensor(randomArray(12, 1), [3, 4]);
  const { attend, allocate, dispose } = attention;
  assert.deepEqual(attend(x, x, x), attention.attend(x, x, x));
  const square = tensor(randomArray(16, 1), [4, 4]);
  const matrices = { wq: square, wk: square, wv: square, dense: square };
  using layer = MultiHeadAttention.fromMatrices(attention, matrices, { heads: 2 });
  const { forward } = layer;
  assert.deepEqual(forward(x), layer.forward(x));
  assert.deepEqual(Object.keys(attention), []);
  allocate([2]);
  dispose();
  assert.throws(() => attend(x, x, x), DisposedError);
});

test("errors are called by their names, in their stacks too", async () => {
  const attention = await engine("portable");
  const kinds = { AttentionError, ArgumentError, MemoryError, DisposedError, UnsupportedError };
  for (const [name, Kind] of Object.entries(kinds)) {
    assert.equal(Kind.name, name);
    const error = new Kind("operation", "argument", "this", "that");
    assert.equal(error.name, name);
    assert.match(error.stack as string, new RegExp(`^${name}: operation: "argument"`));
    assert.match(inspect(error), new RegExp(`^${name}: operation`));
  }
  assert.throws(() => attention.attend(3 as never, 3 as never, 3 as never), ArgumentError);
});
