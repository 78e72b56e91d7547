// A server for pages that report: the packed package and the tests' scripts, under a folder for each
// setting whose headers every file in it has, the workers' too; and the place where reports come in.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { build, type Plugin } from "esbuild";
import sirv from "sirv";
import { pack } from "../../scripts/pack.mjs";
import { root } from "./chromium";
import type { Browser } from "./launch";

export interface Reports {
  /** What the page at `path` reports, opened in a browser started for it. */
  from<Report>(browser: Browser, path: string): Promise<Report>;
  close(): void;
}

const folder = `${root}build/browsers`;
/** Some ten batteries; a machine that has much else to do is given its time. */
const PATIENCE_MS = 240_000;

/** Serves `settings`, by their names the headers they have. */
export async function reports(settings: Record<string, Record<string, string>>): Promise<Reports> {
  const scripts = await prepare();
  const own = sirv(scripts, { dev: true });
  const worker = sirv(`${folder}/package/dist`, { dev: true, onNoMatch: own });
  const files = sirv(`${folder}/package/dist/browser`, { dev: true, onNoMatch: worker });
  const waiting = new Map<string, (report: string) => void>();
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    if (request.method === "POST") {
      const report = await text(request);
      response.end();
      waiting.get(searchParams.get("visit") ?? "")?.(report);
      return;
    }
    const [, setting, file] = pathname.split("/");
    for (const [name, value] of Object.entries(settings[setting] ?? {}))
      response.setHeader(name, value);
    if (file?.endsWith(".html")) {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      const script = file.replace(".html", ".js");
      response.end(
        `<!doctype html><title>${setting}</title><script type=module src=${script}></script>`,
      );
      return;
    }
    request.url = `/${file}`;
    files(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  let visits = 0;
  return {
    async from(browser, path) {
      const visit = String(++visits);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const report = new Promise<string>((resolve, reject) => {
        waiting.set(visit, resolve);
        timer = setTimeout(() => reject(new Error("no report")), PATIENCE_MS);
      });
      const opened = await browser.open(`http://127.0.0.1:${port}${path}?visit=${visit}`);
      try {
        const { error, value } = JSON.parse(await report);
        if (error) throw new Error(error);
        return value;
      } catch (error) {
        throw new Error(`${browser.name} at ${path}: ${error}\n${opened.log()}`);
      } finally {
        clearTimeout(timer);
        waiting.delete(visit);
        await opened.close();
      }
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Unpacks what npm would publish, and bundles the pages' scripts against it. */
async function prepare(): Promise<string> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync("tar", ["-xzf", pack(folder).tarball], { cwd: folder });

  const pages = new URL("pages/", import.meta.url).pathname;
  const packed = (from: string, external: boolean): Plugin => ({
    name: "packed",
    setup({ onResolve }) {
      onResolve({ filter: /^wasm-attention(\/|$)/ }, ({ path }) => {
        const [, entry = "index"] = path.split("/");
        return { path: `${from}/${entry}.js`, external };
      });
    },
  });
  const outdir = `${folder}/scripts`;
  const options = { bundle: true, target: "es2022", outdir } as const;
  await build({
    ...options,
    format: "esm",
    entryPoints: ["page", "memory", "context", "look"].map((name) => `${pages}${name}.ts`),
    plugins: [packed(".", true)],
  });
  // Everything in one classic script, as bundlers make it for a service worker.
  await build({
    ...options,
    format: "iife",
    entryPoints: { classic: `${pages}context.ts` },
    plugins: [packed(`${folder}/package/dist/browser`, false)],
  });
  return outdir;
}
