// The server on Bun: what it remembers, and its answers beside the formula's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serving } from "../serving";
import { assertNear, example, installed } from "./example";

const bun = installed("@oven/bun-linux-x64/bin/bun");
const SIZE = 8;

test("it remembers vectors and answers with their mean", async () => {
  const cwd = example("bun");
  const env = { PORT: "0", SIZE: String(SIZE) };
  await serving(bun, ["run", "server.ts"], { cwd, env }, async (address) => {
    const send = (method: string, body?: Float32Array<ArrayBuffer>) =>
      fetch(address, { method, body: body ?? null });
    assert.equal((await send("POST", new Float32Array(SIZE))).status, 409);
    const known = [0, 1, 2].map((i) => new Float32Array(SIZE).fill(0).fill(3, i, i + 2));
    for (const [i, vector] of known.entries()) {
      assert.equal(await (await send("PUT", vector)).text(), `${i + 1}\n`);
    }
    const asked = known[1];
    const answer = new Float32Array(await (await send("POST", asked)).arrayBuffer());
    const scores = known.map(
      (vector) => vector.reduce((sum, x, i) => sum + x * asked[i], 0) / Math.sqrt(SIZE),
    );
    const weights = scores.map((score) => Math.exp(score));
    const total = weights.reduce((sum, weight) => sum + weight);
    assertNear(
      answer,
      Array.from(asked, (_, i) =>
        known.reduce((sum, vector, j) => sum + (vector[i] * weights[j]) / total, 0),
      ),
      1e-5,
    );
    assert.equal((await send("PUT", new Float32Array(SIZE - 1))).status, 400);
  });
});
