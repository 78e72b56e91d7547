// The example's page in headless Chromium: type a question, read the ranking, look at it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { assertAccessible, assertFits } from "./accessible";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
let served: Served;

before(async () => {
  execFileSync(process.execPath, [`${root}examples/semantic-search/web/build.mjs`]);
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/semantic-search`);
});

after(() => served?.close());

async function visit(width: number, height: number, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  return page;
}

async function open(width = 800, height = 600, colorScheme: "light" | "dark" = "light") {
  const page = await visit(width, height, colorScheme);
  await page.goto(served.address);
  await page.waitForSelector("body.ready", { timeout: 60_000 });
  return page;
}

async function ask(page: Page, question: string) {
  await page.fill("#question", question);
  await page.waitForSelector(`body[data-answered="${question}"]`);
}

const text = async (page: Page, selector: string) => (await page.textContent(selector)) ?? "";

for (const [name, width, height, scheme] of [
  ["desktop", 1400, 900, "light"],
  ["desktop-dark", 1400, 900, "dark"],
  ["phone", 390, 844, "dark"],
  ["phone-light", 390, 844, "light"],
] as const) {
  test(`a question typed is ranked and drawn, ${name}`, async () => {
    const page = await open(width, height, scheme);
    await page.waitForSelector("#ranking li");
    assert.match(await text(page, "#ranking li"), /refund/);
    await ask(page, "Which animals sleep through the winter?");
    assert.match(await text(page, "#ranking li.hit"), /hibernation/);
    assert.equal(await page.locator("#ranking li").count(), 8);
    assert.match(await text(page, "#summary"), /^1 close of 48 sentences, the best with 0\.57$/);
    assert.match(await text(page, "#time"), /^[\d.]+ ms · relaxed build/);
    assert.equal(await page.locator("#map .cell").count(), 7 * 7);
    await assertFits(page);
    await assertAccessible(page);
    await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    await page.close();
  });
}

test("an emptied question empties the results, and late answers stay away", async () => {
  const page = await open();
  await page.waitForSelector("#ranking li");
  await page.fill("#question", "Can I bring my dog?");
  await page.keyboard.press("Enter");
  await page.fill("#question", "");
  await page.waitForTimeout(500);
  assert.equal(await page.locator("#ranking li").count(), 0);
  assert.equal(await page.locator("#map table").isVisible(), false);
  assert.equal(await text(page, "#time"), "");
  assert.match(await text(page, "#summary"), /^48 sentences are ready to be asked\.$/);
  await assertAccessible(page);
  await page.close();
});

test("example questions are clicked; a weak best hit is not shown as one", async () => {
  const page = await open();
  await page.click("text=Can I bring my dog?");
  await page.waitForSelector('body[data-answered="Can I bring my dog?"]');
  assert.match(await text(page, "#ranking li.hit"), /Dogs are welcome/);
  assert.equal(await page.locator("#weak").isVisible(), false);
  await page.click("text=Who won the football match?");
  await page.waitForSelector('body[data-answered="Who won the football match?"]');
  assert.ok(await page.locator("#weak").isVisible());
  assert.equal(await page.locator("#ranking li.hit").count(), 0);
  assert.match(await text(page, "#summary"), /^Nothing close among 48 sentences$/);
  await page.close();
});

test("heads that attend in integers find what float32 finds", async () => {
  for (const [width, scheme] of [
    [1400, "light"],
    [390, "dark"],
  ] as const) {
    const page = await open(width, 900, scheme);
    await page.waitForSelector("#ranking li");
    const ranking = () =>
      page.$$eval("#ranking li > :first-child", (all) => all.map((each) => each.textContent));
    const float = await ranking();
    assert.equal(await page.isVisible("#beside"), false);
    for (const numbers of ["int16", "int8"]) {
      await page.selectOption("#numbers", numbers);
      await page.waitForSelector(`body[data-numbers=${numbers}]`);
      assert.match(
        await text(page, "#beside"),
        /^float32 finds the same sentence first and [78] of these 8, in [\d.]+ ms$/,
      );
      assert.equal((await ranking())[0], float[0]);
      await assertFits(page);
      await assertAccessible(page);
      await page.screenshot({ path: `${shots}/search-${numbers}-${width}.png`, fullPage: true });
    }
    await page.selectOption("#numbers", "float32");
    await page.waitForSelector("body[data-numbers=float32]");
    assert.equal(await page.isVisible("#beside"), false);
    assert.deepEqual(await ranking(), float);
    await page.close();
  }
});

test("own sentences are searched, and the example's again", async () => {
  const page = await open();
  await page.click("#own summary");
  await page.fill("#sentences", "The cat sat on the mat.\n\n  Stocks fell sharply today. \n");
  await page.click("#use");
  await ask(page, "What happened on the stock market?");
  // The new sentences may be ranked by the question before, first.
  await page.waitForFunction(() =>
    / close of 2 sentences/.test(document.querySelector("#summary")?.textContent ?? ""),
  );
  assert.match(await text(page, "#ranking li"), /^Stocks fell sharply today\./);
  assert.equal(await page.$$eval("#ranking li", (rows) => rows.length), 2);
  await assertAccessible(page);
  await page.click("#reset");
  await page.waitForFunction(() => document.querySelectorAll("#ranking li").length === 8);
  await page.close();
});

test("the heat map: axes, values by pointer, touch and keys, every head, the colours of the scheme", async () => {
  const page = await open();
  await ask(page, "Incomprehensibilities of hedgehogs");
  assert.match(await text(page, "#map .across"), /^word attended to/);
  assert.match(await text(page, "#map .down"), /^word that attends/);
  const clipped = await page.$$eval("#map th span", (words) =>
    words.filter((word) => word.scrollWidth > word.clientWidth + 1).map((word) => word.textContent),
  );
  assert.deepEqual(clipped, []);
  const [table, scale] = await Promise.all(
    ["#map table", "#map .scale"].map((selector) => page.locator(selector).boundingBox()),
  );
  assert.ok(Math.abs(table!.width - scale!.width) < 2, `${table!.width} and ${scale!.width}`);

  const value = /^\S+ → \S+: \d+\.\d %$/;
  await page.locator("#map .cell").nth(1).hover();
  const first = await text(page, "#map .value");
  assert.match(first, value);
  await page.locator("#map .cell").first().focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await text(page, "#map .value"), first);
  assert.equal(await page.locator("#map .cell:focus").getAttribute("aria-label"), first);
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowDown");
  assert.notEqual(await text(page, "#map .value"), first);
  assert.match(await text(page, "#map .value"), value);

  // The numbers are the head's own: each row sums to 1.
  const sums = await page.$$eval("#map tbody tr", (rows) =>
    rows.map((row) =>
      [...row.querySelectorAll<HTMLElement>(".cell")].reduce(
        (sum, x) => sum + Number(x.dataset.weight),
        0,
      ),
    ),
  );
  for (const sum of sums) assert.ok(Math.abs(sum - 1) < 1e-5, `${sum}`);
  const colours = () =>
    page.$$eval("#map .cell", (cells) =>
      cells.map((cell) => (cell as HTMLElement).style.background),
    );
  const one = await colours();
  assert.equal(await page.locator("#map canvas").count(), 8);
  await page.click("text=layer 2, head 3");
  const other = await colours();
  assert.notDeepEqual(other, one);
  const brightness = (rgb: string[]) =>
    rgb.flatMap((colour) => (colour.match(/\d+/g) ?? []).map(Number)).reduce((a, b) => a + b, 0);
  await page.emulateMedia({ colorScheme: "dark" });
  // The page is told of the scheme after the call above has come back.
  await page.waitForFunction(
    (before) => document.querySelector<HTMLElement>("#map .cell")!.style.background !== before,
    other[0],
  );
  const dark = await colours();
  assert.ok(brightness(dark) < brightness(other), "much of a map is near 0, and dark in the dark");
  await page.close();
});

test("only a summary is read aloud", async () => {
  const page = await open();
  const live = await page.$$eval("[aria-live], [role=status], [role=alert]", (all) =>
    all.map(({ id }) => id),
  );
  assert.deepEqual(live, ["failure", "summary"]);
  await page.close();
});

test("a file that is missing, or a network that is, is said, and tried again", async () => {
  const page = await visit(800, 600, "light");
  await page.context().route("**/model/vocab.json", (route) => route.fulfill({ status: 404 }));
  await page.goto(served.address);
  await page.waitForSelector("body.failed");
  assert.equal(
    await text(page, "#reason"),
    "model/vocab.json did not come: the server answers 404.",
  );
  await assertAccessible(page);
  await page.context().unroute("**/model/vocab.json");

  await page.context().setOffline(true);
  await page.click("#again");
  await page.waitForSelector("body.failed");
  assert.match(await text(page, "#reason"), /^\S+ did not come: this device is offline\.$/);
  await page.context().setOffline(false);
  await page.click("#again");
  await page.waitForSelector("body.ready", { timeout: 60_000 });
  await page.waitForSelector("#ranking li");
  assert.equal(await page.locator("#failure").isVisible(), false);
  await page.close();
});

test("frames go on while the worker thinks", async () => {
  const page = await open();
  const { gaps, thinking } = await page.evaluate(async () => {
    const input = document.querySelector<HTMLInputElement>("#question")!;
    input.value = "word ".repeat(120);
    input.form!.requestSubmit();
    const gaps: number[] = [];
    let last = performance.now();
    while (document.body.dataset.answered !== input.value.trim()) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      gaps.push(now - last);
      last = now;
    }
    const thinking = Number.parseFloat(document.querySelector("#time")!.textContent!);
    return { gaps, thinking };
  });
  // The last frame draws 14,641 cells. On the page's own thread one gap would last as long as the
  // ranking and the heat map's numbers, twice `thinking`.
  const longest = Math.max(...gaps.slice(0, -1));
  assert.ok(gaps.length > 3, `${gaps.length} frames`);
  assert.ok(longest < thinking, `a frame took ${longest} ms of ${thinking} ms`);
  await page.close();
});
