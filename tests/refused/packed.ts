import type { AttendState } from "wasm-attention";
import { attendPacked, mergeStates } from "wasm-attention";
import { type Call, none, type Refusal, zeros } from "./refusal";

const x = zeros(6, 2, 8);
const packed =
  (options: object, query = x, key = query, value = key): Call =>
  (attention) =>
    attendPacked(attention, query, key, value, options as never);
const offsets = (...cumulativeQueries: number[]) => packed({ cumulativeQueries });

const state: AttendState = { output: zeros(2, 4, 8), logSumExp: zeros(2, 4) };
const merge =
  (parts: unknown, options: object = {}): Call =>
  (attention) =>
    mergeStates(attention, parts as never, options);

export const packedRefused: Refusal[] = [
  ['attendPacked: "options" expected an object, got undefined', packed(none)],
  [
    'attendPacked: "query.dims" expected [T, H, D], got [6, 16]',
    packed({ cumulativeQueries: [0, 6] }, zeros(6, 16)),
  ],
  [
    'attendPacked: "key.dims" expected the query\'s rank, 3, got [6, 16]',
    packed({ cumulativeQueries: [0, 6] }, x, zeros(6, 16)),
  ],
  [
    'attendPacked: "cumulativeQueries" expected offsets from 0, one more than sequences, got undefined',
    packed({}),
  ],
  [
    'attendPacked: "cumulativeQueries" expected offsets from 0, one more than sequences, got []',
    offsets(),
  ],
  ['attendPacked: "cumulativeQueries[0]" expected 0, got 1', offsets(1, 6)],
  ['attendPacked: "cumulativeQueries[0]" expected 0 = the tokens given, 6, got 0', offsets(0)],
  [
    'attendPacked: "cumulativeQueries[2]" expected an integer from 4 to 6, got 3',
    offsets(0, 4, 3, 6),
  ],
  ['attendPacked: "cumulativeQueries[1]" expected an integer from 0 to 6, got 7', offsets(0, 7, 6)],
  [
    'attendPacked: "cumulativeQueries[1]" expected an integer from 0 to 6, got 1.5',
    offsets(0, 1.5, 6),
  ],
  [
    'attendPacked: "cumulativeQueries[1]" expected an integer from 0 to 6, got NaN',
    offsets(0, NaN, 6),
  ],
  [
    'attendPacked: "cumulativeQueries[2]" expected the number of tokens, 6, got 5',
    offsets(0, 2, 5),
  ],
  [
    'attendPacked: "cumulativeQueries[1]" expected the number of tokens, 6, got 2147483648',
    offsets(0, 2 ** 31),
  ],
  [
    'attendPacked: "cumulativeKeys" expected 3 offsets, as cumulativeQueries has, got 2',
    packed({ cumulativeQueries: [0, 2, 6], cumulativeKeys: [0, 6] }),
  ],
  [
    'attendPacked: "cumulativeKeys[1]" expected the number of tokens, 5, got 6',
    packed({ cumulativeQueries: [0, 6], cumulativeKeys: [0, 6] }, x, zeros(5, 2, 8)),
  ],
  [
    'attendPacked: "keyLengths" expected no value: sequences are laid end to end, got [6]',
    packed({ cumulativeQueries: [0, 6], keyLengths: [6] }),
  ],
  [
    'attendPacked: "weights" expected no value: sequences are laid end to end, got true',
    packed({ cumulativeQueries: [0, 6], weights: true }),
  ],
  [
    'attendPacked: "queryOffset" expected one integer, or one for each of 2 batches, got [1]',
    packed({ cumulativeQueries: [0, 2, 6], queryOffset: [1] }),
  ],
  [
    'attendPacked: "mask.dims" expected dims that broadcast over [B, H, L, S] = [2, 2, 4, 4], got [6, 6]',
    packed({ cumulativeQueries: [0, 2, 6], mask: { data: new Uint8Array(36), dims: [6, 6] } }),
  ],
  [
    'attendPacked: "out" expected 6·2·8 = 96 elements, got 95',
    packed({ cumulativeQueries: [0, 6], out: new Float32Array(95) }),
  ],

  ['mergeStates: "parts" expected an array of at least one part, got []', merge([])],
  [
    'mergeStates: "parts" expected an array of at least one part, got an object with {output, logSumExp}',
    merge(state),
  ],
  [
    'mergeStates: "parts[0].output" expected a tensor { data, dims }, got undefined',
    merge([undefined]),
  ],
  [
    'mergeStates: "parts[1].logSumExp" expected a tensor { data, dims }, got undefined',
    merge([state, { output: state.output }]),
  ],
  [
    'mergeStates: "parts[1].output.dims" expected [2, 4, 8], got [4, 2, 8]',
    merge([state, { ...state, output: zeros(4, 2, 8) }]),
  ],
  [
    'mergeStates: "parts[0].logSumExp.dims" expected [4, 2], got [2, 4]',
    merge([state], { layout: "BLHD" }),
  ],
  [
    'mergeStates: "layout" expected "BHLD", "BLHD" or "BLE", got "LHD"',
    merge([state], { layout: "LHD" }),
  ],
  [
    'mergeStates: "heads" expected no value with layout "BHLD", got 2',
    merge([state], { heads: 2 }),
  ],
  [
    'mergeStates: "parts[0].output.dims" expected rank 2 to 4, in full [B, H, L, D], got [8]',
    merge([{ ...state, output: zeros(8) }]),
  ],
  ['mergeStates: "out.dims" expected [2, 4, 8], got [8, 8]', merge([state], { out: zeros(8, 8) })],
];
