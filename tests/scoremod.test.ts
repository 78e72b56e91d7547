// scoreMod beyond its arithmetic, which attend.test.ts holds against float64: what tiles come, what
// happens if it throws, and that it cannot use the engine it runs in.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attendPacked,
  linear,
  mergeStates,
  prepareLinear,
  type ScoreTile,
  tensor,
} from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import { engine, randomArray, variants } from "./engines";

for (const variant of variants) {
  test(`every visible score comes once, and only tiles that are seen, ${variant}`, async () => {
    const attention = await engine(variant);
    const [B, H, L, S] = [2, 3, 130, 200];
    const q = tensor(randomArray(B * H * L * 4, 1), [B, H, L, 4]);
    const k = tensor(randomArray(B * H * S * 4, 2), [B, H, S, 4]);
    const seen = new Uint8Array(B * H * L * S);
    let cells = 0;
    attention.attend(q, k, k, {
      window: { left: 10, right: 5 },
      keyLengths: [200, 50],
      scoreMod: ({ scores, batch, head, query, key, rows, columns }: ScoreTile) => {
        assert.equal(scores.length, rows * columns);
        cells += scores.length;
        for (let i = 0; i < rows; i++)
          for (let j = 0; j < columns; j++)
            seen[((batch * H + head) * L + query + i) * S + key + j]++;
      },
    });
    assert.ok(seen.every((count) => count <= 1));
    assert.ok(cells < (B * H * L * S) / 2, "memory and calls follow the window");
    for (let b = 0; b < B; b++)
      for (let i = 0; i < L; i++)
        for (let j = Math.max(0, i - 10); j <= Math.min(i + 5, [200, 50][b] - 1); j++)
          assert.equal(seen[(b * H * L + i) * S + j], 1);
  });

  test(`what scoreMod throws the call throws, and nothing is left behind, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = tensor(randomArray(300 * 8, 3), [300, 8]);
    const want = attention.attend(x, x, x).output.data;
    const { used } = attention.memory;
    for (const nth of [1, 2, 3]) {
      const error = new Error("mine");
      let calls = 0;
      const scoreMod = () => {
        if (++calls === nth) throw error;
      };
      assert.throws(
        () => attention.attend(x, x, x, { scoreMod, weights: true }),
        (thrown) => thrown === error,
      );
      assert.equal(attention.memory.used, used);
      assert.deepEqual(attention.attend(x, x, x).output.data, want);
    }
  });

  test(`the engine is refused from inside scoreMod, another one is not, ${variant}`, async () => {
    const attention = await engine(variant);
    const other = await engine(variant);
    const x = tensor(randomArray(8, 4), [2, 4]);
    using allocated = attention.allocate([2, 4]);
    allocated.data.set(x.data);
    const weight = prepareLinear(attention, tensor(randomArray(16, 5), [4, 4]), {
      order: "in,out",
    });
    const { used } = attention.memory;
    const inside: (() => unknown)[] = [
      () => attention.attend(x, x, x),
      () => attendPacked(attention, x, x, x, { cumulativeQueries: [0, 2] }),
      () => linear(attention, x, weight),
      () => attention.allocate([1]),
      () => rotate(attention, x),
      () => mergeStates(attention, []),
      () => attention.dispose(),
      () => attention.memory,
    ];
    let refused = 0;
    attention.attend(x, x, x, {
      scoreMod: () => {
        for (const call of inside) {
          assert.throws(call, { name: "ArgumentError", argument: "attention" });
          refused++;
        }
        other.attend(x, x, x);
      },
    });
    assert.equal(refused, inside.length);
    assert.throws(
      () => attention.attend(x, x, x, { scoreMod: () => void attention.attend(x, x, x) }),
      {
        message:
          'attend: "attention" expected an engine that is not running a scoreMod, got a call from inside it',
      },
    );
    assert.equal(attention.memory.used, used);
    assert.equal(attention.attend(x, x, x).output.data.length, 8);
  });
}
