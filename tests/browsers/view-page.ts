// A page with <attention-view> in headless Chromium, and what its tests do there.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import type { AttentionView } from "wasm-attention/view";
import { root, type Served, serve } from "./chromium";
import type * as Made from "./pages/maps";

export const shots = `${root}build/screenshots`;
const html = `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Attention</title>
<link rel="icon" href="data:,"><style>html{color-scheme:light dark}body{margin:12px}</style></head>
<body><main><h1>Attention</h1><attention-view></attention-view></main><script src="/view.js"></script>
<script type="module">import * as made from "/maps.js"; globalThis.made = made; document.body.className = "ready";</script></body></html>`;
declare global {
  var made: typeof Made;
}

/** The page, and pages/maps.ts for it. */
export async function serveView(): Promise<Served> {
  mkdirSync(shots, { recursive: true });
  const entryPoints = [`${root}tests/browsers/pages/maps.ts`];
  await build({ entryPoints, format: "esm", outfile: `${root}build/view-page/maps.js` });
  const script = readFileSync(`${root}dist/view.js`, "utf8");
  const policy = { "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: blob:" };
  return serve(`${root}build/view-page`, () => policy, {
    "/": html,
    "/view.js": script,
  });
}

export async function open(
  { browser, address }: Served,
  width: number,
  colorScheme: "light" | "dark",
): Promise<Page> {
  const viewport = { width, height: width > 600 ? 1000 : 844 };
  const page = await browser.newPage({ viewport, colorScheme, hasTouch: width < 600 });
  page.on("pageerror", (error) => assert.fail(error));
  // What is put around named functions on their way here.
  await page.addInitScript("globalThis.__name = (named) => named");
  await page.goto(address);
  await page.waitForSelector("body.ready", { state: "attached" });
  page.setDefaultTimeout(10_000);
  return page;
}

/** Calls a function of pages/maps.ts for the element. */
export async function show(page: Page, name: keyof typeof Made, ...given: number[]): Promise<void> {
  await page.evaluate(
    ([name, given]) => {
      const make = made[name] as (...given: number[]) => AttentionView["maps"];
      (document.querySelector("attention-view") as AttentionView).maps = make(...given);
    },
    [name, given] as const,
  );
  await settled(page);
}

export const settled = (page: Page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50))));
export const reading = (page: Page) => page.textContent("[part=reading]");
export const shot = (page: Page, name: string) =>
  page.screenshot({ path: `${shots}/view-${name}.png`, fullPage: true });

/** Of a cell, where few fill a wide window. */
const SIDE = 36;

/** The middle of a cell in the page: what the picture has more than its cells is room for labels. */
export async function cell(page: Page, row: number, column: number): Promise<[number, number]> {
  const { x, y } = (await page.locator("[part=canvas]").boundingBox())!;
  const [left, top] = await page.locator("[part=canvas]").evaluate((canvas, side) => {
    const { maps } = document.querySelector("attention-view") as AttentionView;
    const { width, height } = (canvas.parentElement as HTMLElement).style;
    return [
      Number.parseFloat(width) - side * (maps!.columns ?? maps!.rows).length,
      Number.parseFloat(height) - side * maps!.rows.length,
    ];
  }, SIDE);
  return [x + left + (column + 0.5) * SIDE, y + top + (row + 0.5) * SIDE];
}

export const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
