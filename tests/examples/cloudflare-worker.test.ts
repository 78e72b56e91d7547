// The Worker in wrangler's local mode, and the bundle that a deployment would upload.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { serving } from "../serving";
import { assertNear, example, installed, output, post } from "./example";

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

    for (const [wrong, said] of [
      [{ query: "a" }, /expected { query, documents }/],
      [{ query: [1], documents: [[1, 2]] }, /vectors of one size/],
      [{ query: "a", documents: [null] }, /texts, or vectors/],
      [{ query: "a", documents: ["b"], sharpness: "very" }, /"scale" expected/],
      ["{", /JSON/],
    ] as const) {
      const { status, answer } = await post(address, wrong);
      assert.equal(status, 400, JSON.stringify(answer));
      assert.match(answer.error, said);
    }
    assert.equal((await fetch(address)).status, 405);
  });
});
