// embedding: of a table that is not in linear memory only the rows that are named are copied there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import { embedding, embeddingAsync } from "wasm-attention/blocks";
import { engine, randomTensor, variants } from "./engines";

const MB = 2 ** 20;
const rowsOf = ({ data, dims: [, columns] }: Tensor, ids: readonly number[]) =>
  Float32Array.from(ids.flatMap((id) => [...data.subarray(id * columns, (id + 1) * columns)]));

for (const variant of variants) {
  test(`wherever the table lies, ${variant}`, async () => {
    using attention = await engine(variant);
    using other = await engine(variant);
    const table = randomTensor([50, 33], 1);
    const [ours, theirs] = [attention, other].map((each) => each.allocate(table.dims));
    for (const each of [ours, theirs]) each.data.set(table.data);
    const { used } = attention.memory;
    const tables = [table, ours, theirs, tensor(ours.data, ours.dims)];
    const fewer = [[], [49], [7, 0, 7, 49, 12], Array.from({ length: 49 }, (_, i) => i)];
    for (const ids of [...fewer, Array.from({ length: 120 }, (_, i) => (i * 7) % 50)]) {
      for (const each of tables) {
        const expected = rowsOf(table, ids);
        assert.deepEqual(embedding(attention, each, ids).data, expected);
        assert.deepEqual((await embeddingAsync(attention, each, ids)).data, expected);
        const scaled = embedding(attention, each, ids, { scale: 3 }).data;
        assert.deepEqual(
          scaled,
          expected.map((x) => x * 3),
        );
      }
    }
    assert.equal(attention.memory.used, used);
  });

  test(`a table larger than linear memory may become, ${variant}`, async () => {
    using attention = await engine(variant, { maximumMemory: 4 * MB });
    const table = randomTensor([MB, 8], 1);
    const ids = [MB - 1, 0, 12345];
    const { used } = attention.memory;
    assert.deepEqual(embedding(attention, table, ids).data, rowsOf(table, ids));
    const later = await embeddingAsync(attention, table, { data: ids, dims: [3, 1] });
    assert.deepEqual([later.dims, later.data], [[3, 1, 8], rowsOf(table, ids)]);
    assert.equal(attention.memory.used, used);
  });
}

test("a table whose buffer is transferred while all of it is copied", async () => {
  using attention = await engine("portable");
  const { used } = attention.memory;
  const table = randomTensor([600, 4096], 1);
  const pending = embeddingAsync(
    attention,
    table,
    Array.from({ length: 599 }, (_, i) => i),
  );
  structuredClone(table.data.buffer, { transfer: [table.data.buffer as ArrayBuffer] });
  await assert.rejects(pending, {
    name: "ArgumentError",
    argument: "table",
    message: /expected 2457600 elements until the call ends, got 0/,
  });
  assert.equal(attention.memory.used, used);
});
