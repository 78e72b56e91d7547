// <attention-view> in headless Chromium, read by pointer and keys: weights, sums, sinks, steps. Its pictures:
// view-pictures.test.ts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AttentionLook, AttentionView } from "wasm-attention/view";
import { assertAccessible, assertFits } from "./accessible";
import type { Served } from "./chromium";
import { heads, softmax, words } from "./pages/maps";
import { cell, open, percent, reading, serveView, settled, shot, show } from "./view-page";

let served: Served;

before(async () => {
  served = await serveView();
});

after(() => served?.close());

for (const [width, scheme] of [
  [1400, "light"],
  [1400, "dark"],
  [390, "light"],
  [390, "dark"],
] as const) {
  test(`sixteen heads, causal, in pages: ${width} pixels, ${scheme}`, async () => {
    const page = await open(served, width, scheme);
    await show(page, "text", 4, 4, 40);
    assert.equal(await page.locator("[part=thumbnail]").count(), 4 * 5 + 1);
    await page.click("[part=thumbnail][title='layer 2, head 3']");
    await page.locator("[part=stage]").focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowRight", "Enter"])
      await page.keyboard.press(key);
    await settled(page);
    const weight = softmax(4, 4, 40)[(1 * 4 + 2) * 1600 + 2 * 40 + 1];
    assert.equal(await reading(page), `${words[2]} → ${words[1]}: ${percent(weight)} (locked)`);
    assert.equal(await page.locator("[part=steps] tbody tr").count(), 8);
    await assertAccessible(page);
    await assertFits(page);
    await shot(page, `map-${width}-${scheme}`);
    await page.click("text=lines");
    await settled(page);
    await assertAccessible(page);
    await assertFits(page);
    await shot(page, `lines-${width}-${scheme}`);
    await page.close();
  });
}

test("the keyboard goes everywhere, and what it comes to is said", async () => {
  const page = await open(served, 1400, "light");
  await show(page, "text", 1, 1, 12);
  assert.equal(await page.locator("[part=overview]").isVisible(), false);
  // One stop among the tab stops, after the toolbar.
  await page.locator("[part=stage]").focus();
  const expected = softmax(1, 1, 12);
  const at = async (row: number, column: number, note = "") => {
    const text = column > row ? "masked" : percent(expected[row * 12 + column]);
    assert.equal(await reading(page), `${words[row]} → ${words[column]}: ${text}${note}`);
  };
  await at(0, 0);
  for (const [key, row, column] of [
    ["ArrowUp", 0, 0],
    ["ArrowDown", 1, 0],
    ["End", 1, 11],
    ["ArrowRight", 1, 11],
    ["ArrowLeft", 1, 10],
    ["Control+End", 11, 11],
    ["Home", 11, 0],
    ["PageUp", 1, 0],
    ["PageDown", 11, 0],
    ["Control+Home", 0, 0],
  ] as const) {
    await page.keyboard.press(key);
    await at(row, column);
  }
  await page.keyboard.press("Enter");
  await at(0, 0, " (locked)");
  await page.keyboard.press("ArrowDown");
  await at(1, 0, " (locked)");
  await page.keyboard.press("Escape");
  await at(1, 0);
  await page.keyboard.press("Space");
  await at(1, 0, " (locked)");
  const live = await page.locator("[part=reading]").evaluate(({ tagName }) => tagName);
  assert.equal(live, "OUTPUT");
  await page.close();
});

test("a pointer reads, a click locks, and another gives up", async () => {
  const page = await open(served, 1400, "dark");
  await show(page, "text", 1, 2, 10);
  const looks: AttentionLook[] = [];
  await page.exposeFunction("heard", (look: AttentionLook) => looks.push(look));
  await page.evaluate(() =>
    document.querySelector("attention-view")?.addEventListener("attention-look", (event) => {
      (globalThis as unknown as { heard(look: unknown): void }).heard(
        (event as CustomEvent).detail,
      );
    }),
  );
  const expected = softmax(1, 2, 10);
  await page.mouse.move(...(await cell(page, 7, 3)));
  await settled(page);
  const said = `${words[7]} → ${words[3]}: ${percent(expected[73])}`;
  assert.equal(await reading(page), said);
  const { weight, ...look } = looks.at(-1)!;
  assert.deepEqual(look, {
    layer: 0,
    head: 0,
    row: 7,
    column: 3,
    locked: false,
    selection: undefined,
  });
  assert.ok(Math.abs(weight - expected[73]) < 1e-7);

  await page.mouse.click(...(await cell(page, 7, 3)));
  await page.mouse.move(...(await cell(page, 2, 1)));
  await settled(page);
  assert.equal(await reading(page), `${said} (locked)`);
  assert.equal(looks.at(-1)?.locked, true);
  // The other head, at the same place.
  await page.click("[part=thumbnail][title='layer 1, head 2']");
  await settled(page);
  const other = `${words[7]} → ${words[3]}: ${percent(expected[173])} (locked)`;
  assert.equal(await reading(page), other);
  await page.click("[part=thumbnail][title='layer 1, mean']");
  await settled(page);
  const mean = percent((expected[73] + expected[173]) / 2);
  assert.equal(await reading(page), `${words[7]} → ${words[3]}: ${mean} (locked)`);
  assert.equal(await page.locator("[part=steps]").count(), 0);
  await page.close();
});

