// Every error this package throws. AttentionError is the root of all; each carries the
// argument, what was expected and what came, and reads
// `attend: "key" expected B·Hkv·S·D = 1·2·8·64 = 1024 elements, got 1000`.

/** Root of every error thrown by this package. */
export class AttentionError extends Error {
  /** The class's own name, which survives minifiers. */
  override readonly name: string = "AttentionError";
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
export class ArgumentError extends AttentionError {
  /** The class's own name, which survives minifiers. */
  override readonly name: string = "ArgumentError";
}

/** Linear memory cannot hold what a call needs. Nothing stays allocated; a smaller call works. */
export class MemoryError extends AttentionError {
  /** The class's own name, which survives minifiers. */
  override readonly name: string = "MemoryError";
}

/** An engine, tensor, prepared weight or layer used after `dispose()`. */
export class DisposedError extends AttentionError {
  /** The class's own name, which survives minifiers. */
  override readonly name: string = "DisposedError";
}

/** The engine cannot run the kernels: no WebAssembly, no SIMD, or a module that is not ours. */
export class UnsupportedError extends AttentionError {
  /** The class's own name, which survives minifiers. */
  override readonly name: string = "UnsupportedError";
}

/** How a value that was refused is named in a message; of lists within lists only the outer ones. */
export function describe(value: unknown, depth = 2): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) {
    const kind = value.constructor?.name ?? "an array";
    return `${kind} of ${(value as Float32Array).length ?? value.byteLength}`;
  }
  if (Array.isArray(value)) {
    if (value.length > 8 || depth === 0) return `an array of ${value.length}`;
    return `[${Array.from(value, (item) => describe(item, depth - 1)).join(", ")}]`;
  }
  if (value instanceof Promise) return "a Promise that was not awaited";
  return `an object with {${Object.keys(value).slice(0, 8).join(", ")}}`;
}
