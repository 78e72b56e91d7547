// <attention-view> in headless Chromium: thousands of tokens, two texts, an image, files.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { AttentionView } from "wasm-attention/view";
import { assertAccessible, assertFits } from "./accessible";
import type { Served } from "./chromium";
import { open, reading, serveView, settled, shot, shots, show } from "./view-page";

let served: Served;

before(async () => {
  served = await serveView();
});

after(() => served?.close());

test("4,096 × 4,096: scrolled and read in the time of a frame or few, no element a cell", async () => {
  const page = await open(served, 1400, "light");
  await show(page, "long", 4096);
  const count = await page.evaluate(
    () => document.querySelector("attention-view")!.shadowRoot!.querySelectorAll("*").length,
  );
  assert.ok(count < 120, `${count} elements`);
  const { frames, size } = await page.evaluate(async () => {
    const stage = document
      .querySelector("attention-view")!
      .shadowRoot!.querySelector("[part=stage]")!;
    const canvas = stage.querySelector("canvas")!;
    const times: number[] = [];
    const paint = () => new Promise((done) => requestAnimationFrame(done));
    for (let at = 0; at < 40; at++) {
      stage.scrollTo(at * 900, at * 1300);
      await paint();
      const begun = performance.now();
      // Ours is asked for before, and is done when the next one begins.
      await paint();
      times.push(performance.now() - begun);
    }
    return { frames: times.sort((a, b) => a - b), size: [canvas.clientWidth, canvas.clientHeight] };
  });
  assert.ok(size[0] <= 1400 && size[1] <= 600, `${size}`);
  console.log(
    `# frames while scrolling: median ${frames[20].toFixed(1)} ms, slowest ${frames[39].toFixed(1)} ms`,
  );
  assert.ok(frames[20] < 50, `${frames}`);
  await page.evaluate(() => {
    const { fillText } = CanvasRenderingContext2D.prototype;
    const drawn: string[] = [];
    CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
      drawn.push(text);
      fillText.call(this, text, ...at);
    };
    Object.assign(globalThis, { drawn });
  });
  await page.locator("[part=stage]").focus();
  await page.keyboard.press("Control+End");
  await settled(page);
  assert.match((await reading(page)) ?? "", /^token 4095 → token 4095: [\d.]+ %$/);
  // In bold, and whole.
  const drawn = await page.evaluate(() => (globalThis as unknown as { drawn: string[] }).drawn);
  assert.ok(drawn.includes("token 4095") && !drawn.some((text) => text.endsWith("…")), `${drawn}`);
  await shot(page, "long");
  await page.click("text=whole");
  await page.click("text=lift small weights");
  await settled(page);
  await assertFits(page);
  await shot(page, "whole");
  await page.click("text=lines");
  await settled(page);
  await shot(page, "long-lines");
  await page.close();
});

test("two texts: the rows of one, the columns of the other", async () => {
  const page = await open(served, 390, "dark");
  await show(page, "translation");
  await page.locator("[part=stage]").focus();
  for (const key of ["ArrowDown", "End"]) await page.keyboard.press(key);
  await settled(page);
  assert.match((await reading(page)) ?? "", /^chat → mat: /);
  await page.click("text=lines");
  await settled(page);
  const { x, y } = (await page.locator("[part=canvas]").boundingBox())!;
  await page.mouse.move(x + 30, y + 50);
  await settled(page);
  assert.match((await reading(page)) ?? "", /^est → sat: /);
  await page.mouse.move(x + 300, y + 30);
  await settled(page);
  assert.match((await reading(page)) ?? "", /^est → cat: /);
  assert.equal(await page.locator("text=image").isVisible(), false);
  await shot(page, "translation");
  await page.close();
});

for (const width of [1400, 390]) {
  test(`an image whose patches are the keys, after a class token: ${width} pixels`, async () => {
    const page = await open(served, width, width > 600 ? "light" : "dark");
    await show(page, "picture");
    await page.click("text=image");
    await settled(page);
    await page.locator("[part=row] input").focus();
    await page.keyboard.press("End");
    await settled(page);
    const {
      x,
      y,
      width: w,
      height: h,
    } = await page.locator("[part=canvas]").evaluate((canvas) => {
      const { left, top } = canvas.getBoundingClientRect();
      const { style } = canvas.parentElement as HTMLElement;
      return {
        x: left,
        y: top,
        width: Number.parseFloat(style.width),
        height: Number.parseFloat(style.height),
      };
    });
    assert.ok(Math.abs(w / h - 4 / 3) < 0.01, `${w} × ${h}`);
    // Patch 2, 3 of 6 × 8 has it all.
    await page.mouse.move(x + (2.5 / 8) * w, y + (1.5 / 6) * h);
    await settled(page);
    assert.equal(await reading(page), "sun → patch 2, 3: 90.0 %");
    await page.locator("[part=stage]").focus();
    await page.keyboard.press("ArrowDown");
    await settled(page);
    assert.match((await reading(page)) ?? "", /^sun → patch 3, 3: 0\.2 %$/);
    // What is under the veil is darker or lighter than the patch that is looked at.
    const colours = await page.locator("[part=canvas]").evaluate((canvas: HTMLCanvasElement) => {
      const context = canvas.getContext("2d")!;
      const dense = canvas.width / canvas.clientWidth;
      const { style } = canvas.parentElement as HTMLElement;
      const [w, h] = [
        Number.parseFloat(style.width) * dense,
        Number.parseFloat(style.height) * dense,
      ];
      const at = (column: number, row: number) => [
        ...context.getImageData(((column + 0.5) / 8) * w, ((row + 0.5) / 6) * h, 1, 1).data,
      ];
      return [at(2, 1), at(6, 4)];
    });
    assert.deepEqual(colours[0], [34, 170, 119, 255]);
    assert.notDeepEqual(colours[1], [34, 170, 119, 255]);
    await assertAccessible(page);
    await assertFits(page);
    await shot(page, `image-${width}`);
    await page.close();
  });
}

test("files: SVG with every cell and word, PNG with its signature, by the buttons too", async () => {
  const page = await open(served, 1400, "light");
  await show(page, "text", 1, 1, 10);
  const svg = await page.evaluate(() =>
    (document.querySelector("attention-view") as AttentionView).toSVG(),
  );
  assert.equal(svg.match(/fill="rgb\(\d+,\d/g)?.length, 55);
  assert.equal(svg.match(/<text /g)?.length, 20);
  const drawn = await page.evaluate(
    (svg) =>
      new DOMParser().parseFromString(svg, "image/svg+xml").querySelectorAll("parsererror").length,
    svg,
  );
  assert.equal(drawn, 0);
  for (const picture of ["map", "lines"]) {
    await page.click(`text=${picture}`);
    for (const kind of ["svg", "png"]) {
      const coming = page.waitForEvent("download");
      await page.click(`text=${kind.toUpperCase()}`);
      const download = await coming;
      assert.equal(download.suggestedFilename(), `attention.${kind}`);
      const path = `${shots}/view-saved-${picture}.${kind}`;
      await download.saveAs(path);
      const bytes = readFileSync(path);
      assert.equal(bytes.subarray(0, 4).toString("latin1"), kind === "png" ? "\x89PNG" : "<svg");
    }
  }
  await show(page, "picture");
  await page.click("text=image");
  const image = await page.evaluate(() =>
    (document.querySelector("attention-view") as AttentionView).toSVG(),
  );
  assert.match(image, /<image width="\d+" height="\d+" href="data:image\/png;base64,/);
  await page.close();
});
