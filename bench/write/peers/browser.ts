// A page of a folder in headless Chromium, with wllama's module beside it.

import { createServer } from "node:http";
import { chromium, type Page } from "playwright-core";
import sirv from "sirv";
import { headless } from "../../../tests/chromium";

const wasm = new URL("node_modules/@wllama/wllama/esm/wasm", import.meta.url).pathname;

/** `run` on a fresh page. */
export async function inPage<Result>(
  folder: string,
  run: (page: Page) => Promise<Result>,
): Promise<Result> {
  const [pages, modules] = [folder, wasm].map((path) => sirv(path, { dev: true }));
  const server = createServer((request, response) => {
    const missing = () => {
      response.statusCode = 404;
      response.end();
    };
    if (!request.url?.startsWith("/wllama/")) return pages(request, response, missing);
    request.url = request.url.slice("/wllama".length);
    modules(request, response, missing);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const browser = await chromium.launch(headless());
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(error));
    await page.goto(`http://127.0.0.1:${(server.address() as { port: number }).port}/`);
    return await run(page);
  } finally {
    await browser.close();
    server.close();
  }
}
