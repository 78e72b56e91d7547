// A layer's weights are updated all together or not at all.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createAttention,
  DisposedError,
  MemoryError,
  MultiHeadAttention,
  tensor,
} from "wasm-attention";
import { engine, randomArray } from "./engines";

const SIZE = 64;
const square = (seed: number) => tensor(randomArray(SIZE * SIZE, seed, 0.2), [SIZE, SIZE]);
const matrices = (seed: number) => ({
  wq: square(seed),
  wk: square(seed + 1),
  wv: square(seed + 2),
  dense: square(seed + 3),
});
const x = tensor(randomArray(5 * SIZE, 9), [5, SIZE]);
const next = () => ({
  query: { weight: square(11) },
  key: { weight: square(12) },
  value: { weight: square(13) },
  output: { weight: square(14) },
});

test("an update with anything wrong in it changes nothing", async () => {
  const attention = await engine("portable");
  using layer = MultiHeadAttention.fromMatrices(attention, matrices(1), { heads: 4 });
  const want = layer.forward(x).output;
  const wrong: [string, object][] = [
    ["output.weight.dims", { weight: tensor(new Float32Array(4), [2, 2]) }],
    ["output.weight", {}],
    ["output.weight", { weight: null }],
    ["output", 5 as never],
    ["output", null as never],
    ["output.bias", { weight: square(14), bias: new Float32Array(SIZE) }],
    ["output.order", { weight: square(14), order: "out,in" }],
  ];
  for (const [argument, output] of wrong) {
    assert.throws(() => layer.update({ ...next(), output } as never), {
      name: "ArgumentError",
      argument,
      message: /^update: /,
    });
    assert.deepEqual(layer.forward(x).output, want, argument);
  }
  layer.update(next());
  const updated = layer.forward(x).output;
  assert.notDeepEqual(updated, want);
  // What a layer is made of, with its order, is also what updates it.
  layer.update({ output: { weight: square(14), order: "in,out" } });
  assert.deepEqual(layer.forward(x).output, updated);
});

test("an update without room for it changes nothing", async () => {
  let failed = 0;
  for (let kilobytes = 128; ; kilobytes += 8) {
    const attention = await createAttention({
      reproducible: true,
      maximumMemory: kilobytes * 1024,
    });
    let layer: MultiHeadAttention;
    try {
      layer = MultiHeadAttention.fromMatrices(attention, matrices(1), { heads: 4 });
    } catch (error) {
      assert.ok(error instanceof MemoryError, String(error));
      continue;
    }
    const unprojected = tensor(randomArray(SIZE, 9), [1, SIZE]);
    const want = layer.forward(unprojected).output;
    const fill = [];
    for (const size of [1 << 12, 1 << 8]) {
      try {
        for (;;) fill.push(attention.allocate([size]));
      } catch (error) {
        assert.ok(error instanceof MemoryError, String(error));
      }
    }
    assert.throws(() => layer.update(next()), MemoryError);
    for (const tensor of fill) tensor.dispose();
    assert.deepEqual(layer.forward(unprojected).output, want);
    if (++failed === 3) return;
  }
});

test("no update after dispose, and none from inside a scoreMod", async () => {
  const attention = await engine("portable");
  const layer = MultiHeadAttention.fromMatrices(attention, matrices(1), { heads: 4 });
  const want = layer.forward(x).output;
  const update = () => layer.update(next());
  assert.throws(() => attention.attend(x, x, x, { scoreMod: update }), {
    argument: "attention",
    expected: "an engine that is not running a scoreMod",
  });
  assert.deepEqual(layer.forward(x).output, want);
  layer.dispose();
  assert.throws(update, DisposedError);
});
