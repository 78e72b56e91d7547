// The page that trains, in headless Chromium: the loss falls, the alignment sharpens and crosses.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { assertAccessible, assertFits } from "./accessible";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
/** A minute or two, but for a machine that has much else to do. */
const TRAINED = 900_000;
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
const weightsOf = (page: Page) =>
  page.$$eval("#map tbody tr", (rows) =>
    rows.map((row) =>
      [...row.querySelectorAll<HTMLElement>(".cell")].map(({ dataset }) => Number(dataset.weight)),
    ),
  );

/** The written pieces, put together; without the end, which a text that lost its way has not. */
const rowsOf = (page: Page) =>
  page.$$eval("#map tbody th", (words) =>
    words
      .map((word) => word.textContent)
      .filter((word) => word !== "end")
      .join(""),
  );

/** Frames in two seconds. */
const framesOf = (page: Page) =>
  page.evaluate(async () => {
    let frames = 0;
    for (const end = performance.now() + 2000; performance.now() < end; frames++)
      await new Promise(requestAnimationFrame);
    return frames;
  });

test("a translator is trained to the end, desktop", async () => {
  const page = await open(1400, 900, "light");
  await reach(page, 5);
  const first = await lossOf(page);
  assert.ok(first > 1.5, `${first} after ${await stepOf(page)} steps`);
  await page.waitForSelector("#map .cell");
  assert.match((await page.textContent("#left")) ?? "", /^\d+ (s|min)$/);
  // Rows are what it writes, long before that is right, and the verdict is about the same.
  await page.click("#toggle");
  await page.waitForSelector("body[data-state=paused]");
  await page.waitForTimeout(1000);
  const writing = await page.textContent("#written");
  assert.equal(await rowsOf(page), writing === "nothing yet" ? "" : writing?.replaceAll(" ", ""));
  assert.match((await page.textContent("#verdict")) ?? "", /^not yet: viertausend/);
  await page.click("#toggle");
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
  assert.equal(await rowsOf(page), await page.textContent("#written"));
  assert.match((await page.textContent("#status")) ?? "", /^Trained\. Now translate a number/);
  await assertAccessible(page);
  await page.click("text=777777");
  await page.waitForFunction(() =>
    document.querySelector("#source")?.textContent?.startsWith("seven"),
  );
  await page.fill("#number", "abc");
  assert.equal(await page.getAttribute("#number", "aria-invalid"), "true");
  assert.match(
    (await page.textContent("#range")) ?? "",
    /^“abc” is no whole number from 0 to 999,999/,
  );
  assert.equal(await page.locator("#result").isVisible(), false);
  await page.fill("#number", "");
  assert.equal(await page.textContent("#range"), "A whole number from 0 to 999,999.");
  assert.equal(await page.locator("#result").isVisible(), false);
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
  await assertAccessible(page);
  await page.screenshot({ path: `${shots}/training-phone.png`, fullPage: true });
  await page.click("#toggle");
  await reach(page, stopped + 5);
  await page.close();
});

test("the chart has axes and a legend; every head is there; only a summary is read aloud", async () => {
  const page = await open(390, 844, "light");
  await reach(page, 3);
  await page.waitForSelector("#map canvas");
  const drawn = await page.$$eval("#chart text", (texts) => texts.map((text) => text.textContent));
  for (const label of ["step", "loss, in nats a piece", "each step", "running mean"])
    assert.ok(drawn.includes(label), label);
  const heads = await page.$$eval("#map label", (labels) =>
    labels.map((label) => label.textContent),
  );
  assert.deepEqual(heads, ["mean", "head 1", "head 2", "head 3", "head 4"]);
  const live = await page.$$eval("[aria-live], [role=status], [role=alert]", (all) =>
    all.map(({ id }) => id),
  );
  assert.deepEqual(live, ["status", "failure"]);
  await assertAccessible(page);
  await page.close();
});

test("a worker that does not come is said, and tried again", async () => {
  const page = await served.browser.newPage();
  await page.route("**/worker.js*", (route) => route.abort());
  await page.goto(served.address);
  await page.waitForSelector("body.failed");
  assert.match((await page.textContent("#reason")) ?? "", /^worker\.js did not come: the server/);
  await page.unroute("**/worker.js*");
  await page.click("#again");
  await page.waitForSelector("body.ready", { timeout: 60_000 });
  await page.close();
});
