// A page in headless Chromium, cross-origin isolated whoever serves it, and what it has computed.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page } from "playwright-core";
import sirv from "sirv";
import { headless } from "../chromium";
import { attend } from "../reference";

/** See projects/sources/compute.js. */
interface Result {
  readonly error?: string;
  readonly data: number[];
  readonly same: boolean;
  /** The entries share their classes. */
  readonly oneCopy: boolean;
  readonly variant: string;
  readonly threads: number[];
  readonly fallback?: string;
}

const [heads, queries, size] = [4, 300, 64];
const x = Float32Array.from({ length: heads * queries * size }, (_, i) => Math.sin(i * 1.7));
const expected = attend({
  ...{ batch: 1, heads, keyValueHeads: heads, queries, keys: queries },
  ...{ headSize: size, valueSize: size, query: x, key: x, value: x, scale: 1 / Math.sqrt(size) },
  present: () => true,
  visible: (_b, _h, i, j) => j <= i,
  bias: () => 0,
}).output.filter((_, i) => i % 997 === 0);

export const launch = (): Promise<Browser> => chromium.launch(headless());

/** Serves a folder while `look` looks at it. */
export async function served(folder: string, look: (address: string) => Promise<void>) {
  const server = createServer(sirv(folder, { dev: true }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await look(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Opens a page, and checks against float64 what it has computed; `headers` unless the server sends them. */
export async function assertComputes(
  browser: Pick<Browser, "newPage">,
  address: string,
  headers = true,
): Promise<void> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  try {
    if (headers) await isolate(page);
    await page.goto(address);
    await page.waitForFunction(() => "result" in globalThis, undefined, { timeout: 60_000 });
    const result = await page.evaluate(() => (globalThis as unknown as { result: Result }).result);
    assertResult(result);
    assert.equal(result.variant, "relaxed");
    assert.deepEqual(errors, []);
  } catch (error) {
    throw errors.length ? new Error(errors.join("\n"), { cause: error }) : error;
  } finally {
    await page.close();
  }
}

export function assertResult({ error, data, same, oneCopy, threads, fallback }: Result): void {
  assert.equal(error, undefined);
  assert.deepEqual(threads, [1, 2], fallback);
  assert.ok(same, "two threads give the bits of one");
  assert.ok(oneCopy, "entries with a copy each");
  assert.equal(data.length, expected.length);
  for (const [i, element] of data.entries()) {
    assert.ok(Math.abs(element - expected[i]) < 1e-6, `${i}: ${element}, not ${expected[i]}`);
  }
}

/** The headers that a site gives for itself; no bundler's own server sends them. */
async function isolate(page: Page): Promise<void> {
  await page.route("**/*", async (route) => {
    const response = await route.fetch();
    const headers = {
      ...response.headers(),
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    };
    await route.fulfill({ response, headers });
  });
}
