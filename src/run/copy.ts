// What a caller handed over, copied into linear memory: its length is asked again at every piece, since a
// buffer may be resized or transferred while a call goes on.

import { bufferOf, kindOf, lengthOf, part } from "../arrays";
import { ArgumentError } from "../errors";
import type { Engine } from "../instance/instance";
import type { Arena } from "../memory/arena";
import { AllocatedTensor } from "../tensor/allocated";
import { received, type Tensor } from "../tensor/tensor";
import type { Steps } from "./steps";

/** Copied at once: a fraction of a millisecond, or some of them where memory is touched first. */
export const PAUSE_BYTES = 2 ** 20;

/** Plain numbers are integers of 32 bits. */
export type Data = Float32Array | Uint8Array | Int32Array | readonly number[];

export interface Region {
  /** Where the frame wants the address, if it does. */
  readonly slot: number | undefined;
  readonly bytes: number;
  /** 0 until it has one in the call's block. */
  address: number;
}

export interface Copy {
  readonly region: Region;
  readonly argument: string;
  /** Another engine's tensor is asked for its data anew after every pause. */
  readonly from: Data | AllocatedTensor;
}

/** What leaves linear memory once the call is done. */
export interface Output {
  readonly region: Region;
  readonly dims: readonly number[];
  readonly argument: string;
  readonly out: Tensor | undefined;
  /** Of `out` where it lies in this very memory, else 0. */
  readonly address: number;
  /** Whether the result is added to what is in `out`. */
  readonly added: boolean;
}

/** All of it, or bytes [start, end), multiples of four. */
export function copyIn(
  { bytes, floats, words }: Arena,
  operation: string,
  { region, argument, from }: Copy,
  start = 0,
  end = region.bytes,
): void {
  const at = region.address + start;
  if (Array.isArray(from)) {
    for (let index = 0; index < from.length; index++) words[at / 4 + index] = from[index];
    return;
  }
  const data = (from instanceof AllocatedTensor ? from.data : from) as Float32Array;
  const kind = kindOf(data);
  const size = kind === "Uint8Array" ? 1 : 4;
  const elements = region.bytes / size;
  if (lengthOf(data) !== elements) throw lengthChanged(operation, argument, data, elements);
  const whole = end - start === region.bytes && !("growable" in bufferOf(data));
  // No view where none is needed: it costs more than the copy of a small tensor.
  const piece = whole ? data : part(data, start / size, (end - start) / size);
  if (size === 1) bytes.set(piece, at);
  else (kind === "Int32Array" ? words : floats).set(piece, at / 4);
}

/** All of it, with pauses where others may use the engine. */
export function* copySteps(
  { arena, concurrent }: Engine,
  operation: string,
  copy: Copy,
): Steps<void> {
  const { bytes } = copy.region;
  const piece = concurrent && !Array.isArray(copy.from) ? PAUSE_BYTES : bytes;
  for (let at = 0; at < bytes; at += piece) {
    copyIn(arena, operation, copy, at, Math.min(at + piece, bytes));
    if (concurrent) yield;
  }
}

/** The buffer of an argument was resized or transferred while the call went on. */
export function lengthChanged(
  operation: string,
  argument: string,
  data: ArrayBufferView,
  elements: number,
): ArgumentError {
  const expected = `${elements} elements until the call ends`;
  return new ArgumentError(operation, argument, expected, received(data));
}
