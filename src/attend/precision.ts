// What attend computes in, where it is not float32: a value of an extension, whose module attends instead
// of the core.

import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import type { Work } from "../run/steps";

/** Numbers that `attend` computes with: `int16` and `int8` of wasm-attention/integers. */
export interface Precision {
  /** "int16" or "int8" */
  readonly name: string;
  /** @internal Whose module it is. */
  readonly extension: string;
  /** @internal */
  readonly kernel: number;
}

/** Those that there are: a kernel's number is not taken from just anybody. */
const known = new WeakSet<object>();

export function precisionOf(name: string, extension: string, kernel: number): Precision {
  const precision = Object.freeze({ name, extension, kernel });
  known.add(precision);
  return precision;
}

/** Longest rows whose sums of integers are known to fit, see assembly/integers/tile.ts. */
const MOST_NUMBERS = 4096;

/** The kernel of a precision, or none where it is float32, as it is for heads that are too large. */
export function kernelOf(
  engine: Engine,
  operation: string,
  precision: Precision | undefined,
  headSize: number,
): Pick<Work, "module" | "kernel"> | undefined {
  if (precision === undefined) return undefined;
  if (!known.has(precision)) {
    const expected = "a precision, such as `int16` of wasm-attention/integers";
    throw new ArgumentError(operation, "precision", expected, describe(precision));
  }
  const module = moduleOf(engine, operation, precision.extension);
  return headSize > MOST_NUMBERS ? undefined : { module, kernel: precision.kernel };
}
