// Which keys each query may see by its position: lengths, offsets, causal and window,
// checked and made plain for the kernel.

import { UNLIMITED } from "../../assembly/kinds";
import type { ScoreOptions } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import { reader } from "./names";
import type { Shapes } from "./shapes";
import { numbersOf } from "./values";

export interface Visibility {
  /** Keys before and after a query's position that it sees, UNLIMITED for all. */
  readonly left: number;
  readonly right: number;
  /** [batch][Sequence.count], integers */
  readonly sequences: number[];
}

/** Positions stay clear of int32 overflow when a row number is added. */
const FARTHEST = 2 ** 30;

export function checkVisibility(
  operation: string,
  shapes: Shapes,
  options: ScoreOptions,
): Visibility {
  const { batch, queries, keys } = shapes;
  const { causal = false, queryOffset } = options;
  if (typeof causal !== "boolean" && causal !== "upper-left" && causal !== "lower-right") {
    throw new ArgumentError(
      operation,
      "causal",
      'a boolean, "upper-left" or "lower-right"',
      describe(causal),
    );
  }
  const lowerRight = causal === "lower-right";
  if (lowerRight && queryOffset !== undefined) {
    throw new ArgumentError(
      operation,
      "queryOffset",
      'no value with causal "lower-right", which is keys − queries of each batch',
      describe(queryOffset),
    );
  }
  const queryLengths = perBatch(operation, "queryLengths", options.queryLengths, batch, [
    0,
    queries,
  ]);
  const keyLengths = perBatch(operation, "keyLengths", options.keyLengths, batch, [0, keys]);
  const every = typeof queryOffset === "number" ? new Array(batch).fill(queryOffset) : queryOffset;
  const offsets = perBatch(operation, "queryOffset", every, batch, [-FARTHEST, FARTHEST]);

  const sequences: number[] = [];
  for (let b = 0; b < batch; b++) {
    const rows = queryLengths?.[b] ?? queries;
    const columns = keyLengths?.[b] ?? keys;
    const position = lowerRight ? columns - rows : (offsets?.[b] ?? 0);
    sequences.push(rows, columns, position, 0, 0);
  }
  const { left, right } = checkWindow(operation, options.window);
  return { left, right: causal ? 0 : right, sequences };
}

const readWindow = reader<NonNullable<ScoreOptions["window"]>>(
  { left: 1, right: 1 },
  "{ left?, right? }",
);

function checkWindow(operation: string, window: ScoreOptions["window"]) {
  if (window === undefined) return { left: UNLIMITED, right: UNLIMITED };
  const sides = readWindow(operation, window, "window");
  const side = (name: "left" | "right") => {
    const keys = sides[name];
    if (keys === undefined) return UNLIMITED;
    if (!Number.isInteger(keys) || keys < 0 || keys > FARTHEST) {
      throw new ArgumentError(
        operation,
        `window.${name}`,
        `an integer from 0 to ${FARTHEST}, or no value for no limit`,
        describe(keys),
      );
    }
    return keys;
  };
  return { left: side("left"), right: side("right") };
}

function perBatch(
  operation: string,
  argument: string,
  values: ArrayLike<number> | undefined,
  batch: number,
  [least, most]: readonly [number, number],
): readonly number[] | undefined {
  if (values === undefined) return undefined;
  const numbers = numbersOf(values, [batch]);
  if (!numbers) {
    throw new ArgumentError(
      operation,
      argument,
      `one integer${argument === "queryOffset" ? ", or one" : ""} for each of ${batch} batches`,
      describe(values),
    );
  }
  for (let b = 0; b < batch; b++) {
    const value = numbers[b] as number;
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new ArgumentError(
        operation,
        `${argument}[${b}]`,
        `an integer from ${least} to ${most}`,
        describe(value),
      );
    }
  }
  return numbers;
}
