// The page that trains, in headless Chromium: the loss falls, the alignment sharpens and crosses.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
const TRAINED = 400_000;
let served: Served;

before(async () => {
  execFileSync(process.execPath, [`${root}examples/translation/web/build.mjs`]);
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/translation-page`);
});

after(() => served?.close());

async function open(width: number, height: number, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(served.address);
  await page.waitForSelector("body.ready", { timeout: 60_000 });
  return page;
}

const stepOf = async (page: Page) => Number(await page.getAttribute("body", "data-step"));

const reach = (page: Page, step: number) =>
  page.waitForFunction((step) => Number(document.body.dataset.step) >= step, step, {
    timeout: TRAINED,
  });

const lossOf = async (page: Page) => Number(await page.textContent("#loss"));

/** For each written piece the shares of the source pieces, read off the cells. */
async function weightsOf(page: Page): Promise<number[][]> {
  const titles = await page.$$eval("#map .cell", (cells) =>
    cells.map((cell) => (cell as HTMLElement).title),
  );
  const columns = await page.locator("#map .to").count();
  const shares = titles.map((title) => Number.parseFloat(title.slice(title.lastIndexOf(":") + 1)));
  return Array.from({ length: titles.length / columns }, (_, row) =>
    shares.slice(row * columns, (row + 1) * columns),
  );
}

/** Frames in two seconds. */
const framesOf = (page: Page) =>
  page.evaluate(async () => {
    let frames = 0;
    for (const end = performance.now() + 2000; performance.now() < end; frames++)
      await new Promise(requestAnimationFrame);
    return frames;
  });

async function assertFits(page: Page) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
}

test("a translator is trained to the end, desktop", async () => {
  const page = await open(1200, 800, "light");
  await reach(page, 5);
  const early = await lossOf(page);
  assert.ok(early > 1.5, `${early} after ${await stepOf(page)} steps`);
  await page.waitForSelector("#map .cell");
  await reach(page, 150);
  await page.screenshot({ path: `${shots}/training-middle.png`, fullPage: true });
  await page.waitForSelector("body[data-state=done]", { timeout: TRAINED });

  assert.equal(await stepOf(page), 800);
  assert.ok((await lossOf(page)) < 0.01);
  assert.match((await page.textContent("#tested")) ?? "", /of 1,000 held-out numbers/);
  const exact = Number.parseFloat((await page.textContent("#match")) ?? "");
  assert.ok(exact >= 99, `${exact} % exactly right`);
  assert.equal(await page.textContent("#written"), "viertausenddreihunderteinundzwanzig");
  await page.fill("#number", "21");
  await page.waitForFunction(() => document.querySelector("#source")?.textContent === "twenty-one");
  assert.equal(await page.textContent("#written"), "einundzwanzig");
  assert.match((await page.textContent("#verdict")) ?? "", /right/);
  const [one, , twenty] = await weightsOf(page);
  assert.equal(one.indexOf(Math.max(...one)), 2, `ein looks at ${one}`);
  assert.ok(twenty.indexOf(Math.max(...twenty)) < 2, `zwanzig looks at ${twenty}`);

  await page.fill("#number", "4321");
  await page.waitForFunction(() =>
    document.querySelector("#source")?.textContent?.startsWith("four"),
  );
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${shots}/training-desktop.png`, fullPage: true });
  await page.fill("#number", "98765");
  await page.waitForFunction(() =>
    document.querySelector("#source")?.textContent?.startsWith("ninety-eight"),
  );
  assert.equal(
    await page.textContent("#written"),
    "achtundneunzigtausendsiebenhundertfünfundsechzig",
  );
  await page.fill("#number", "many");
  assert.equal(await page.getAttribute("#number", "aria-invalid"), "true");
  assert.match((await page.textContent("#source")) ?? "", /^ninety-eight/);
  await assertFits(page);
  await page.click("#restart");
  await page.waitForFunction(() => Number(document.body.dataset.step) < 100);
  await reach(page, 5);
  assert.ok((await lossOf(page)) > 1.5);
  await page.close();
});

test("pause stops it, frames go on while it trains, phone", async () => {
  const page = await open(390, 844, "dark");
  await reach(page, 20);
  const training = await framesOf(page);
  await page.click("#toggle");
  await page.waitForSelector("body[data-state=paused]");
  // The step that runs may still end.
  await page.waitForTimeout(1000);
  const stopped = await stepOf(page);
  await page.waitForTimeout(1000);
  assert.equal(await stepOf(page), stopped);
  // On the page's own thread there would be a frame for each 80 ms of training.
  const idle = await framesOf(page);
  assert.ok(
    training > 0.35 * idle,
    `${training} frames while training, ${idle} in as long a pause`,
  );
  await assertFits(page);
  await page.screenshot({ path: `${shots}/training-phone.png`, fullPage: true });
  await page.click("#toggle");
  await reach(page, stopped + 5);
  await page.close();
});
