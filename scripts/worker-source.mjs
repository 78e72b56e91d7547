// esbuild: the worker's code as a text inside the bundle, since a worker of its own file is what
// bundlers and policies treat most differently.
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const entry = fileURLToPath(new URL("../src/threads/worker.ts", import.meta.url));

export const workerSource = {
  name: "worker-source",
  setup(build) {
    build.onResolve({ filter: /^worker-source$/ }, ({ path }) => ({ path, namespace: "text" }));
    build.onLoad({ filter: /.*/, namespace: "text" }, () => ({
      contents: workerText(),
      loader: "text",
    }));
  },
};

/** A classic script that defines `worker`. */
export function workerText() {
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    format: "iife",
    globalName: "worker",
    target: "es2022",
    minify: true,
    write: false,
  });
  return outputFiles[0].text;
}
