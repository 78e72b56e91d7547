// Capabilities that an engine is made with: each has a module of its own beside the core's.

import { ArgumentError, describe } from "./errors";
import type { Builds } from "./instance/builds";
import type { MakeRotation } from "./layer/rotation";

/**
 * A capability to be named in `createAttention({ extensions: [training] })`: threads cannot be sent a
 * module after their start, so that all are known when an engine is made.
 */
export interface Extension<Name extends string = string> {
  /** Of its module and of its entry, `wasm-attention/NAME`. */
  readonly name: Name;
  /** @internal */
  readonly builds: Builds;
  /** @internal Known answers of its kernels, see selftest.ts. */
  check(operation: string, attention: never): void;
  /** @internal What `positions` has for a layer with rotary embeddings. */
  readonly rotation?: MakeRotation;
}

/** @throws ArgumentError unless all are extensions, each once. */
export function checkExtensions(operation: string, extensions: unknown): readonly Extension[] {
  if (extensions === undefined) return [];
  if (!Array.isArray(extensions)) {
    throw new ArgumentError(operation, "extensions", "an array", describe(extensions));
  }
  const given: readonly unknown[] = [...extensions];
  for (const [index, extension] of given.entries()) {
    const { name, builds, check } = (extension ?? {}) as Partial<Extension>;
    const argument = `extensions[${index}]`;
    if (typeof name !== "string" || typeof builds !== "object" || typeof check !== "function") {
      const expected = "an extension, such as `training` of wasm-attention/training";
      throw new ArgumentError(operation, argument, expected, describe(extension));
    }
    if (given.findIndex((other) => (other as Extension).name === name) < index) {
      throw new ArgumentError(operation, argument, "each extension once", `a second ${name}`);
    }
  }
  return given as readonly Extension[];
}
