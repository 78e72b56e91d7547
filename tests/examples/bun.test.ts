// The server on Bun: what it remembers, and its answers beside the formula's.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, test } from "node:test";
import { quiet } from "../quiet";
import { serving } from "../serving";
import { assertNear, example, installed } from "./example";

const bun = installed("@oven/bun-linux-x64/bin/bun");
const SIZE = 8;

let folder: string;
before(() => {
  folder = example("bun");
});

test("it remembers vectors and answers with their mean", async () => {
  const env = { PORT: "0", SIZE: String(SIZE), MOST: "4" };
  await serving(bun, ["run", "server.ts"], { cwd: folder, env }, async (address) => {
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

    // None of these is kept, and the answer stays what it was.
    const spoilt = (value: number) => new Float32Array(SIZE).fill(1).fill(value, 3, 4);
    const two = new Float32Array(2 * SIZE);
    two[SIZE] = Number.NaN;
    for (const wrong of [
      new Float32Array(SIZE - 1),
      new Float32Array(0),
      ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38].map(spoilt),
      two,
    ]) {
      for (const method of ["PUT", "POST"]) {
        const response = await send(method, wrong);
        assert.equal(response.status, 400, `${method} ${wrong}`);
        assert.match(await response.text(), /^expected /);
      }
    }
    for (const method of ["GET", "DELETE", "PATCH"]) {
      const response = await send(method);
      assert.equal(response.status, 405, method);
      assert.equal(response.headers.get("allow"), "PUT, POST");
    }
    const many = await send("POST", new Float32Array(257 * SIZE));
    assert.deepEqual([many.status, await many.text()], [413, "at most 256 vectors at once\n"]);
    const large = await send("PUT", new Float32Array(5e6)).catch((error: Error) => error);
    if (!(large instanceof Error)) assert.equal(large.status, 413);
    const full = await send("PUT", new Float32Array(2 * SIZE));
    assert.deepEqual([full.status, await full.text()], [507, "full: at most 4 vectors\n"]);
    const after = new Float32Array(await (await send("POST", asked)).arrayBuffer());
    assert.deepEqual(after, answer);
    assert.equal(await (await send("PUT", new Float32Array(SIZE))).text(), "4\n");
    assert.equal((await send("PUT", new Float32Array(SIZE))).status, 507);
  });
});

test("nothing is computed for those who have gone", async () => {
  const [vectors, asked] = [40_000, 256];
  await serving(bun, ["run", "server.ts"], { cwd: folder, env: { PORT: "0" } }, async (address) => {
    const put = await fetch(address, {
      method: "PUT",
      body: new Float32Array(vectors * 64).fill(0.5),
    });
    assert.equal(await put.text(), `${vectors}\n`);
    const ask = async (count: number, signal?: AbortSignal) => {
      const body = new Float32Array(count * 64).fill(0.5);
      const response = await fetch(address, { method: "POST", body, ...(signal && { signal }) });
      assert.equal(response.status, 200);
      return response.arrayBuffer();
    };
    await ask(asked);
    const time = async (run: () => Promise<unknown>) => {
      const begin = performance.now();
      await run();
      return performance.now() - begin;
    };
    const long = await time(() => ask(asked));
    const leaving = new AbortController();
    const gone = Array.from({ length: 40 }, () => ask(asked, leaving.signal).catch(() => "gone"));
    await new Promise((resolve) => setTimeout(resolve, long));
    leaving.abort();
    await Promise.all(gone);
    // Of forty questions most had not been begun.
    const next = await time(() => ask(1));
    assert.ok(next < 10 * long, `${next} ms after questions of ${long} ms each`);
  });
});

test("settings that are none end it with a line", () => {
  for (const [env, said] of [
    [{ SIZE: "0" }, /^SIZE: .*>=1.*\n$/],
    [{ SIZE: "64.5" }, /^SIZE: .*\n$/],
    [{ SIZE: "many" }, /^SIZE: .*\n$/],
    [{ SIZE: "1e9" }, /^SIZE: .*\n$/],
    [{ PORT: "70000" }, /^PORT: .*<=65535.*\n$/],
    [{ MOST: "-1" }, /^MOST: .*\n$/],
  ] as const) {
    const { status, stderr } = spawnSync(bun, ["run", "server.ts"], {
      cwd: folder,
      env: { ...process.env, ...quiet, PORT: "0", ...env },
      encoding: "utf8",
    });
    assert.equal(status, 2, stderr);
    assert.match(stderr, said);
  }
});
