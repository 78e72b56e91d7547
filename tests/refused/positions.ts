import { fromBfloat16, fromFloat16, toFloat16 } from "wasm-attention";
import {
  alibiSlopes,
  relativeBias,
  relativePositionBias,
  sinusoidalPositions,
} from "wasm-attention/positions";
import { type Call, none, q, type Refusal, zeros } from "./refusal";

const sinusoidal =
  (options: object): Call =>
  (attention) =>
    sinusoidalPositions(attention, options as never);
const bias =
  (options: object, table = zeros(32, 2)): Call =>
  () =>
    relativePositionBias(table, { queries: 3, keys: 4, ...options });

export const positionsRefused: Refusal[] = [
  ['sinusoidalPositions: "options" expected an object, got undefined', sinusoidal(none)],
  [
    'sinusoidalPositions: "size" expected an integer from 1, got 0',
    sinusoidal({ positions: 3, size: 0 }),
  ],
  [
    'sinusoidalPositions: "size" expected an even number with order "concatenated", got 3',
    sinusoidal({ positions: 3, size: 3, order: "concatenated" }),
  ],
  [
    'sinusoidalPositions: "size" expected fewer than 2³¹ elements, got 16777216·1000',
    sinusoidal({ positions: 2 ** 24, size: 1000 }),
  ],
  [
    'sinusoidalPositions: "order" expected "interleaved" or "concatenated", got "sin"',
    sinusoidal({ positions: 3, size: 4, order: "sin" }),
  ],
  [
    'sinusoidalPositions: "base" expected a finite float32 above 1, got 0',
    sinusoidal({ positions: 3, size: 4, base: 0 }),
  ],
  [
    'sinusoidalPositions: "positions" expected an integer from 0 to 2²⁴, got -1',
    sinusoidal({ positions: -1, size: 4 }),
  ],
  [
    'sinusoidalPositions: "positions" expected a number or an array of them, got undefined',
    sinusoidal({ size: 4 }),
  ],
  [
    'sinusoidalPositions: "positions[1]" expected a number from −2²⁴ to 2²⁴, got NaN',
    sinusoidal({ positions: [0, NaN], size: 4 }),
  ],

  ['alibiSlopes: "heads" expected an integer from 1, got 0', () => alibiSlopes(0)],
  ['alibiSlopes: "heads" expected an integer up to 2¹⁶, got 2000000000', () => alibiSlopes(2e9)],
  [
    'alibiSlopes: "maxBias" expected an integer from 1 to 128, got 0',
    () => alibiSlopes(8, { maxBias: 0 }),
  ],

  [
    'relativePositionBias: "table" expected a tensor { data, dims }, got null',
    bias({}, null as never),
  ],
  [
    'relativePositionBias: "table.dims" expected [buckets, H] with even buckets from 4, got [3, 2]',
    bias({}, zeros(3, 2)),
  ],
  [
    'relativePositionBias: "table.dims" expected [buckets, H] with buckets from 2, got [1, 2]',
    bias({ bidirectional: false }, zeros(1, 2)),
  ],
  ['relativePositionBias: "queries" expected an integer from 0, got -1', bias({ queries: -1 })],
  ['relativePositionBias: "keys" expected an integer from 0, got 1.5', bias({ keys: 1.5 })],
  [
    'relativePositionBias: "keys" expected fewer than 2³¹ elements, got 2·65536·65536',
    bias({ queries: 65536, keys: 65536 }),
  ],
  [
    'relativePositionBias: "queryOffset" expected an integer from −2³⁰ to 2³⁰, got NaN',
    bias({ queryOffset: NaN }),
  ],
  [
    'relativePositionBias: "maxDistance" expected an integer above 8, the distances with a bucket each, got 8',
    bias({ maxDistance: 8 }),
  ],
  ['relativePositionBias: "bidirectional" expected a boolean, got 1', bias({ bidirectional: 1 })],

  ['relativeBias: "bias" expected a tensor { data, dims }, got 3', () => relativeBias(3 as never)],
  [
    'relativeBias: "bias.dims" expected [2n − 1], [H, 2n − 1] or [B, H, 2n − 1], got [2, 4]',
    () => relativeBias(zeros(2, 4)),
  ],
  [
    'relativeBias: "queryOffset" expected an integer from −2³⁰ to 2³⁰, got 0.5',
    () => relativeBias(zeros(5), { queryOffset: 0.5 }),
  ],
  [
    'attend: "mask.bias.dims" expected [1 or 1, 2 or 1, 2n − 1], got [3, 7]',
    (a) => a.attend(q, q, q, { mask: relativeBias(zeros(3, 7)) }),
  ],
  [
    'attend: "mask[1].bias.dims" expected distances -3 to 3 in 2n − 1, got 5',
    (a) => a.attend(q, q, q, { mask: [relativeBias(zeros(7)), relativeBias(zeros(5))] }),
  ],
  [
    'attend: "mask.bias" expected one of data, dims, shorter, got an option that does not exist',
    (a) => a.attend(q, q, q, { mask: { ...relativeBias(zeros(7)) } as never }),
  ],

  [
    'fromFloat16: "bits" expected a Uint16Array, got Int16Array of 1',
    () => fromFloat16(new Int16Array(1) as never),
  ],
  ['fromBfloat16: "bits" expected a Uint16Array, got [1]', () => fromBfloat16([1] as never)],
  [
    'toFloat16: "values" expected a Float32Array, got Float64Array of 2',
    () => toFloat16(new Float64Array(2) as never),
  ],
];
