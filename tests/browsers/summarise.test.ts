// The page that summarises, in headless Chromium: a text in, its summary, and who attends to it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { assertAccessible, assertFits } from "./accessible";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
const PATIENCE = 180_000;
let served: Served;

before(async () => {
  const install = [`${root}examples/install.mjs`, `${root}examples/write/book`];
  execFileSync(process.execPath, install, { stdio: "ignore" });
  execFileSync(process.execPath, [`${root}examples/summarise/web/build.mjs`]);
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/summarise`);
});

after(() => served?.close());

async function open(width = 800, height = 900, colorScheme: "light" | "dark" = "light") {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(served.address);
  await summarised(page);
  return page;
}

const summarised = (page: Page) =>
  page.waitForSelector("body[data-summarised]", { timeout: PATIENCE });

const chosenOf = (page: Page) => page.locator("#chosen button").allTextContents();

async function summarise(page: Page, text: string, query = "") {
  await page.fill("#source", text);
  await page.evaluate((query) => {
    (document.querySelector("#query") as HTMLInputElement).value = query;
  }, query);
  await page.click("#start");
  await summarised(page);
}

const MIXED = `The museum opens at nine. The museum closes at six. The museum is shut on Mondays.
Dogs may not enter the museum. Bread is made of flour, water, salt and yeast.`;

for (const [name, width, height, scheme] of [
  ["desktop", 1400, 900, "light"],
  ["desktop-dark", 1400, 900, "dark"],
  ["phone", 390, 844, "dark"],
  ["phone-light", 390, 844, "light"],
] as const) {
  test(`a chapter is summarised, and a sentence says who attends to it, ${name}`, async () => {
    const page = await open(width, height, scheme);
    assert.match(
      (await page.textContent("#summary")) ?? "",
      /^\d+ sentences, .* in 5 sentences of/,
    );
    assert.match((await page.textContent("#time")) ?? "", /s, attention \d+ ms · relaxed build/);
    const chosen = await chosenOf(page);
    assert.equal(new Set(chosen).size, 5);
    const own = await page.locator("#text .own").allTextContents();
    assert.deepEqual(own, chosen, "the summary's sentences, in their order");
    assert.ok((await page.locator("#curves path").count()) >= 5);
    await page.locator("#chosen button").first().click();
    assert.match((await page.textContent("#detail")) ?? "", /receives \d\.\d\d times the mean/);
    assert.equal(await page.locator("#text [aria-pressed=true]").textContent(), chosen[0]);
    await assertFits(page);
    await assertAccessible(page);
    await page.screenshot({ path: `${shots}/summarise-${name}.png`, fullPage: true });
    await page.close();
  });
}

test("own text, a question, the number of sentences, the trained pointer", async () => {
  const page = await open();
  await summarise(page, MIXED);
  assert.equal(await page.locator("#text .sentence").count(), 5);
  await page.fill("#count", "1");
  await summarised(page);
  const [central] = await chosenOf(page);
  assert.match(central, /museum/);
  await summarise(page, MIXED, "What is in bread?");
  assert.deepEqual(await chosenOf(page), ["Bread is made of flour, water, salt and yeast."]);
  await summarise(page, MIXED, "May I bring my dog?");
  assert.deepEqual(await chosenOf(page), ["Dogs may not enter the museum."]);
  await page.check("#trained");
  await summarised(page);
  assert.equal((await chosenOf(page)).length, 1);
  await assertAccessible(page);
  await page.close();
});

test("by keyboard: sentence by sentence, and what is looked at is drawn", async () => {
  const page = await open();
  await summarise(page, MIXED);
  await page.locator("#text .sentence").first().focus();
  for (const key of ["ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
  const focused = () => page.evaluate(() => document.activeElement?.textContent);
  assert.equal(await focused(), "The museum is shut on Mondays.");
  assert.match((await page.textContent("#detail")) ?? "", /^The museum is shut on Mondays\./);
  await page.keyboard.press("End");
  assert.match((await focused()) ?? "", /^Bread/);
  await page.keyboard.press("Home");
  assert.match((await focused()) ?? "", /opens at nine/);
  assert.ok((await page.locator("#curves path").count()) > 0);
  const shares = await page.$$eval("#detail .share", (all) =>
    all.map((share) => Number.parseFloat(share.textContent ?? "")),
  );
  assert.ok(shares.length > 0 && shares.every((share) => share > 0 && share <= 100), `${shares}`);
  await page.close();
});

test("an emptied text empties the results; a model that does not come is said, and tried again", async () => {
  const page = await open();
  await page.fill("#source", " ");
  await page.click("#start");
  assert.equal(await page.locator("#chosen li").count(), 0);
  assert.equal(await page.textContent("#summary"), "There is no text.");
  await page.route("**/pointer.safetensors", (route) => route.abort());
  await page.reload();
  await page.waitForSelector("body.failed", { timeout: PATIENCE });
  assert.match(
    (await page.textContent("#reason")) ?? "",
    /^pointer\.safetensors did not come: the/,
  );
  await page.unroute("**/pointer.safetensors");
  await page.click("#again");
  await summarised(page);
  await page.close();
});
