// npm run bench:web: the core of the benchmark in headless Chromium, a page per thread count, all
// cross-origin isolated. CHROMIUM names another browser than the one in the PATH.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import sirv from "sirv";
import { tableOf } from "../peers/table.ts";
import { compileRoofline } from "../roofline/compile.ts";
import { cells, columns, markdownOf } from "../rows.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    markdown: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});
const root = new URL("../..", import.meta.url).pathname;
const builds = ["portable", "relaxed"];
for (const name of builds) compileRoofline(name);

const served = {
  "wasm-attention": "/dist/browser/index.js",
  "onnxruntime-web": "/ort/ort.wasm.min.mjs",
};
await build({
  entryPoints: [`${root}bench/page.ts`],
  outfile: `${root}build/bench/web/page.js`,
  bundle: true,
  format: "esm",
  target: "esnext",
  plugins: [
    {
      name: "served",
      setup: ({ onResolve }) =>
        onResolve({ filter: /^(wasm-attention|onnxruntime-web)$/ }, ({ path }) => ({
          path: served[path],
          external: true,
        })),
    },
  ],
});
writeFileSync(
  `${root}build/bench/web/index.html`,
  "<!doctype html><script type=module src=page.js></script>",
);

const folders = {
  "/dist/": `${root}dist`,
  "/ort/": `${root}bench/peers/node_modules/onnxruntime-web/dist`,
  "/kernels/": `${root}build/bench`,
  "/": `${root}build/bench/web`,
};
const files = Object.entries(folders).map(([path, folder]) => [path, sirv(folder, { dev: true })]);
const server = createServer((request, response) => {
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  const [path, handle] = files.find(([path]) => request.url.startsWith(path));
  request.url = request.url.slice(path.length - 1);
  handle(request, response, () => {
    response.statusCode = 404;
    response.end();
  });
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const executablePath =
  process.env.CHROMIUM || execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const rows = [];
try {
  const engine = `Chromium ${browser.version()}`;
  console.log(engine);
  for (const threads of [1, 2]) {
    const page = await browser.newPage();
    await page.exposeFunction("report", (row) => {
      rows.push(row);
      process.stderr.write(".");
    });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction(() => "bench" in globalThis);
    await page.evaluate(
      ([count, names, lengths]) => globalThis.bench(count, names, lengths),
      [threads, builds, values.quick ? [128] : [128, 512, 1024]],
    );
    await page.close();
  }
  process.stderr.write("\n");
  if (!rows.length) throw new Error("nothing was measured");
  console.log(tableOf(columns, rows.map(cells)));
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ engine, rows }, null, 1)}\n`);
  if (values.markdown) writeFileSync(values.markdown, `${engine}\n\n${markdownOf(rows)}`);
} finally {
  await browser.close();
  server.close();
}
