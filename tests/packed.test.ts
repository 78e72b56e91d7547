// attendPacked against attend on each sequence alone: the same bits, whatever lies beside it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendPacked, tensor } from "wasm-attention";
import { checkPacked, packedProblems } from "./checks/packed";
import { holds } from "./checks/property";
import { engine, variants } from "./engines";

for (const variant of variants) {
  test(`each packed sequence has the bits it has alone, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(packedProblems, (drawn) => checkPacked(attention, drawn));
  });

  test(`nothing of a neighbour is read, NaN or not, ${variant}`, async () => {
    const attention = await engine(variant);
    const data = Float32Array.of(1, NaN, NaN, 2, 3);
    const x = tensor(data, [5, 1, 1]);
    const { output } = attendPacked(attention, x, x, x, { cumulativeQueries: [0, 1, 3, 5] });
    assert.deepEqual([output.data[0], output.data[1], output.data[2]], [1, NaN, NaN]);
    assert.ok(output.data[3] > 2 && output.data[4] < 3);
  });
}
