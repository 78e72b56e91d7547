// The explorer in headless Chromium: five models, their settings, and two of them beside each other. The two
// models that are trained for it have a short course here.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { AttentionView } from "wasm-attention/view";
import { assertAccessible, assertFits } from "./accessible";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
const PATIENCE = 120_000;
let served: Served;

before(async () => {
  const install = ["examples/install.mjs", "examples/speech/packages"];
  execFileSync(process.execPath, install, { cwd: root });
  const prepare = ["--import", "tsx", `${root}examples/explore/prepare.ts`, "--steps", "120"];
  execFileSync(process.execPath, prepare, { cwd: root });
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/explore`);
});

after(() => served?.close());

async function open(width: number, colorScheme: "light" | "dark"): Promise<Page> {
  const viewport = { width, height: width > 600 ? 1000 : 844 };
  const page = await served.browser.newPage({ viewport, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  page.setDefaultTimeout(PATIENCE);
  await page.addInitScript("globalThis.__name = (named) => named");
  await page.goto(served.address);
  await looked(page, async () => {});
  return page;
}

/** Does something, and waits for what the model makes of it. */
async function looked(page: Page, act: () => Promise<unknown>): Promise<void> {
  const before = await page.evaluate(() => Number(document.body.dataset.looks ?? 0));
  await act();
  await page.waitForFunction((before) => Number(document.body.dataset.looks ?? 0) > before, before);
}

const select = (page: Page, id: string, name: string) =>
  looked(page, () => page.selectOption(`#${id}`, name));

/** Dims of the weights, their sums over the keys, and the rows. */
const mapsOf = (page: Page, which: "first" | "second") =>
  page.evaluate((which) => {
    const view = document.querySelector(`#${which} attention-view`) as AttentionView;
    const { weights, rows } = view.maps!;
    const layers = [weights].flat() as { data: Float32Array; dims: number[] }[];
    const sums = layers.flatMap(({ data, dims }) => {
      const keys = dims.at(-1) as number;
      return Array.from({ length: data.length / keys }, (_, row) =>
        data.subarray(row * keys, (row + 1) * keys).reduce((sum, weight) => sum + weight, 0),
      );
    });
    return { dims: layers.map(({ dims }) => dims), sums, rows: [...rows] };
  }, which);

const says = (page: Page, which: "first" | "second") => page.textContent(`#${which}Says`);

for (const [width, scheme] of [
  [1400, "light"],
  [1400, "dark"],
  [390, "light"],
  [390, "dark"],
] as const) {
  test(`five models: ${width} pixels, ${scheme}`, async () => {
    const page = await open(width, scheme);
    for (const [model, expected] of [
      ["writer", /^Next: “.+” \(\d+\.\d %\); the text itself at [3-4]\.\d{3} nats a piece$/],
      ["sentences", /^\d+ pieces become one vector of 512 numbers$/],
      ["digits", /^A \d \(\d+\.\d %\)$/],
      ["translator", /^“.+”$/],
      ["speech", /^“And so,? my fellow Americans[.,]?”$/],
    ] as const) {
      if (model !== "writer") await select(page, "model", model);
      assert.match((await says(page, "first")) as string, expected);
      const { dims, sums, rows } = await mapsOf(page, "first");
      assert.ok(dims.every((each) => each.at(-2) === rows.length));
      // A part of what a word looks at is the silence around the sound, which is not shown.
      const [least, most] = [model === "speech" ? 0 : 1 - 1e-5, 1 + 1e-5];
      for (const sum of sums) assert.ok(sum > least && sum < most, `${model}: a row of ${sum}`);
      await assertAccessible(page);
      await assertFits(page);
      await page.screenshot({
        path: `${shots}/explore-${model}-${width}-${scheme}.png`,
        fullPage: true,
      });
    }
    await page.close();
  });
}

test("two settings beside each other: a head chosen in one is chosen in both", async () => {
  const page = await open(1400, "light");
  await select(page, "beside", "a window of 8 pieces");
  assert.notEqual(await says(page, "first"), await says(page, "second"));
  const second = await mapsOf(page, "second");
  for (const sum of second.sums) assert.ok(Math.abs(sum - 1) < 1e-5);
  await page.click("#first [part=thumbnail][title='layer 2, head 3']");
  const chosen = await page.evaluate(() => {
    const view = document.querySelector("#second attention-view") as AttentionView;
    return view.chosen;
  });
  assert.deepEqual(chosen, { layer: 1, head: 2 });
  await assertAccessible(page);
  await page.screenshot({ path: `${shots}/explore-beside.png`, fullPage: true });

  await looked(page, () => page.check("#difference"));
  assert.equal(await page.isVisible("#second"), false);
  const { sums } = await mapsOf(page, "first");
  assert.ok(Math.max(...sums) > 0.1 && Math.max(...sums) <= 2);
  await page.screenshot({ path: `${shots}/explore-difference.png`, fullPage: true });

  // Weights that are 0, and keys that no head reaches.
  await select(page, "beside", "sparsemax instead of softmax");
  assert.match((await says(page, "first")) as string, / · .*; \d+\.\d % of the weights are 0$/);
  await select(page, "setting", "each head's span");
  const spans = /; 95 % of what its heads weigh lies within (\d+(, \d+){3}( \| )?){4} pieces · /;
  assert.match((await says(page, "first")) as string, spans);
  await select(page, "setting", "as it was trained");

  const difference = async (beside: string) => {
    await select(page, "beside", beside);
    const said = (await says(page, "first")) as string;
    return Number(/No weight differs by more than (\S+) %$/.exec(said)?.[1]) / 100;
  };
  const [words, bytes] = [
    await difference("attention in int16"),
    await difference("attention in int8"),
  ];
  assert.ok(words > 0 && words < 1e-3, `${words}`);
  assert.ok(bytes > 4 * words && bytes < 0.1, `${bytes}`);
  await assertAccessible(page);
  await assertFits(page);
  await page.screenshot({ path: `${shots}/explore-int8.png`, fullPage: true });

  // Keys and values of 16 bits change a weight by less than a thousandth.
  await select(page, "beside", "keys and values in int16");
  const stored = await mapsOf(page, "first");
  assert.ok(Math.max(...stored.sums) < 1e-3 && Math.max(...stored.sums) > 0);
  await page.close();
});

test("what cannot be read says so, and the next is read", async () => {
  const page = await open(390, "light");
  await page.fill("#text", "");
  assert.equal(await page.textContent("#status"), "Type something");
  await looked(page, () => page.fill("#text", "The whale"));
  assert.deepEqual((await mapsOf(page, "first")).rows.join(""), " The whale");
  await page.close();
});
