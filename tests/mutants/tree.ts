// A copy of the sources outside the project's folder, in which a fault is built and tested.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutant";

export type Outcome = "red" | "green" | "not built" | "not found";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** A fault may make a loop endless. */
const LONGEST_MS = 300_000;

export class Tree {
  readonly folder = mkdtempSync(join(tmpdir(), "wasm-attention-mutants-"));
  #running: ChildProcess | undefined;

  constructor() {
    const list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    const files = execFileSync("git", list, { cwd: root, encoding: "utf8" }).split("\0");
    for (const file of files) if (file) cpSync(join(root, file), join(this.folder, file));
    symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"), "junction");
  }

  /** All builds, as they are put back after each fault. */
  async build(): Promise<void> {
    const built =
      (await this.#runs("scripts/wasm.mjs", "--quick")) && (await this.#runs("scripts/bundle.mjs"));
    if (!built) throw new Error("the sources do not build");
    cpSync(join(this.folder, "build"), join(this.folder, "right"), { recursive: true });
  }

  /** What the mutant's tests say of it; the copy is right again afterwards. */
  async outcomeOf(mutant: Mutant): Promise<Outcome> {
    const { find, replace, tests } = mutant;
    const file = join(this.folder, mutant.file);
    if (!existsSync(file)) return "not found";
    const right = readFileSync(file, "utf8");
    if (right.split(find).length !== 2 || find === replace) return "not found";
    writeFileSync(file, right.split(find).join(replace));
    const kernel = mutant.file.startsWith("assembly/");
    const compiled = tests.every(isSpec);
    const modules = kernel && !compiled ? this.#modulesOf(mutant.file) : [];
    try {
      if (modules.length && !(await this.#runs("scripts/wasm.mjs", "--quick", ...modules)))
        return "not built";
      if (!compiled && !(await this.#runs("scripts/bundle.mjs", "node"))) return "not built";
      return (await this.passes(mutant)) ? "green" : "red";
    } finally {
      writeFileSync(file, right);
      if (modules.length)
        cpSync(join(this.folder, "right"), join(this.folder, "build"), { recursive: true });
    }
  }

  /** The modules that a file of assembly/ is compiled into. */
  #modulesOf(file: string): string[] {
    const entries = readdirSync(join(this.folder, "assembly")).filter((name) =>
      existsSync(join(this.folder, "build", name.replace(/\.ts$/, ".wasm.txt"))),
    );
    return entries
      .filter((entry) => this.#reached(join(this.folder, "assembly", entry)).has(file))
      .map((entry) => entry.replace(/\.ts$/, ""));
  }

  /** A source and all that it imports, from the copy's root. */
  #reached(source: string, all = new Set<string>()): Set<string> {
    const name = relative(this.folder, source).replaceAll("\\", "/");
    if (all.has(name)) return all;
    all.add(name);
    for (const [, path] of readFileSync(source, "utf8").matchAll(/ from "(\.[^"]+)"/g))
      this.#reached(`${join(source, "..", path)}.ts`, all);
    return all;
  }

  /** Whether tests pass on what is built. */
  async passes({ tests, only }: Pick<Mutant, "tests" | "only">): Promise<boolean> {
    const specs = tests.filter(isSpec);
    if (specs.length > 0 && !(await this.#runs("tests/assembly/run.mjs", ...specs))) return false;
    const files = tests.filter((name) => !isSpec(name));
    if (files.length === 0) return true;
    const names = only ? [`--test-name-pattern=${only}`] : [];
    return this.#runs("--import", "tsx", "--test", "--test-reporter=tap", ...names, ...files);
  }

  /** Ends what runs in it, too. */
  remove(): void {
    if (this.#running) end(this.#running);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Whether Node ends well; it is not waited for once a test has failed. */
  async #runs(...args: string[]): Promise<boolean> {
    const child = spawn(process.execPath, args, {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "ignore"],
      // A group of its own, to end a test file's process with its runner.
      detached: true,
    });
    this.#running = child;
    const timer = setTimeout(() => end(child), LONGEST_MS);
    let ranNothing = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (/^\s*not ok /m.test(text)) end(child);
      if (/^# pass 0$/m.test(text)) ranNothing = true;
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    clearTimeout(timer);
    this.#running = undefined;
    if (ranNothing && code === 0) throw new Error(`no tests: ${args.join(" ")}`);
    return code === 0;
  }
}

/** Another copy that is built already. */
export function copyOf(tree: Tree): Tree {
  const copy = new Tree();
  for (const name of ["build", "dist", "right"])
    cpSync(join(tree.folder, name), join(copy.folder, name), { recursive: true });
  return copy;
}

function isSpec(name: string): boolean {
  return name.endsWith(".spec.ts");
}

function end({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
