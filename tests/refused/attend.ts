import { type Call, q, type Refusal, zeros } from "./refusal";

const attend =
  (options: object, query = q, key = query, value = key): Call =>
  (attention) =>
    attention.attend(query, key, value, options);

export const attendRefused: Refusal[] = [
  ['attend: "query" expected a tensor { data, dims }, got 3', attend({}, 3 as never)],
  [
    'attend: "key" expected a tensor, as tensor(data, dims) makes, got Float32Array of 2',
    attend({}, q, new Float32Array(2) as never),
  ],
  ['attend: "value" expected a tensor { data, dims }, got null', attend({}, q, q, null as never)],
  [
    'attend: "key.dims" expected an array of sizes, got "8"',
    attend({}, q, { data: q.data, dims: "8" as never }),
  ],
  [
    'attend: "key" expected B·Hkv·S·D = 1·2·3·8 = 48 elements, got 64',
    attend({}, q, { data: q.data, dims: [1, 2, 3, 8] }),
  ],
  [
    'attend: "key" expected a Float32Array, got Float64Array of 1',
    attend({}, q, { data: new Float64Array(1) as never, dims: [1] }),
  ],
  ['attend: "layout" expected "BHLD", "BLHD" or "BLE", got "BSH"', attend({ layout: "BSH" })],
  ['attend: "heads" expected no value with layout "BHLD", got 2', attend({ heads: 2 })],
  [
    'attend: "keyValueHeads" expected no value with layout "BLHD", got 2',
    attend({ layout: "BLHD", keyValueHeads: 2 }),
  ],
  [
    'attend: "heads" expected their number with layout "BLE", got undefined',
    attend({ layout: "BLE" }, zeros(1, 4, 8)),
  ],
  [
    'attend: "keyValueHeads" expected an integer from 1, got 0',
    attend({ layout: "BLE", heads: 2, keyValueHeads: 0 }, zeros(1, 4, 8)),
  ],
  ['attend: "key.dims" expected the query\'s rank, 4, got [4, 8]', attend({}, q, zeros(4, 8))],
  [
    'attend: "query.dims" expected rank 2 to 4, in full [B, H, L, D], got [8]',
    attend({}, zeros(8)),
  ],
  [
    'attend: "query.dims" expected rank 2 to 3, in full [B, L, H·D], got [1, 2, 4, 8]',
    attend({ layout: "BLE", heads: 2 }),
  ],
  [
    'attend: "query.dims" expected a last axis divisible by 3 heads, got [4, 8]',
    attend({ layout: "BLE", heads: 3 }, zeros(4, 8)),
  ],
  [
    'attend: "query.dims" expected a last axis of at least 1, got [1, 2, 4, 0]',
    attend({}, zeros(1, 2, 4, 0)),
  ],
  [
    'attend: "query.dims" expected at least one head, got [1, 0, 4, 8]',
    attend({}, zeros(1, 0, 4, 8)),
  ],
  [
    'attend: "key.dims" expected [B, Hkv, S, D] with B = 1, got B = 2 in [2, 2, 4, 8]',
    attend({}, q, zeros(2, 2, 4, 8)),
  ],
  [
    'attend: "key.dims" expected [B, Hkv, S, D] with D = 8, got D = 7 in [1, 2, 4, 7]',
    attend({}, q, zeros(1, 2, 4, 7)),
  ],
  [
    'attend: "value.dims" expected [B, Hkv, S, Dv] with S = 4, got S = 5 in [1, 2, 5, 8]',
    attend({}, q, q, zeros(1, 2, 5, 8)),
  ],
  [
    'attend: "value.dims" expected [B, Hkv, S, Dv] with Hkv = 2, got Hkv = 1 in [1, 1, 4, 8]',
    attend({}, q, q, zeros(1, 1, 4, 8)),
  ],
  [
    'attend: "key.dims" expected Hkv to divide H = 2, got Hkv = 3 in [1, 3, 4, 8]',
    attend({}, q, zeros(1, 3, 4, 8)),
  ],
  ['attend: "scale" expected a finite number, got NaN', attend({ scale: NaN })],
  ['attend: "scale" expected a finite number, got 1e+300', attend({ scale: 1e300 })],
  [
    'attend: "causal" expected a boolean, "upper-left" or "lower-right", got "bottom-right"',
    attend({ causal: "bottom-right" }),
  ],
  [
    'attend: "queryOffset" expected no value with causal "lower-right", which is keys − queries of each batch, got 0',
    attend({ causal: "lower-right", queryOffset: 0 }),
  ],
  [
    'attend: "queryOffset[0]" expected an integer from -1073741824 to 1073741824, got 0.5',
    attend({ queryOffset: 0.5 }),
  ],
  [
    'attend: "keyLengths" expected one integer for each of 1 batches, got [4, 4]',
    attend({ keyLengths: [4, 4] }),
  ],
  ['attend: "keyLengths[0]" expected an integer from 0 to 4, got 5', attend({ keyLengths: [5] })],
  [
    'attend: "queryLengths" expected one integer for each of 1 batches, got 4',
    attend({ queryLengths: 4 }),
  ],
  [
    'attend: "queryLengths[0]" expected an integer from 0 to 4, got -1',
    attend({ queryLengths: [-1] }),
  ],
  [
    'attend: "mask" expected L·S = 16 or B·H·L·S = 32 elements in a bare array, got 4; give { data, dims } to broadcast',
    attend({ mask: new Float32Array(4) }),
  ],
  [
    'attend: "mask.data" expected a Float32Array (additive), or a Uint8Array, Int32Array or BigInt64Array (1 takes part), got [1]',
    attend({ mask: { data: [1], dims: [1] } }),
  ],
  [
    'attend: "mask" expected a Float32Array (additive), or a Uint8Array, Int32Array or BigInt64Array (1 takes part), got Uint16Array of 16',
    attend({ mask: new Uint16Array(16) }),
  ],
  [
    'attend: "mask" expected 4·4 = 16 elements, got 4',
    attend({ mask: { data: new Uint8Array(4), dims: [4, 4] } }),
  ],
  [
    'attend: "mask.dims" expected dims that broadcast over [B, H, L, S] = [1, 2, 4, 4], got [3, 1, 1]',
    attend({ mask: { data: new Uint8Array(3), dims: [3, 1, 1] } }),
  ],
  [
    'attend: "mask.dims" expected dims that broadcast over [B, H, L, S] = [2, 3, 4, 5], as [B, L, S] does as [B, 1, L, S], got [2, 4, 5]',
    attend(
      { mask: { data: new Uint8Array(40), dims: [2, 4, 5] } },
      zeros(2, 3, 4, 8),
      zeros(2, 3, 5, 8),
    ),
  ],
  [
    'attend: "mask.dims" expected dims that broadcast over [B, H, L, S] = [2, 3, 4, 5], as [B, S] does as [B, 1, 1, S], got [2, 5]',
    attend(
      { mask: { data: new Uint8Array(10), dims: [2, 5] } },
      zeros(2, 3, 4, 8),
      zeros(2, 3, 5, 8),
    ),
  ],
  [
    'attend: "mask.dims" expected dims that broadcast over [B, H, L, S] = [2, 3, 4, 5], got [6, 5, 4]',
    attend(
      { mask: { data: new Uint8Array(120), dims: [6, 5, 4] } },
      zeros(2, 3, 4, 8),
      zeros(2, 3, 5, 8),
    ),
  ],
  [
    'attend: "mask" expected at most 8 masks in a list, got 9',
    attend({ mask: Array(9).fill(new Uint8Array(16)) }),
  ],
  [
    'attend: "mask" expected a Uint8Array or Float32Array with dims, or a list of them, got [true, false]',
    attend({ mask: [true, false] }),
  ],
  [
    'attend: "mask[1]" expected a mask { data, dims }, got undefined',
    attend({ mask: [new Uint8Array(16), undefined] }),
  ],
  [
    'attend: "mask[1]" expected 4·4 = 16 elements, got 4',
    attend({ mask: [new Uint8Array(16), { data: new Uint8Array(4), dims: [4, 4] }] }),
  ],
  [
    'attend: "mask[1].shorter" expected a boolean, got 1',
    attend({ mask: [new Uint8Array(16), { data: new Uint8Array(4), dims: [4], shorter: 1 }] }),
  ],
  [
    'attend: "mask[0]" expected L·S = 16 or B·H·L·S = 32 elements in a bare array, got 4; give { data, dims } to broadcast',
    attend({ mask: [new Float32Array(4)] }),
  ],
  ['attend: "weights" expected a boolean or "mean", got "sum"', attend({ weights: "sum" })],
  ['attend: "out" expected 1·2·4·8 = 64 elements, got 63', attend({ out: new Float32Array(63) })],
  [
    'attend: "out.dims" expected [1, 2, 4, 8], got [2, 1, 4, 8]',
    attend({ out: zeros(2, 1, 4, 8) }),
  ],

  ['attend: "softcap" expected a finite number from 0, got -1', attend({ softcap: -1 })],
  ['attend: "softcap" expected a finite number from 0, got NaN', attend({ softcap: NaN })],
  ['attend: "window" expected { left?, right? }, got 3', attend({ window: 3 })],
  [
    'attend: "window.left" expected an integer from 0 to 1073741824, or no value for no limit, got -1',
    attend({ window: { left: -1 } }),
  ],
  [
    'attend: "window.right" expected an integer from 0 to 1073741824, or no value for no limit, got 2147483648',
    attend({ window: { right: 2 ** 31 } }),
  ],
  ['attend: "alibi" expected { slopes, distance? }, got 3', attend({ alibi: 3 })],
  [
    'attend: "alibi.slopes" expected 2 numbers, one for each head, got undefined',
    attend({ alibi: {} }),
  ],
  [
    'attend: "alibi.slopes" expected 2 numbers, one for each head, got [1, 2, 3]',
    attend({ alibi: { slopes: [1, 2, 3] } }),
  ],
  [
    'attend: "alibi.slopes[1]" expected a finite number, got NaN',
    attend({ alibi: { slopes: [1, NaN] } }),
  ],
  [
    'attend: "alibi.distance" expected "absolute", "signed" or "key", got "relative"',
    attend({ alibi: { slopes: [1, 2], distance: "relative" } }),
  ],
  ['attend: "sinks" expected 2 numbers, one for each head, got 0', attend({ sinks: 0 })],
  ['attend: "sinks" expected 2 numbers, one for each head, got [1]', attend({ sinks: [1] })],
  [
    'attend: "sinks[0]" expected a finite number or −Infinity, got Infinity',
    attend({ sinks: [Infinity, 0] }),
  ],
  ['attend: "scoreMod" expected a function, got "tanh"', attend({ scoreMod: "tanh" })],
  [
    'attend: "scores" expected "raw", "capped", "biased" or "probabilities", got true',
    attend({ scores: true }),
  ],
  [
    'attend: "weights" expected true or no value with scores "probabilities", got "mean"',
    attend({ scores: "probabilities", weights: "mean" }),
  ],
  ['attend: "logSumExp" expected a boolean, got 1', attend({ logSumExp: 1 })],
  ['attend: "blockMask" expected { data, dims, size }, got 3', attend({ blockMask: 3 })],
  [
    'attend: "blockMask.data" expected a Uint8Array (1 takes part), got undefined',
    attend({ blockMask: {} }),
  ],
  [
    'attend: "blockMask.size" expected an integer from 1, got 0',
    attend({ blockMask: { data: new Uint8Array(1), dims: [1, 1, 1, 1], size: 0 } }),
  ],
  [
    'attend: "blockMask.dims" expected [B|1, H|1, ⌈L/size⌉, ⌈S/size⌉] = [1, 2, 2, 2], got [1, 1, 1, 1]',
    attend({ blockMask: { data: new Uint8Array(1), dims: [1, 1, 1, 1], size: 3 } }),
  ],
  [
    'attend: "blockMask.data" expected 1·1·2·2 = 4 elements, got 3',
    attend({ blockMask: { data: new Uint8Array(3), dims: [1, 1, 2, 2], size: 3 } }),
  ],
  ['attend: "options" expected an object, got null', attend(null as never)],
  ['attend: "options" expected an object, got "causal"', attend("causal" as never)],
];
