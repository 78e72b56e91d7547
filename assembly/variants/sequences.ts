// What the recurrences of linear attention's gradients read and write: contiguous rows, padded by zeros to a
// multiple of 8. D and V are the padded sizes of a key and of a value, the latter with the column of the normaliser.
//
//   queries   [batch·queryHeads·L][D]     scale · φ(q)
//   keys      [batch·keyHeads·S][D]       φ(k), 0 past a sequence's length
//   values    [batch·valueHeads·S][V]     v and, where it is normalised, a 1 behind it; 0 likewise
//   decays    [batch·valueHeads·(S + 1)][D]   e^decay; 1 likewise, and in the last row
//   betas     [batch·valueHeads·S]        0 likewise
//   outputs   [batch·heads·L][V]          Sᵀq, where it is normalised: the only one of the forward pass (chunk.ts)
//
// and, of the state's heads, outputGradients like outputs, queryGradients [batch·heads·L][D],
// keyGradients, valueGradients, and along [batch·valueHeads][D], Σ S · dS over values of the last state. By the
// delta rule (delta.ts) steps, β φ(k), and retrieved, (e S) δ, are like keyGradients; errors, w, like valueGradients,
// which are δ.

import { ceil8 } from "../tiles";
import { LinearAttentionFrame } from "./frame";


@unmanaged
export class Sequences {
  queries: usize = 0;
  keys: usize = 0;
  values: usize = 0;
  decays: usize = 0;
  betas: usize = 0;
  outputs: usize = 0;
  outputGradients: usize = 0;
  queryGradients: usize = 0;
  keyGradients: usize = 0;
  valueGradients: usize = 0;
  along: usize = 0;
  steps: usize = 0;
  retrieved: usize = 0;
  errors: usize = 0;
}

// @ts-ignore: decorator
@inline
export function keySize(frame: LinearAttentionFrame): i32 {
  return ceil8(frame.headSize);
}

/** Columns of the state. */
// @ts-ignore: decorator
@inline
export function stateColumns(frame: LinearAttentionFrame): i32 {
  return frame.valueSize + frame.normalised;
}

// @ts-ignore: decorator
@inline
export function valueSize(frame: LinearAttentionFrame): i32 {
  return ceil8(stateColumns(frame));
}

// @ts-ignore: decorator
@inline
export function isBackward(frame: LinearAttentionFrame): bool {
  return frame.backward != 0;
}

// @ts-ignore: decorator
@inline
export function isDeltaBackward(frame: LinearAttentionFrame): bool {
  return frame.backward != 0 && frame.delta != 0;
}

/** Bytes of `count` rows of heads, a multiple of 64. */
// @ts-ignore: decorator
@inline
function bytesOf(frame: LinearAttentionFrame, heads: i32, rows: i32, size: i32): f64 {
  const bytes = <f64>frame.batch * <f64>heads * <f64>rows * <f64>size * 4;
  return Math.ceil(bytes / 64) * 64;
}

/** Lays them out from `base` on, where `at` is given; gives their bytes, which may be more than memory has. */
export function layOutSequences(frame: LinearAttentionFrame, base: usize, at: Sequences): f64 {
  const key = keySize(frame);
  const value = valueSize(frame);
  const laid = changetype<usize>(at) != 0;
  let bytes: f64 = 0;
  if (laid) at.outputs = base;
  if (frame.normalised) bytes += bytesOf(frame, frame.heads, frame.queries, value);
  if (!isBackward(frame)) return bytes;
  if (laid) at.queries = base + <usize>bytes;
  bytes += bytesOf(frame, frame.queryHeads, frame.queries, key);
  if (laid) at.keys = base + <usize>bytes;
  bytes += bytesOf(frame, frame.keyHeads, frame.keys, key);
  if (laid) at.values = base + <usize>bytes;
  bytes += bytesOf(frame, frame.valueHeads, frame.keys, value);
  if (laid) at.decays = base + <usize>bytes;
  if (frame.decaySize) bytes += bytesOf(frame, frame.valueHeads, frame.keys + 1, key);
  if (laid) at.betas = base + <usize>bytes;
  if (frame.delta) bytes += bytesOf(frame, frame.valueHeads, frame.keys, 1);
  if (laid) at.outputGradients = base + <usize>bytes;
  bytes += bytesOf(frame, frame.heads, frame.queries, value);
  if (laid) at.queryGradients = base + <usize>bytes;
  bytes += bytesOf(frame, frame.heads, frame.queries, key);
  if (laid) at.keyGradients = base + <usize>bytes;
  bytes += bytesOf(frame, frame.valueHeads, frame.keys, key);
  if (laid) at.valueGradients = base + <usize>bytes;
  bytes += bytesOf(frame, frame.valueHeads, frame.keys, value);
  if (laid) at.along = base + <usize>bytes;
  bytes += bytesOf(frame, frame.valueHeads, 1, key);
  if (!frame.delta) return bytes;
  if (laid) at.steps = base + <usize>bytes;
  bytes += bytesOf(frame, frame.valueHeads, frame.keys, key);
  if (laid) at.retrieved = base + <usize>bytes;
  bytes += bytesOf(frame, frame.valueHeads, frame.keys, key);
  if (laid) at.errors = base + <usize>bytes;
  bytes += bytesOf(frame, frame.valueHeads, frame.keys, value);
  return bytes;
}

/** Tokens of batch b that are taken in. */
// @ts-ignore: decorator
@inline
export function lengthOf(frame: LinearAttentionFrame, b: i32): i32 {
  return frame.keyLengths ? load<i32>(frame.keyLengths + ((<usize>b) << 2)) : frame.keys;
}
