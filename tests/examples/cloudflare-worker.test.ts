// The Worker in wrangler's local mode, and the bundle that a deployment would upload.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { serving } from "../serving";
import { assertNear, example, installed, output, post } from "./example";
import { endless, never, refuses, type Send } from "./hostile";

const node = installed("node-24/bin/node");
const wrangler = installed("wrangler/bin/wrangler.js");

let folder: string;
let env: Record<string, string>;
before(() => {
  folder = example("cloudflare-worker");
  env = { XDG_CONFIG_HOME: join(folder, ".config") };
});

test("its bundle is under 1 MB compressed", () => {
  const said = output(folder, node, [wrangler, "deploy", "--dry-run", "--outdir", "build"], env);
  const [total, all, compressed] =
    /Total Upload: ([\d.]+) KiB \/ gzip: ([\d.]+) KiB/.exec(said) ?? [];
  console.log(total);
  assert.ok(Number(compressed) < 1000, said);
  // Both builds are in it: it is not the bundle of something else.
  assert.ok(Number(all) > 80, said);
});

test("it scores texts and vectors, and says what is wrong with others", async () => {
  const args = [wrangler, "dev", "--ip", "127.0.0.1", "--port", "0"];
  await serving(node, args, { cwd: folder, env }, async (address) => {
    const documents = [
      "Opening hours of the shop",
      "How do I get my money refunded?",
      "Shipping to other countries",
    ];
    const texts = await post(address, { query: "refunds of money", documents });
    assert.equal(texts.status, 200);
    const { ranking } = texts.answer;
    assert.deepEqual(ranking.map(({ index }: { index: number }) => index).toSorted(), [0, 1, 2]);
    assert.equal(ranking[0].index, 1);
    assert.ok(ranking[0].similarity > 0.3 && ranking[0].weight > 0.9, JSON.stringify(ranking));
    const weights = ranking.map(({ weight }: { weight: number }) => weight);
    assertNear([weights.reduce((sum: number, weight: number) => sum + weight)], [1], 1e-6);

    // Cosines 1, 0.6 and −1; the weights are the softmax of twice that.
    const vectors = {
      query: [2, 0],
      documents: [
        [1, 0],
        [3, 4],
        [-5, 0],
      ],
      sharpness: 2,
    };
    const { answer } = await post(address, vectors);
    const powers = [1, 0.6, -1].map((cosine) => Math.exp(2 * cosine));
    const sum = powers.reduce((total, power) => total + power);
    const read = (name: string) => answer.ranking.map((one: Record<string, number>) => one[name]);
    assert.deepEqual(read("index"), [0, 1, 2]);
    assertNear(read("similarity"), [1, 0.6, -1], 1e-6);
    assertNear(
      read("weight"),
      powers.map((power) => power / sum),
      1e-6,
    );

    const send: Send = async (body, method = "POST") => {
      // A server that has heard enough may close while it is still spoken to.
      const stream = typeof body !== "string" && { duplex: "half" };
      const response = await fetch(address, { method, body, ...stream } as RequestInit);
      return { status: response.status, text: await response.text() };
    };
    for (const body of never) await refuses(send, body, 400);
    const long = Array.from({ length: 130_000 }, () => 1);
    for (const [wrong, said] of [
      [{ query: "a" }, /documents: Invalid key/],
      [{ query: "a", documents: [] }, /documents: .*length/],
      [{ query: "a", documents: "b" }, /documents: .*Array/],
      [{ query: "a", documents: ["b"], sharpnes: 2 }, /sharpnes/],
      [{ query: "", documents: [[1]] }, /texts alone, or vectors alone/],
      [{ query: [1], documents: [[1, 2]] }, /vectors of one size/],
      [{ query: "a", documents: [null] }, /texts, or vectors/],
      [{ query: [1, null], documents: [[1, 2]] }, /texts, or vectors/],
      [{ query: [], documents: [[]] }, /query: .*length/],
      [{ query: long, documents: [long] }, /texts, or vectors|length/],
      ['{"query": [1e39], "documents": [[1]]}', /texts, or vectors/],
      ['{"query": [1], "documents": [[1e400]]}', /texts, or vectors/],
      [{ query: "a", documents: ["b"], sharpness: "very" }, /sharpness: .*number/],
      [{ query: "a", documents: ["b"], sharpness: 0 }, /sharpness: .*>=/],
      [{ query: "a", documents: ["b"], sharpness: 1e38 }, /sharpness: .*<=/],
      [{ query: { length: 2e8 }, documents: ["b"] }, /texts, or vectors/],
    ] as const) {
      await refuses(send, wrong, 400, said);
    }
    await refuses(send, `"${"a".repeat(2 ** 21)}"`, 413, /at most 1048576 bytes/);
    const streamed = await send(endless(55e6)).catch((error: Error) => error);
    if (!(streamed instanceof Error)) assert.equal(streamed.status, 413);
    for (const method of ["GET", "PUT", "DELETE"]) {
      const response = await fetch(address, { method });
      assert.equal(response.status, 405, method);
      assert.equal(response.headers.get("allow"), "POST");
    }
    // The largest it takes: every number float32 has, and a text of a megabyte.
    const extreme = {
      query: [3e38, -3e38],
      documents: [
        [3e38, -3e38],
        [1e-45, 0],
      ],
      sharpness: 1000,
    };
    const most = await post(address, extreme);
    assert.equal(most.status, 200);
    for (const { similarity, weight } of most.answer.ranking) {
      assert.ok(
        Number.isFinite(similarity) && Number.isFinite(weight),
        JSON.stringify(most.answer),
      );
    }
    const words = "refund ".repeat(140_000);
    assert.equal((await post(address, { query: "refund", documents: [words] })).status, 200);
    assert.deepEqual((await post(address, vectors)).answer, answer);
  });
});
