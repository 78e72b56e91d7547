// What axe-core finds on a page as it stands.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const script = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

declare global {
  var axe: { run(): Promise<AxeResults> };
}

export async function assertAccessible(page: Page): Promise<void> {
  await page.addScriptTag({ path: script });
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
  assert.deepEqual(found, []);
  assert.ok(passes.length > 10, `${passes.length} rules`);
}

/** A page no wider than its screen. */
export async function assertFits(page: Page): Promise<void> {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
}
