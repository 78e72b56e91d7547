// Headless Chromium, and a server for what a test shows it.

import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium } from "playwright-core";
import sirv from "sirv";
import { chromiumFlags } from "./launch";

export const root = new URL("../..", import.meta.url).pathname;

export interface Served {
  readonly browser: Browser;
  readonly address: string;
  close(): Promise<void>;
}

/** Serves `folder`, with `headers` by the page's path, to a browser with `flags` of its own. */
export async function serve(
  folder: string,
  headers: (path: string) => Record<string, string> = () => ({}),
  pages: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<Served> {
  const server = createServer();
  const files = sirv(folder, { dev: true });
  server.on("request", (request, response) => {
    const path = (request.url ?? "/").replace(/\?.*/, "");
    for (const [name, value] of Object.entries(headers(path))) response.setHeader(name, value);
    const page = pages[path];
    if (page === undefined) return files(request, response);
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const executablePath =
    process.env.CHROMIUM || execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  const browser = await chromium.launch({
    executablePath,
    args: [...chromiumFlags, ...flags],
  });
  return {
    browser,
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      await browser.close();
      server.close();
    },
  };
}
