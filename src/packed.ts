// attend over sequences laid end to end: the same kernel, with a start for each sequence.

import { Sequence } from "../build/frames";
import { type AttendCall, checkCall } from "./attend";
import {
  type AttendGradients,
  type AttendState,
  callBackward,
  forwardOptions,
  type GradientOptions,
  gradientFields,
} from "./backward";
import { numbersOf } from "./checks";
import type { Engine } from "./engine/load";
import type { Steps } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import { reader } from "./option-names";
import { type ScoreOptions, scoreFields } from "./options";
import { checkInputs, checkShapes, type Inputs, type Shapes } from "./shapes";
import type { Tensor } from "./tensor";
import { checkVisibility, type Visibility } from "./visibility";

/** Options of `attendPacked`: those of `attend` that make sense there, and where sequences start. */
export interface PackedOptions
  extends Omit<ScoreOptions, "keyLengths" | "queryLengths" | "weights" | "scores"> {
  /** Where each sequence of queries starts, and where the last ends: N + 1 integers from 0 to T. */
  readonly cumulativeQueries: ArrayLike<number>;
  /** The same of keys and values, from 0 to Tk; `cumulativeQueries` by default. */
  readonly cumulativeKeys?: ArrayLike<number> | undefined;
}

/** Options of `attendPackedBackward`. */
export type PackedBackwardOptions = Omit<PackedOptions, "out" | "scoreMod"> & GradientOptions;

/** Those without a meaning are read too, to be refused. */
type Fields = ScoreOptions & Pick<PackedOptions, "cumulativeQueries" | "cumulativeKeys">;

const packedFields = { ...scoreFields, cumulativeQueries: 1, cumulativeKeys: 1 } as const;

const readPacked = reader<Fields>(packedFields);
const readBackward = reader<Omit<Fields, "out"> & GradientOptions>({
  ...packedFields,
  ...gradientFields,
});

export function checkAttendPacked(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  given: PackedOptions,
): AttendCall {
  const name = "attendPacked";
  const options = readPacked(name, given);
  const { inputs, shapes, visibility } = checkPacked(name, query, key, value, options);
  return checkCall(name, inputs, shapes, visibility, options);
}

export function* attendPackedBackward(
  engine: Engine,
  outputGradient: Tensor,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  state: AttendState,
  given: PackedBackwardOptions,
): Steps<AttendGradients> {
  const name = "attendPackedBackward";
  const options = readBackward(name, given);
  const forward = forwardOptions(name, options) as Fields;
  const { inputs, shapes, visibility } = checkPacked(name, query, key, value, forward);
  const call = checkCall(name, inputs, shapes, visibility, forward);
  return yield* callBackward(engine, call, outputGradient, state, options);
}

function checkPacked(
  name: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: Fields,
): { inputs: Inputs; shapes: Shapes; visibility: Visibility } {
  refuseBatchOptions(name, options);
  const inputs = checkInputs(name, query, key, value, "BLHD");
  if (inputs.query.dims.length !== 3) {
    throw new ArgumentError(name, "query.dims", "[T, H, D]", describe(inputs.query.dims));
  }
  const tokens = checkShapes(name, inputs, "BLHD", {});
  const queries = checkOffsets(
    name,
    "cumulativeQueries",
    options.cumulativeQueries,
    tokens.queries,
  );
  const keys = checkOffsets(
    name,
    "cumulativeKeys",
    options.cumulativeKeys ?? options.cumulativeQueries,
    tokens.keys,
  );
  const batch = queries.starts.length;
  if (keys.starts.length !== batch) {
    throw new ArgumentError(
      name,
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
  const visibility = checkVisibility(name, shapes, {
    ...options,
    queryLengths: queries.lengths,
    keyLengths: keys.lengths,
  });
  for (let b = 0; b < batch; b++) {
    const first = b * Sequence.words;
    visibility.sequences[first + Sequence.queryStart] = queries.starts[b] as number;
    visibility.sequences[first + Sequence.keyStart] = keys.starts[b] as number;
  }
  return { inputs, shapes, visibility };
}

/** Starts and lengths of the sequences. */
function checkOffsets(name: string, argument: string, offsets: ArrayLike<number>, tokens: number) {
  const numbers = numbersOf(offsets);
  if (!numbers?.length) {
    throw new ArgumentError(
      name,
      argument,
      "offsets from 0, one more than sequences",
      describe(offsets),
    );
  }
  const starts: number[] = [];
  const lengths: number[] = [];
  let before = 0;
  for (const [index, offset] of numbers.entries()) {
    const last = index === numbers.length - 1;
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
    if (!fits) throw new ArgumentError(name, `${argument}[${index}]`, wanted, describe(offset));
    if (index > 0) {
      starts.push(before);
      lengths.push(offset - before);
    }
    before = offset;
  }
  return { starts, lengths };
}

/** Options that have no meaning without a batch axis must not pass unheard. */
function refuseBatchOptions(operation: string, options: ScoreOptions): void {
  for (const name of ["queryLengths", "keyLengths", "weights", "scores"] as const) {
    const given = options[name];
    if (given === undefined || given === false) continue;
    throw new ArgumentError(
      operation,
      name,
      "no value: sequences are laid end to end",
      describe(given),
    );
  }
}
