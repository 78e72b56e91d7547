// attend over sequences laid end to end: the same kernel, with a start for each sequence.

import { Sequence } from "../assembly/frame";
import { callAttend } from "./attend";
import { checkOptions } from "./checks";
import type { Engine } from "./engine/load";
import type { Steps } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import type { AttendResult, ScoreOptions } from "./options";
import { checkInputs, checkShapes, type Shapes } from "./shapes";
import type { Tensor } from "./tensor";
import { checkVisibility } from "./visibility";

/** Options of `attendPacked`: those of `attend` that make sense there, and where sequences start. */
export interface PackedOptions
  extends Omit<ScoreOptions, "keyLengths" | "queryLengths" | "weights" | "scores"> {
  /** Where each sequence of queries starts, and where the last ends: N + 1 integers from 0 to T. */
  readonly cumulativeQueries: ArrayLike<number>;
  /** The same of keys and values, from 0 to Tk; `cumulativeQueries` by default. */
  readonly cumulativeKeys?: ArrayLike<number> | undefined;
}

const NAME = "attendPacked";

export function* attendPacked(
  engine: Engine,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: PackedOptions,
): Steps<AttendResult> {
  checkOptions(NAME, options);
  refuseBatchOptions(options);
  const inputs = checkInputs(NAME, query, key, value, "BLHD");
  if (inputs.query.dims.length !== 3) {
    throw new ArgumentError(NAME, "query.dims", "[T, H, D]", describe(inputs.query.dims));
  }
  const tokens = checkShapes(NAME, inputs, "BLHD", {});
  const queries = checkOffsets("cumulativeQueries", options.cumulativeQueries, tokens.queries);
  const keys = checkOffsets(
    "cumulativeKeys",
    options.cumulativeKeys ?? options.cumulativeQueries,
    tokens.keys,
  );
  const batch = queries.starts.length;
  if (keys.starts.length !== batch) {
    throw new ArgumentError(
      NAME,
      "cumulativeKeys",
      `${batch + 1} offsets, as cumulativeQueries has`,
      `${keys.starts.length + 1}`,
    );
  }
  const shapes: Shapes = {
    ...tokens,
    batch,
    queries: Math.max(0, ...queries.lengths),
    keys: Math.max(0, ...keys.lengths),
    queryStrides: { ...tokens.queryStrides, batch: 0 },
    keyStrides: { ...tokens.keyStrides, batch: 0 },
    valueStrides: { ...tokens.valueStrides, batch: 0 },
    outputStrides: { ...tokens.outputStrides, batch: 0 },
    logSumExpStrides: { batch: 0, head: tokens.queries },
    endToEnd: true,
  };
  const visibility = checkVisibility(NAME, shapes, {
    ...options,
    queryLengths: queries.lengths,
    keyLengths: keys.lengths,
  });
  for (let b = 0; b < batch; b++) {
    const first = b * Sequence.count;
    visibility.sequences[first + Sequence.queryStart] = queries.starts[b] as number;
    visibility.sequences[first + Sequence.keyStart] = keys.starts[b] as number;
  }
  return yield* callAttend(engine, NAME, inputs, shapes, visibility, options);
}

/** Starts and lengths of the sequences. */
function checkOffsets(argument: string, offsets: ArrayLike<number>, tokens: number) {
  const given: unknown = offsets;
  if (typeof given !== "object" || given === null || !(offsets.length >= 1)) {
    throw new ArgumentError(
      NAME,
      argument,
      "offsets from 0, one more than sequences",
      describe(given),
    );
  }
  const starts: number[] = [];
  const lengths: number[] = [];
  let before = 0;
  for (let index = 0; index < offsets.length; index++) {
    const offset = offsets[index] as number;
    const last = index === offsets.length - 1;
    const wanted =
      index === 0
        ? last
          ? `0 = the tokens given, ${tokens}`
          : "0"
        : last
          ? `the number of tokens, ${tokens}`
          : `an integer from ${before} to ${tokens}`;
    const fits =
      Number.isInteger(offset) &&
      offset >= before &&
      (index > 0 || offset === 0) &&
      (last ? offset === tokens : offset <= tokens);
    if (!fits) throw new ArgumentError(NAME, `${argument}[${index}]`, wanted, describe(offset));
    if (index > 0) {
      starts.push(before);
      lengths.push(offset - before);
    }
    before = offset;
  }
  return { starts, lengths };
}

/** Options that have no meaning without a batch axis must not pass unheard. */
function refuseBatchOptions(options: PackedOptions): void {
  for (const name of ["queryLengths", "keyLengths", "weights", "scores"] as const) {
    const given = (options as ScoreOptions)[name];
    if (given === undefined || given === false) continue;
    throw new ArgumentError(NAME, name, "no value: sequences are laid end to end", describe(given));
  }
}
