// The example's page in headless Chromium: type a question, read the ranking, look at it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
let served: Served;

before(async () => {
  execFileSync(process.execPath, [`${root}examples/semantic-search/web/build.mjs`]);
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/semantic-search`);
});

after(() => served?.close());

async function open(width: number, height: number, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(served.address);
  await page.waitForSelector("body.ready", { timeout: 60_000 });
  return page;
}

async function ask(page: Page, question: string) {
  await page.fill("#question", question);
  await page.waitForSelector(`body[data-answered="${question}"]`);
}

for (const [name, width, height, scheme] of [
  ["desktop", 1200, 800, "light"],
  ["phone", 390, 844, "dark"],
] as const) {
  test(`a question typed is ranked and drawn, ${name}`, async () => {
    const page = await open(width, height, scheme);
    assert.match((await page.textContent("#ranking li")) ?? "", /refund/);
    await ask(page, "Which animals sleep through the winter?");
    assert.match((await page.textContent("#ranking li")) ?? "", /hibernation/);
    assert.equal(await page.locator("#ranking li").count(), 8);
    assert.equal(await page.locator("#map .cell").count(), 7 * 7);
    assert.match((await page.textContent("#status")) ?? "", /48 sentences · relaxed build/);
    await page.selectOption("#heads", "1,3");
    assert.equal(await page.locator("#map .cell").count(), 7 * 7);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
    await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    await page.close();
  });
}

test("frames go on while the worker thinks", async () => {
  const page = await open(800, 600, "light");
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