test("a rectangle by dragging, and by Shift with arrows: the shares that a test sums up too", async () => {
  const page = await open(served, 1400, "light");
  await show(page, "text", 1, 1, 10);
  const weights = softmax(1, 1, 10);
  const share = (row: number, from: number, to: number) => {
    let inside = 0;
    for (let column = from; column <= to; column++) inside += weights[row * 10 + column];
    return inside;
  };
  const [x, y] = await cell(page, 8, 5);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(...(await cell(page, 6, 2)), { steps: 5 });
  await page.mouse.up();
  await settled(page);
  const shares = [6, 7, 8].map((row) => share(row, 2, 5));
  const rows = await page.locator("[part=selection] tbody tr").allInnerTexts();
  assert.deepEqual(
    rows.map((text) => text.split(/\t/)),
    shares.map((value, at) => [words[6 + at], percent(value)]),
  );
  const mean = percent(shares.reduce((a, b) => a + b) / 3);
  const title = await page.textContent("[part=selection] [part=title]");
  assert.equal(
    title,
    `“${words[6]}” to “${words[8]}” → “${words[2]}” to “${words[5]}”: ${mean} of these rows’ weight`,
  );
  assert.doesNotMatch((await reading(page)) ?? "", /locked/);

  await page.locator("[part=stage]").focus();
  await page.keyboard.press("Control+Home");
  for (const key of ["Shift+ArrowDown", "Shift+ArrowRight", "Shift+ArrowDown"])
    await page.keyboard.press(key);
  await settled(page);
  assert.deepEqual(
    (await page.locator("[part=selection] tbody tr").allInnerTexts()).map(
      (text) => text.split(/\t/)[1],
    ),
    [0, 1, 2].map((row) => percent(share(row, 0, 1))),
  );
  await shot(page, "selection");
  await page.keyboard.press("Escape");
  await settled(page);
  assert.equal(await page.locator("[part=selection]").count(), 0);
  await page.close();
});

test("sinks are named, and hidden on demand", async () => {
  const page = await open(served, 390, "light");
  await show(page, "sink");
  const note = page.locator("[part=note]").last();
  assert.match(
    (await note.textContent()) ?? "",
    /^Columns with a mean above 30 %: “Call” \(60\.0 %\)\.$/,
  );
  await page.click("text=hide sinks");
  await page.locator("[part=stage]").focus();
  await settled(page);
  assert.match(
    (await note.textContent()) ?? "",
    /Hidden, and each row rescaled to what is left\.$/,
  );
  assert.equal(await reading(page), "Call → Call: hidden as a sink (60.0 %)");
  await page.keyboard.press("ArrowRight");
  await settled(page);
  assert.equal(await reading(page), "Call → me: 60.0 %");
  await assertAccessible(page);
  await page.close();
});

test("maps that do not fit are refused, and what was shown stays; a theme goes before the system's", async () => {
  const page = await open(served, 1400, "light");
  await show(page, "text", 1, 1, 10);
  const refused = await page.evaluate(() => {
    const view = document.querySelector("attention-view") as AttentionView;
    const shown = view.maps;
    try {
      view.maps = { ...shown!, rows: ["one"] };
    } catch (error) {
      return `${(error as Error).name} ${(error as Error).message} ${view.maps === shown}`;
    }
    return "";
  });
  assert.equal(
    refused,
    'ArgumentError attention-view: "maps.rows" expected L = 10 strings, got ["one"] true',
  );
  const chosen = await page.evaluate(() => {
    const view = document.querySelector("attention-view") as AttentionView;
    try {
      view.chosen = { layer: 0, head: 7 };
    } catch (error) {
      return `${(error as Error).message}, ${JSON.stringify(view.chosen)}`;
    }
    return "";
  });
  assert.equal(
    chosen,
    'attention-view: "chosen" expected a layer and a head of the maps, or no head for a mean, got an object with {layer, head}, {"layer":0,"head":0}',
  );
  const paper = () =>
    page.locator("[part=stage]").evaluate((stage) => getComputedStyle(stage).backgroundColor);
  assert.equal(await paper(), "rgb(255, 255, 255)");
  await page.locator("attention-view").evaluate((view) => view.setAttribute("theme", "dark"));
  assert.equal(await paper(), "rgb(30, 27, 41)");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("attention-view").evaluate((view) => view.setAttribute("theme", "light"));
  assert.equal(await paper(), "rgb(255, 255, 255)");
  await page.evaluate(() => document.querySelector("attention-view")?.remove());
  // Set before the element is a part of the page, and again in another place of it.
  const thumbnails = await page.evaluate(() => {
    const view = document.createElement("attention-view") as AttentionView;
    view.maps = made.text(1, 2, 10);
    document.body.append(view);
    return view.shadowRoot!.querySelectorAll("[part=thumbnail]").length;
  });
  assert.equal(thumbnails, heads(1, 2));
  await page.close();
});
