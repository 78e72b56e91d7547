// The page as a static server gives it out, in headless Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chromium, type Page } from "playwright-core";
import { root } from "../../scripts/pack.mjs";
import { headless } from "../chromium";
import { serving } from "../serving";
import { assertNear, example } from "./example";

test("it draws what is typed", async () => {
  const folder = example("browser-script-tag");
  const sirv = `${root}node_modules/.bin/sirv`;
  const args = [".", "--host", "127.0.0.1", "--port", "0"];
  const browser = await chromium.launch(headless());
  try {
    await serving(sirv, args, { cwd: folder }, async (address) => {
      const page = await browser.newPage();
      page.on("pageerror", (error) => assert.fail(error));
      await page.goto(address);
      await page.waitForSelector("[data-drawn='wasm attention, attention']");
      await page.fill("#text", "aba");
      await page.waitForSelector("[data-drawn=aba]");
      assert.match((await page.textContent("#status")) ?? "", /^3 letters, the relaxed build$/);
      // e^(8 − 0.1 · distance) for the same letter, e^(−0.1 · distance) for another.
      const rows = [0, 1, 2].map((i) => {
        const weights = [0, 1, 2].map((j) =>
          Math.exp(((i - j) % 2 ? 0 : 8) - 0.1 * Math.abs(i - j)),
        );
        const total = weights.reduce((sum, weight) => sum + weight);
        return weights.map((weight) => 255 * Math.sqrt(weight / total));
      });
      assertNear(await opacities(page), rows.flat(), 1);

      await page.fill("#text", "");
      await page.waitForSelector("[data-drawn='']");
      assert.match((await page.textContent("#status")) ?? "", /^No letters yet/);
      await page.fill("#text", "x".repeat(40_000));
      await page.waitForFunction(() =>
        /^the first/.test(document.querySelector("#status")?.textContent ?? ""),
      );
      const said = (await page.textContent("#status")) ?? "";
      assert.match(said, /^the first 1024 of 40000 letters, the relaxed build$/);
      await page.fill("#text", "aba");
      await page.waitForSelector("[data-drawn=aba]");
      assertNear(await opacities(page), rows.flat(), 1);
    });
  } finally {
    await browser.close();
  }
});

const opacities = (page: Page): Promise<number[]> =>
  page.evaluate(() => {
    const canvas = document.querySelector("canvas") as HTMLCanvasElement;
    const { data } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, 3, 3);
    return Array.from(data.filter((_, i) => i % 4 === 3));
  });
