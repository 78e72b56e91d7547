// How an engine comes to be: which build, on which memory, with how many threads.

import core from "builds:core";
import { compile } from "#platform";
import { checkAnswers } from "./answers";
import { Attention } from "./attend/attention";
import { reader } from "./check/names";
import { checkBoolean } from "./check/values";
import { ArgumentError, AttentionError, describe, UnsupportedError } from "./errors";
import { checkExtensions, type Extension } from "./extension";
import { type Builds, bestBuild } from "./instance/builds";
import { type Engine, load } from "./instance/instance";
import type { Build } from "./instance/modules";

/** Options of `createAttention`. */
export interface AttentionOptions<Extensions extends readonly Extension[] = readonly Extension[]> {
  /** Use the portable build, whose results are the same bits on every engine; false by default. */
  reproducible?: boolean | undefined;
  /**
   * Threads that share a call's work, the calling one included: 1 by default, `"auto"` by the
   * hardware. The same bits for any number. Where threads are missing (a page that is not
   * cross-origin isolated, a policy against workers) it is 1, and `threadsFallback` says why.
   */
  threads?: number | "auto" | undefined;
  /**
   * In browsers, where this package's `worker.js` is served, for pages whose policy refuses workers
   * from blob: URLs. Others do not need it.
   */
  worker?: string | URL | undefined;
  /** Bytes of linear memory to start with; 64 kB by default. */
  initialMemory?: number | undefined;
  /** Most bytes linear memory may grow to; 4 GiB without its last page by default, or what the platform grants. */
  maximumMemory?: number | undefined;
  /**
   * Capabilities besides those of the main entry, each with a module of its own: `training` of
   * `wasm-attention/training`, `positions` of `wasm-attention/positions`, `cache` of
   * `wasm-attention/cache`, `blocks` of `wasm-attention/blocks`,
   * `variants` of `wasm-attention/variants`.
   */
  extensions?: Extensions | undefined;
  /**
   * Plain builds as compiled modules, for engines that refuse to compile bytes: the core's, this
   * package's `portable.wasm` or `relaxed.wasm`, or one for each name, `{ core, training }`. They have
   * one thread.
   */
  module?: WebAssembly.Module | Readonly<Record<string, WebAssembly.Module>> | undefined;
}

const NAME = "createAttention";
const MOST_THREADS = 256;

const read = reader<AttentionOptions>({
  extensions: 1,
  reproducible: 1,
  threads: 1,
  worker: 1,
  initialMemory: 1,
  maximumMemory: 1,
  module: 1,
});

/**
 * An attention engine on the best build this engine can run.
 * @throws UnsupportedError where WebAssembly or its SIMD is missing or computes wrong numbers, where
 * bytes may not be compiled and no `module` is given, or where `module` is not ours.
 * @throws MemoryError where the platform refuses `initialMemory` or `maximumMemory`.
 * @throws ArgumentError for an option of the wrong type or range.
 */
export async function createAttention<const Extensions extends readonly Extension[] = []>(
  options: AttentionOptions<Extensions> = {},
): Promise<Attention<Extensions[number]["name"]>> {
  const attention: unknown = await start(read(NAME, options) as AttentionOptions);
  return attention as Attention<Extensions[number]["name"]>;
}

async function start(options: AttentionOptions): Promise<Attention> {
  const extensions = checkEngine(options);
  const threaded = await startThreads(options, extensions);
  if (typeof threaded === "object") return checked(new Attention(threaded));
  const { engine } = load(await plainBuilds(options, extensions), extensions, options);
  if (options.reproducible && engine.variant !== "portable") {
    const expected = "the portable build with reproducible: true";
    throw new ArgumentError(NAME, "module", expected, "the relaxed one");
  }
  return checked(new Attention(engine, threaded));
}

/** There are engines that accept SIMD and compute garbage. */
function checked(attention: Attention): Attention {
  try {
    checkAnswers(NAME, attention);
    return attention;
  } catch (error) {
    attention.dispose();
    throw error;
  }
}

const partsOf = (extensions: readonly Extension[]) => [
  { name: "core", builds: core },
  ...extensions,
];

