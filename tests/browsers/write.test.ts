// The page that writes, in headless Chromium: a beginning goes on, every word says what it looked at.

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
  execFileSync(process.execPath, [`${root}examples/write/web/build.mjs`]);
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/write`);
});

after(() => served?.close());

async function open(width: number, height: number, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(served.address);
  await page.waitForSelector("body.ready", { timeout: PATIENCE });
  return page;
}

const stopped = (page: Page) =>
  page.waitForSelector("body[data-state=stopped]", { timeout: PATIENCE });

const wordsOf = (page: Page) =>
  page.$$eval("#text .word", (words) => words.map((word) => word.textContent ?? ""));

/** Of every word, read off the text. */
const weightsOf = (page: Page) =>
  page.$$eval<number[], HTMLElement>("#text .word", (words) =>
    words.map(({ dataset }) => Number(dataset.weight)),
  );

async function look(page: Page, at: number) {
  await page.locator("#text .word").nth(at).click();
  await page.waitForFunction(
    (at) => {
      const words = [...document.querySelectorAll<HTMLElement>("#text .word")];
      return Number(words[at].dataset.weight) > 0;
    },
    at,
    { timeout: PATIENCE },
  );
}

test("a beginning goes on, and a word says what it looked at, desktop", async () => {
  const page = await open(1400, 900, "light");
  await stopped(page);
  const words = await wordsOf(page);
  assert.deepEqual(words.slice(0, 5), ["Call", "me", "Ishmael.", "Some", "years"]);
  assert.ok(words.length > 100, `${words.length} words`);
  const number = async (id: string) =>
    Number(((await page.textContent(`#${id}`)) ?? "").replaceAll(",", ""));
  const pieces = await number("pieces");
  assert.ok(pieces > 300 && pieces < 330, `${pieces} pieces`);
  assert.ok((await number("rate")) > 0);
  assert.match((await page.textContent("#bytes")) ?? "", /^[\d.]+ (kB|MB)$/);
  assert.match((await page.textContent("#about")) ?? "", /914,134 parameters .* without attention/);

  await look(page, 40);
  assert.equal(await page.textContent("#word"), words[40]);
  const mean = await weightsOf(page);
  const sum = mean.reduce((a, b) => a + b);
  // The mark of the beginning is no word, and has the rest.
  assert.ok(sum > 0.3 && sum <= 1.0001, `${sum}`);
  assert.ok(mean.slice(41).every((weight) => weight === 0));
  const heads = await page.$$eval("#heads label", (all) => all.map((label) => label.textContent));
  assert.equal(heads.length, 17);
  assert.deepEqual(
    [heads[0], heads[1], heads[16]],
    ["mean of all", "layer 1, head 1", "layer 4, head 4"],
  );
  await page.click("text=layer 2, head 3");
  assert.notDeepEqual(await weightsOf(page), mean);
  const listed = await page.$$eval("#most li", (items) =>
    items.map((item) => item.textContent ?? ""),
  );
  assert.equal(listed.length, 5);
  const shares = listed.map((text) => Number(/([\d.]+) %$/.exec(text)?.[1]));
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => b - a),
  );
  await assertAccessible(page);
  await assertFits(page);
  await page.screenshot({ path: `${shots}/write-desktop.png`, fullPage: true });
  await page.close();
});

test("greedy at temperature 0: the same text again; it goes on and stops when told, phone", async () => {
  const page = await open(390, 844, "dark");
  await stopped(page);
  await page.fill("#temperature", "0");
  assert.match((await page.textContent("#degrees")) ?? "", /^0: always the likeliest/);
  await page.fill("#beginning", "The whale");
  await page.press("#beginning", "Enter");
  await page.waitForFunction(() => document.querySelector("#text .word")?.textContent === "The");
  await stopped(page);
  const first = await wordsOf(page);
  await page.click("#start");
  await stopped(page);
  assert.deepEqual(await wordsOf(page), first);
  await page.click("#toggle");
  await stopped(page);
  const further = await wordsOf(page);
  assert.ok(further.length > first.length);
  assert.deepEqual(further.slice(0, first.length - 1), first.slice(0, -1));

  // Between the words by keyboard: one of them is in the order of tabs.
  await look(page, 3);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.waitForFunction(
    (word) => document.querySelector("#word")?.textContent === word,
    further[4],
  );
  assert.equal(await page.locator("#text .word[tabindex='0']").count(), 1);
  await assertFits(page);
  await assertAccessible(page);
  await page.screenshot({ path: `${shots}/write-phone.png`, fullPage: true });
  const live = await page.$$eval("[aria-live], [role=status], [role=alert]", (all) =>
    all.map(({ id }) => id),
  );
  assert.deepEqual(live, ["failure", "status"]);
  await page.close();
});

test("a switch keeps keys and values in int8: a quarter of the bytes, the text goes on", async () => {
  const page = await open(800, 900, "light");
  await stopped(page);
  await page.fill("#temperature", "0");
  await page.click("#start");
  await stopped(page);
  const bytes = async () => {
    const [, number, unit] =
      /^([\d.]+) (kB|MB)$/.exec((await page.textContent("#bytes")) ?? "") ?? [];
    return Number(number) * (unit === "MB" ? 1e6 : 1e3);
  };
  const pages = () => page.textContent("#pages");
  const [first, exact, kept] = [await wordsOf(page), await bytes(), await pages()];
  await page.getByRole("checkbox", { name: "Keys and values in int8" }).check();
  assert.deepEqual(await wordsOf(page), first);
  await page.click("#start");
  await stopped(page);
  assert.equal(await pages(), kept);
  assert.ok((await bytes()) < exact * 0.3, `${await bytes()} of ${exact}`);
  const rough = await wordsOf(page);
  await page.click("#toggle");
  await stopped(page);
  assert.deepEqual((await wordsOf(page)).slice(0, rough.length - 1), rough.slice(0, -1));
  // Of a text that was written in the other numbers.
  await page.getByRole("checkbox").uncheck();
  const before = await wordsOf(page);
  await page.click("#toggle");
  await stopped(page);
  assert.deepEqual((await wordsOf(page)).slice(0, before.length - 1), before.slice(0, -1));
  assert.ok((await bytes()) > exact);
  await assertAccessible(page);
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
