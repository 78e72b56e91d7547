import { ropeFrequencies, rotate } from "wasm-attention/positions";
import { type Call, none, q, type Refusal, zeros } from "./refusal";

const rotated =
  (options: object, x = q): Call =>
  (attention) =>
    rotate(attention, x, options);
const frequencies =
  (options: object): Call =>
  (attention) =>
    ropeFrequencies(attention, options as never);
const scaling = (given: object) => frequencies({ dimensions: 8, scaling: given });
const yarn = { type: "yarn", factor: 2, originalMaxPositionEmbeddings: 64 };
const llama3 = { ...yarn, type: "llama3", lowFreqFactor: 1, highFreqFactor: 4 };

export const rotaryRefused: Refusal[] = [
  ['rotate: "x" expected a tensor { data, dims }, got 3', rotated({}, 3 as never)],
  ['rotate: "x.dims" expected rank 2 to 4, in full [B, H, L, D], got [8]', rotated({}, zeros(8))],
  [
    'rotate: "x.dims" expected an even D, or dimensions for a part of it, got D = 7',
    rotated({}, zeros(2, 7)),
  ],
  ['rotate: "layout" expected "BHLD", "BLHD" or "BLE", got "NHD"', rotated({ layout: "NHD" })],
  [
    'rotate: "heads" expected their number with layout "BLE", got undefined',
    rotated({ layout: "BLE" }, zeros(2, 8)),
  ],
  ['rotate: "pairing" expected "half" or "interleaved", got true', rotated({ pairing: true })],
  [
    'rotate: "attentionFactor" expected a finite number, got NaN',
    rotated({ attentionFactor: NaN }),
  ],
  ['rotate: "dimensions" expected an integer from 1, got -2', rotated({ dimensions: -2 })],
  ['rotate: "dimensions" expected an even number up to D = 8, got 3', rotated({ dimensions: 3 })],
  ['rotate: "dimensions" expected an even number up to D = 8, got 10', rotated({ dimensions: 10 })],
  [
    'rotate: "base" expected one of caches, frequencies and base, got frequencies, base',
    rotated({ base: 10, frequencies: new Float32Array(4) }),
  ],
  ['rotate: "base" expected a finite float32 above 1, got 1', rotated({ base: 1 })],
  ['rotate: "base" expected a finite float32 above 1, got 1e+300', rotated({ base: 1e300 })],
  ['rotate: "frequencies" expected a Float32Array, got [1, 2]', rotated({ frequencies: [1, 2] })],
  [
    'rotate: "frequencies" expected dimensions / 2 = 4 elements, got 3',
    rotated({ dimensions: 8, frequencies: new Float32Array(3) }),
  ],
  [
    'rotate: "frequencies" expected from 1 to D / 2 = 4 pairs, got 5',
    rotated({ frequencies: new Float32Array(5) }),
  ],
  ['rotate: "sin" expected a tensor { data, dims }, got undefined', rotated({ cos: zeros(9, 4) })],
  ['rotate: "cos" expected a tensor { data, dims }, got undefined', rotated({ sin: zeros(9, 4) })],
  [
    'rotate: "cos.dims" expected [positions, pairs] or [B, L, pairs] with B = 1 and L = 4, got [9]',
    rotated({ cos: zeros(9), sin: zeros(9) }),
  ],
  [
    'rotate: "cos.dims" expected [positions, pairs] or [B, L, pairs] with B = 1 and L = 4, got [1, 5, 4]',
    rotated({ cos: zeros(1, 5, 4), sin: zeros(1, 5, 4) }),
  ],
  [
    'rotate: "sin.dims" expected those of cos, [9, 4], got [4, 9]',
    rotated({ cos: zeros(9, 4), sin: zeros(4, 9) }),
  ],
  [
    'rotate: "cos.dims" expected from 1 to D / 2 = 4 pairs, got 8',
    rotated({ cos: zeros(9, 8), sin: zeros(9, 8) }),
  ],
  [
    'rotate: "cos.dims" expected dimensions / 2 = 2 pairs, got 4',
    rotated({ cos: zeros(9, 4), sin: zeros(9, 4), dimensions: 4 }),
  ],
  [
    'rotate: "positions" expected no value with caches [B, L, pairs], got 0',
    rotated({ cos: zeros(1, 4, 4), sin: zeros(1, 4, 4), positions: 0 }),
  ],
  [
    'rotate: "positions" expected a number, or [B] = 1, [L] = 4 or [B, L] = 4 integers, got [1, 2, 3]',
    rotated({ positions: [1, 2, 3] }),
  ],
  [
    'rotate: "positions" expected a number, or [2, B] = 2, [2, L] = 8 or [2, B, L] = 8 integers, got [0, 1, 2, 3]',
    rotated({ positions: [0, 1, 2, 3], sections: { sizes: [2, 2] } }),
  ],
  [
    'rotate: "positions[1]" expected an integer from −2²⁴ to 2²⁴, got 1.5',
    rotated({ positions: [0, 1.5, 2, 3] }),
  ],
  [
    'rotate: "positions" expected an integer from −2²⁴ to 2²⁴, got NaN',
    rotated({ positions: NaN }),
  ],
  [
    'rotate: "positions" expected an integer from −2²⁴ to 2²⁴, got 2147483648',
    rotated({ positions: 2 ** 31 }),
  ],
  [
    'rotate: "positions[3]" expected a row of the cache, 0 to 8, got 9',
    rotated({ cos: zeros(9, 4), sin: zeros(9, 4), positions: [0, 1, 2, 9] }),
  ],
  [
    'rotate: "positions" expected a row of the cache, 0 to 8, got 9',
    rotated({ cos: zeros(9, 4), sin: zeros(9, 4), positions: 6 }),
  ],
  [
    'rotate: "positions[0]" expected a row of the cache, 0 to 8, got 0.5',
    rotated({ cos: zeros(9, 4), sin: zeros(9, 4), positions: [0.5, 1, 1, 1], outOfRange: "pass" }),
  ],
  ['rotate: "outOfRange" expected "error" or "pass", got "wrap"', rotated({ outOfRange: "wrap" })],
  [
    'rotate: "sections.sizes" expected an array of 1 to 255 sizes, got []',
    rotated({ sections: { sizes: [] } }),
  ],
  [
    'rotate: "sections.sizes[1]" expected an integer from 0, got -1',
    rotated({ sections: { sizes: [5, -1] } }),
  ],
  [
    'rotate: "sections.sizes" expected 4 pairs together, got 3',
    rotated({ sections: { sizes: [1, 2] } }),
  ],
  ['rotate: "out" expected 1·2·4·8 = 64 elements, got 1', rotated({ out: new Float32Array(1) })],

  ['ropeFrequencies: "options" expected an object, got undefined', frequencies(none)],
  ['ropeFrequencies: "dimensions" expected an even number, got 7', frequencies({ dimensions: 7 })],
  [
    'ropeFrequencies: "dimensions" expected an integer from 1, got 2147483648',
    frequencies({ dimensions: 2 ** 31 }),
  ],
  [
    'ropeFrequencies: "base" expected a finite float32 above 1, got NaN',
    frequencies({ dimensions: 8, base: NaN }),
  ],
  [
    'ropeFrequencies: "scaling.type" expected "linear", "dynamic", "yarn" or "llama3", got "ntk"',
    scaling({ type: "ntk" }),
  ],
  [
    'ropeFrequencies: "scaling.type" expected "linear", "dynamic", "yarn" or "llama3", got undefined',
    scaling(null as never),
  ],
  [
    'ropeFrequencies: "scaling.factor" expected a finite float32 above 0, got 0',
    scaling({ type: "linear", factor: 0 }),
  ],
  [
    'ropeFrequencies: "scaling.length" expected a finite float32 above 0, got undefined',
    scaling({ ...yarn, type: "dynamic" }),
  ],
  [
    'ropeFrequencies: "scaling.betaFast" expected a finite float32 above 0, got -1',
    scaling({ ...yarn, betaFast: -1 }),
  ],
  [
    'ropeFrequencies: "scaling.truncate" expected a boolean, got 1',
    scaling({ ...yarn, truncate: 1 }),
  ],
  [
    'ropeFrequencies: "scaling.highFreqFactor" expected more than lowFreqFactor = 1, got 0.5',
    scaling({ ...llama3, highFreqFactor: 0.5 }),
  ],
];
