// The page that answers questions about a scene, in headless Chromium: each word shows where it looks.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { assertAccessible, assertFits } from "./accessible";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
const PATIENCE = 120_000;
let served: Served;

before(async () => {
  execFileSync(process.execPath, [`${root}examples/see/web/build.mjs`]);
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/see`);
});

after(() => served?.close());

async function open(width: number, height: number, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(served.address);
  await page.waitForSelector("body[data-asked]", { timeout: PATIENCE });
  return page;
}

/** When this question was answered or refused. */
const asked = (page: Page, question: string) =>
  page.waitForFunction((text) => document.body.dataset.asked === text, question, {
    timeout: PATIENCE,
  });

const wordsOf = (page: Page) =>
  page.$$eval("figcaption", (captions) => captions.map((caption) => caption.textContent ?? ""));

const pixelsOf = (page: Page, canvas: string) =>
  page.$eval(canvas, (element) => {
    const { width, height } = element as HTMLCanvasElement;
    const context = (element as HTMLCanvasElement).getContext("2d");
    return [...(context as CanvasRenderingContext2D).getImageData(0, 0, width, height).data];
  });

test("a question of each kind is answered, mostly right, and each word has its look, desktop", async () => {
  const page = await open(1400, 900, "light");
  const ink = (await pixelsOf(page, "#scene")).filter((value, i) => i % 4 === 0 && value > 128);
  assert.ok(ink.length > 100, `${ink.length} pixels of ink`);
  assert.match((await page.textContent("#about")) ?? "", /parameters · .* · 9[5-9]\.\d %/);
  let right = 0;
  let all = 0;
  for (let scene = 0; scene < 3; scene++) {
    const questions = await page.$$eval("#examples button", (buttons) =>
      buttons.map((button) => button.textContent ?? ""),
    );
    // One of each kind, but none twice.
    assert.ok(questions.length >= 4 && questions.length <= 6, `${questions}`);
    assert.equal(new Set(questions).size, questions.length);
    for (const question of questions) {
      await page.getByRole("button", { name: question, exact: true }).first().click();
      await asked(page, question);
      const words = [...(question.replace(/(?<=six)es\?$|s\?$/, " s").match(/\w+/g) ?? []), "?"];
      assert.deepEqual(await wordsOf(page), words);
      const likely = await page.$$eval("#likely li", (items) =>
        items.map((item) => item.textContent ?? ""),
      );
      assert.equal(likely.length, 3);
      const shares = likely.map((text) => Number(/([\d.]+) %$/.exec(text)?.[1]));
      assert.deepEqual(
        shares,
        shares.toSorted((a, b) => b - a),
      );
      all++;
      if ((await page.textContent("#mark")) === "✓ right") right++;
    }
    const before = await pixelsOf(page, "#scene");
    await page.evaluate(() => {
      delete document.body.dataset.asked;
    });
    await page.click("#another");
    await page.waitForSelector("body[data-asked]");
    assert.notDeepEqual(await pixelsOf(page, "#scene"), before);
  }
  assert.ok(right / all > 0.75, `${right} of ${all}`);

  const mean = await pixelsOf(page, "figure:last-child canvas");
  await page.selectOption("#layer", "1");
  assert.notDeepEqual(await pixelsOf(page, "figure:last-child canvas"), mean);
  await page.selectOption("#layer", "0");
  assert.deepEqual(await pixelsOf(page, "figure:last-child canvas"), mean);
  const maps = await page.$eval("attention-view", (view) => {
    const { maps, picture } = view as unknown as {
      maps: { weights: { dims: number[] }[]; rows: string[] };
      picture: string;
    };
    return { picture, rows: maps.rows, dims: maps.weights.map(({ dims }) => dims) };
  });
  assert.equal(maps.picture, "image");
  assert.deepEqual(maps.rows, await wordsOf(page));
  for (const dims of maps.dims) assert.deepEqual(dims, [4, maps.rows.length, 64]);
  await assertAccessible(page);
  await assertFits(page);
  await page.screenshot({ path: `${shots}/see-desktop.png`, fullPage: true });
  await page.close();
});

test("a question is typed and sent by keyboard; an unknown word is said, phone", async () => {
  const page = await open(390, 844, "dark");
  await page.fill("#question", "What is at the top left");
  await page.press("#question", "Enter");
  await asked(page, "What is at the top left");
  assert.deepEqual(await wordsOf(page), ["what", "is", "at", "the", "top", "left", "?"]);
  await assertFits(page);
  await assertAccessible(page);
  await page.screenshot({ path: `${shots}/see-phone.png`, fullPage: true });

  await page.fill("#question", "what is a whale?");
  await page.press("#question", "Enter");
  await asked(page, "what is a whale?");
  assert.match((await page.textContent("#answer")) ?? "", /^“whale” is no word that it knows/);
  assert.equal(await page.isVisible("#looks"), false);
  await assertFits(page);
  await assertAccessible(page);
  await page.fill("#question", "is there a nine?");
  await page.click("#ask");
  await asked(page, "is there a nine?");
  assert.match((await page.textContent("#answer")) ?? "", /^(yes|no)$/);
  await page.close();
});

test("a model that does not come is said, and tried again", async () => {
  const page = await served.browser.newPage();
  await page.route("**/model.safetensors", (route) => route.abort());
  await page.goto(served.address);
  await page.waitForSelector("body.failed");
  assert.match((await page.textContent("#reason")) ?? "", /^model\.safetensors did not come: the/);
  await page.unroute("**/model.safetensors");
  await page.click("#again");
  await page.waitForSelector("body.ready", { timeout: PATIENCE });
  await page.close();
});
