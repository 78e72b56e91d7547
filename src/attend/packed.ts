// attend over sequences laid end to end: the same kernel, with a start for each sequence.

import { Sequence } from "../../build/frames";
import { reader } from "../check/names";
import { checkInputs, checkShapes, type Inputs, type Shapes } from "../check/shapes";
import { numbersOf } from "../check/values";
import { checkVisibility, type Visibility } from "../check/visibility";
import { ArgumentError, describe } from "../errors";
import type { Tensor } from "../tensor/tensor";
import { type Attention, checkAttention } from "./attention";
import { type AttendCall, callAttend, checkCall } from "./forward";
import {
  type Abortable,
  type AttendResult,
  type Exactly,
  type ScoreOptions,
  scoreFields,
} from "./options";

/** Options of `attendPacked`: those of `attend` that make sense there, and where sequences start. */
export interface PackedOptions
  extends Omit<ScoreOptions, "keyLengths" | "queryLengths" | "weights" | "scores"> {
  /** Where each sequence of queries starts, and where the last ends: N + 1 integers from 0 to T. */
  readonly cumulativeQueries: ArrayLike<number>;
  /** The same of keys and values, from 0 to Tk; `cumulativeQueries` by default. */
  readonly cumulativeKeys?: ArrayLike<number> | undefined;
}

/** Those without a meaning are read too, to be refused. */
export type PackedFields = ScoreOptions &
  Pick<PackedOptions, "cumulativeQueries" | "cumulativeKeys">;

export const packedFields = { ...scoreFields, cumulativeQueries: 1, cumulativeKeys: 1 } as const;

const readPacked = reader<PackedFields>(packedFields);
const readPackedAsync = reader<PackedFields & Abortable>({ ...packedFields, signal: 1 });
/**
 * `attend` over sequences of different lengths laid end to end, without padding (flash-attn's
 * varlen): query [T, H, D], key [Tk, Hkv, D], value [Tk, Hkv, Dv], output [T, H, Dv],
 * logSumExp [H, T]. Masks, block masks and per-batch options count sequences as batches, with
 * L and S the longest of each.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function attendPacked<const Options extends PackedOptions>(
  attention: Attention,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: Exactly<Options, PackedOptions>,
): AttendResult<Options> {
  const name = "attendPacked";
  return checkAttention(name, attention).run(name, (engine) =>
    callAttend(engine, checkAttendPacked(name, query, key, value, readPacked(name, options))),
  ) as AttendResult<Options>;
}

/** `attendPacked` without holding the calling thread; see `attendAsync`. */
export function attendPackedAsync<const Options extends PackedOptions & Abortable>(
  attention: Attention,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: Exactly<Options, PackedOptions & Abortable>,
): Promise<AttendResult<Options>> {
  const name = "attendPackedAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readPackedAsync(name, options);
    const call = checkAttendPacked(name, query, key, value, read);
    return { signal, steps: (engine) => callAttend(engine, call) };
  }) as Promise<AttendResult<Options>>;
}

/** `options` as they were read. */
export function checkAttendPacked(
  name: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: PackedFields,
): AttendCall {
  const { inputs, shapes, visibility } = checkPacked(name, query, key, value, options);
  return checkCall(name, inputs, shapes, visibility, options);
}

export function checkPacked(
  name: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: PackedFields,
): { inputs: Inputs; shapes: Shapes; visibility: Visibility } {
  refuseBatchOptions(name, options);
  const inputs = checkInputs(name, query, key, value, "BLHD");
  if (inputs.query.dims.length !== 3) {
    throw new ArgumentError(name, "query.dims", "[T, H, D]", describe(inputs.query.dims));
  }
  return { inputs, ...checkEnds(name, checkShapes(name, inputs, "BLHD", {}), options) };
}

/** Where sequences begin and end in tensors whose rows are all of their tokens. */
export function checkEnds(
  name: string,
  tokens: Shapes,
  options: PackedFields,
): { shapes: Shapes; visibility: Visibility } {
  const { cumulativeQueries, cumulativeKeys = cumulativeQueries } = options;
  const queries = checkOffsets(name, "cumulativeQueries", cumulativeQueries, tokens.queries);
  const keys = checkOffsets(name, "cumulativeKeys", cumulativeKeys, tokens.keys);
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
  return { shapes, visibility };
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
export function refuseBatchOptions(operation: string, options: ScoreOptions): void {
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
