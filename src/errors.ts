// Every error this package throws. AttentionError is the root of all; each carries the
// argument, what was expected and what came, and reads
// `attend: "key" expected B·Hkv·S·D = 1·2·8·64 = 1024 elements, got 1000`.

import { kindOf, lengthOf } from "./arrays";

/** Root of every error thrown by this package. */
export class AttentionError extends Error {
  /** The argument, option or resource at fault. */
  readonly argument: string;
  /** What would have been right. */
  readonly expected: string;
  /** What came instead. */
  readonly received: string;

  constructor(operation: string, argument: string, expected: string, received: string) {
    super(`${operation}: "${argument}" expected ${expected}, got ${received}`);
    this.argument = argument;
    this.expected = expected;
    this.received = received;
  }
}

/** An argument of the wrong type, shape, size or range, or options that contradict each other. */
export class ArgumentError extends AttentionError {}

/** Linear memory cannot hold what a call needs. Nothing stays allocated; a smaller call works. */
export class MemoryError extends AttentionError {}

/** An engine, tensor, prepared weight or layer used after `dispose()`. */
export class DisposedError extends AttentionError {}

/** The engine cannot run the kernels: no WebAssembly, no SIMD, or a module that is not ours. */
export class UnsupportedError extends AttentionError {}

// Whatever a minifier calls them, and before the first of them takes its stack.
for (const [name, { prototype }] of Object.entries({
  AttentionError,
  ArgumentError,
  MemoryError,
  DisposedError,
  UnsupportedError,
})) {
  Object.defineProperty(prototype.constructor, "name", { value: name });
  Object.defineProperty(prototype, "name", { value: name, configurable: true, writable: true });
}

const MOST_LETTERS = 120;

/** How a value that was refused is named in a message: in a line, whatever it is. */
export function describe(value: unknown): string {
  let text: string;
  try {
    text = named(value, 0);
  } catch {
    // A getter, a proxy or a name that throws.
    text = "an object that cannot be read";
  }
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
}

function named(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, MOST_LETTERS + 1));
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  const kind = kindOf(value);
  if (kind) return `${kind} of ${lengthOf(value as ArrayBufferView)}`;
  if (Array.isArray(value)) {
    if (value.length > 8 || depth > 1) return `an array of ${value.length}`;
    return `[${Array.from(value, (item) => named(item, depth + 1)).join(", ")}]`;
  }
  // Of any realm: a Promise, an ArrayBuffer, a Map.
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag === "Promise") return "a Promise that was not awaited";
  if (tag !== "Object") return `an object of kind ${tag}`;
  return `an object with {${Object.keys(value).slice(0, 8).join(", ")}}`;
}