/** The modules that the caller gave, or the package's own. */
async function plainBuilds(
  { module, reproducible = false }: AttentionOptions,
  extensions: readonly Extension[],
): Promise<Build[]> {
  const given = module && isModule(module) ? { core: module } : module;
  return Promise.all(
    partsOf(extensions).map(async ({ name, builds }) => {
      const supplied = given && (given as Record<string, WebAssembly.Module>)[name];
      return { name, module: supplied ?? (await compiled(name, builds, reproducible)) };
    }),
  );
}

async function compiled(name: string, builds: Builds, reproducible: boolean) {
  try {
    return await compile(builds, reproducible);
  } catch (error) {
    if (error instanceof AttentionError) throw error;
    throw new UnsupportedError(
      NAME,
      name === "core" ? "module" : `module.${name}`,
      "a WebAssembly.Module of this package's portable.wasm or relaxed.wasm, since bytes may not be" +
        " compiled here (on pages and in workers rather add 'wasm-unsafe-eval' to script-src in" +
        " their Content-Security-Policy)",
      `none: ${error}`,
    );
  }
}

/** An engine with workers, or why there is none; neither where one thread was asked for. */
async function startThreads(
  options: AttentionOptions,
  extensions: readonly Extension[],
): Promise<Engine | string | undefined> {
  const { threads = 1 } = options;
  if (threads === 1) return undefined;
  if (options.module) return "`module` was given, and threads need builds of their own";
  // It has no import() either, by which they would be loaded. workerd has the class alone.
  if ("ServiceWorkerGlobalScope" in globalThis && "registration" in globalThis) {
    return "a service worker cannot start workers";
  }
  try {
    const { startEngine } = await import("#threads");
    const make = async () => {
      const builds = await Promise.all(
        partsOf(extensions).map(async ({ name, builds }) => ({
          name,
          module: await WebAssembly.compile(bestBuild(options.reproducible === true, builds, true)),
        })),
      );
      const modules = builds.map(({ module }) => module);
      return { ...load(builds, extensions, options, true), modules };
    };
    return await startEngine(make, { ...options, threads });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Gives the extensions that were named. */
function checkEngine(options: AttentionOptions): readonly Extension[] {
  if (typeof WebAssembly !== "object") {
    throw new UnsupportedError(
      NAME,
      "WebAssembly",
      "an engine that has it (some edge platforms and browsers' lockdown modes do not)",
      "none",
    );
  }
  const refuse = (argument: string, expected: string, value: unknown) => {
    throw new ArgumentError(NAME, argument, expected, describe(value));
  };
  const { reproducible, module, threads, worker } = options;
  checkBoolean(NAME, "reproducible", reproducible);
  for (const argument of ["initialMemory", "maximumMemory"] as const) {
    const bytes = options[argument];
    if (bytes === undefined) continue;
    if (!(Number.isInteger(bytes) && bytes >= 65536 && bytes <= 2 ** 32)) {
      refuse(argument, "bytes from 65536 to 2³²", bytes);
    }
  }
  const { initialMemory = 0, maximumMemory = 2 ** 32 } = options;
  if (initialMemory > maximumMemory)
    refuse("initialMemory", `at most maximumMemory = ${maximumMemory}`, initialMemory);
  if (
    threads !== undefined &&
    threads !== "auto" &&
    !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)
  ) {
    refuse("threads", `"auto" or an integer from 1 to ${MOST_THREADS}`, threads);
  }
  if (worker !== undefined && typeof worker !== "string" && typeof worker?.href !== "string") {
    refuse("worker", "a URL", worker);
  }
  const extensions = checkExtensions(NAME, options.extensions);
  checkModules(module, ["core", ...extensions.map(({ name }) => name)]);
  return extensions;
}

/** One is the core's. */
function checkModules(module: unknown, names: readonly string[]): void {
  if (module === undefined || isModule(module)) return;
  const given = Object.entries(typeof module === "object" ? (module ?? {}) : {});
  const fits = given.every(([name, value]) => names.includes(name) && isModule(value));
  if (given.length > 0 && fits) return;
  const expected = `a WebAssembly.Module, or { ${names.join("?, ")}? } of them`;
  throw new ArgumentError(NAME, "module", expected, describe(module));
}

/** Also one of another realm. */
function isModule(value: unknown): boolean {
  try {
    WebAssembly.Module.exports(value as WebAssembly.Module);
    return true;
  } catch {
    return false;
  }
}
