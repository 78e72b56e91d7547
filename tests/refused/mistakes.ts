// What people type, and the whole message that they get.

import { attendPacked, MultiHeadAttention, mergeStates, prepareLinear } from "wasm-attention";
import {
  relativePositionBias,
  ropeFrequencies,
  rotate,
  sinusoidalPositions,
} from "wasm-attention/positions";
import { attendBackward, linearBackward } from "wasm-attention/training";
import { fromPyTorch } from "wasm-attention/weights";
import { createWhole, type Whole } from "../engines";
import { eyes } from "./multihead";
import { q, zeros } from "./refusal";

const x = zeros(4, 8);
type Mistake = readonly [
  call: (attention: Whole, layer: MultiHeadAttention) => unknown,
  message: string,
];

const attend =
  (options: object) =>
  (attention: Whole): unknown =>
    attention.attend(q, q, q, options as never);
export const unknown = "got an option that does not exist";
const [w24, w8] = [zeros(24, 8), zeros(8, 8)];
export const heads = { heads: 2 };

export const mistakes: Mistake[] = [
  [attend({ is_causal: true }), `attend: "is_causal" expected the name "causal", ${unknown}`],
  [attend({ isCausal: true }), `attend: "isCausal" expected the name "causal", ${unknown}`],
  [attend({ casual: true }), `attend: "casual" expected the name "causal", ${unknown}`],
  [attend({ attn_mask: q }), `attend: "attn_mask" expected the name "mask", ${unknown}`],
  [
    attend({ key_padding_mask: q }),
    'attend: "key_padding_mask" expected keyLengths, or a mask of dims [B, 1, 1, S] where 1 takes part ' +
      `(in PyTorch's 1 is left out), ${unknown}`,
  ],
  [
    attend({ enable_gqa: true }),
    `attend: "enable_gqa" expected nothing: heads are shared where the key has fewer, ${unknown}`,
  ],
  [
    attend({ signal: AbortSignal.abort() }),
    `attend: "signal" expected the …Async form of the call, ${unknown}`,
  ],
  [attend(q), 'attend: "options" expected an object, got a tensor'],
  [
    attend(new Map([["causal", true]])),
    'attend: "options" expected an object, got an object of kind Map',
  ],
  [
    attend(Promise.resolve({ causal: true })),
    'attend: "options" expected an object, got a Promise that was not awaited',
  ],
  [
    (a) => {
      using mask = a.allocate([4, 4]);
      return a.attend(q, q, q, mask as never);
    },
    'attend: "options" expected an object, got a tensor',
  ],
  [
    attend({
      mask: [
        [1, 0],
        [1, 1],
      ],
    }),
    'attend: "mask" expected a Uint8Array or Float32Array with dims, or a list of them, got [[1, 0], [1, 1]]',
  ],
  [
    attend({ mask: { data: Int32Array.of(0, 0, -1e9, 0), dims: [4] } }),
    'attend: "mask[2]" expected 0 or 1, or a Float32Array to add to the scores, got -1000000000',
  ],
  [
    (a) => a.attend(new ArrayBuffer(8) as never, q, q),
    'attend: "query" expected a tensor { data, dims }, got an object of kind ArrayBuffer',
  ],
  [
    (a) => attendBackward(a, q as never, q as never),
    'attendBackward: "options" expected an object, got a tensor',
  ],
  [
    (a) => attendBackward(a, q as never),
    'attendBackward: "pass" expected { query, key, value, output, logSumExp, outputGradient }, got a tensor',
  ],
  [
    (a) => attendBackward(a, { gradOutput: q } as never),
    `attendBackward: "pass.gradOutput" expected the name "outputGradient", ${unknown}`,
  ],
  [
    (_, layer) => layer.forward(x, x as never),
    'forward: "options" expected options; more inputs go first: { query, key, value }, got a tensor',
  ],
  [
    (_, layer) => layer.update({ query: w8 } as never),
    'update: "query" expected { weight, bias? }, got a tensor',
  ],
  [attend({ dropout_p: 0.1 }), `attend: "dropout_p" expected the name "dropout", ${unknown}`],
  [attend({ keyLength: [4] }), `attend: "keyLength" expected the name "keyLengths", ${unknown}`],
  [attend({ num_heads: 2 }), `attend: "num_heads" expected the name "heads", ${unknown}`],
  [
    attend({ num_kv_heads: 2 }),
    `attend: "num_kv_heads" expected the name "keyValueHeads", ${unknown}`,
  ],
  [attend({ softmax_scale: 1 }), `attend: "softmax_scale" expected the name "scale", ${unknown}`],
  [
    attend({ need_weights: true }),
    `attend: "need_weights" expected the name "weights", ${unknown}`,
  ],
  [attend({ window: [4, 4] }), 'attend: "window" expected { left?, right? }, got [4, 4]'],
  [
    attend({ window: { before: 4 } }),
    `attend: "window.before" expected the name "left", ${unknown}`,
  ],
  [attend({ window: 4 }), 'attend: "window" expected { left?, right? }, got 4'],
  [
    attend({ dropout: { p: 0.1, seed: 1 } }),
    `attend: "dropout.p" expected the name "probability", ${unknown}`,
  ],
  [
    attend({ alibi: { slope: [1, 1] } }),
    `attend: "alibi.slope" expected the name "slopes", ${unknown}`,
  ],
  [
    attend({ mask: { data: new Uint8Array(4), dims: [1, 4], sorter: true } }),
    `attend: "mask.sorter" expected the name "shorter", ${unknown}`,
  ],
  [
    attend({ blockMask: { data: new Uint8Array(1), dims: [1, 1, 1, 1], blockSize: 4 } }),
    `attend: "blockMask.blockSize" expected the name "size", ${unknown}`,
  ],
  [
    (a) => mergeStates(a, [], { inPlace: true } as never),
    `mergeStates: "inPlace" expected one of layout, heads, out, ${unknown}`,
  ],
  [
    (a) => a.attend(q, q, q, new Float32Array(2) as never),
    'attend: "options" expected an object, got Float32Array of 2',
  ],
  [
    (a) => rotate(a, q, { interleaved: true } as never),
    `rotate: "interleaved" expected the name "pairing", ${unknown}`,
  ],
  [
    (a) => rotate(a, q, { rope_theta: 500000 } as never),
    `rotate: "rope_theta" expected the name "base", ${unknown}`,
  ],
  [
    (a) => ropeFrequencies(a, { dimensions: 8, scaling: { type: "linear", factr: 2 } as never }),
    `ropeFrequencies: "scaling.factr" expected the name "factor", ${unknown}`,
  ],
  [
    (a) => sinusoidalPositions(a, { positions: 2, size: 4, bse: 3 } as never),
    `sinusoidalPositions: "bse" expected the name "base", ${unknown}`,
  ],
  [
    () => relativePositionBias(zeros(8, 2), { queries: 2, keys: 2, maxDist: 9 } as never),
    `relativePositionBias: "maxDist" expected the name "maxDistance", ${unknown}`,
  ],
  [
    (a) => prepareLinear(a, w8, { order: "in,out", biases: new Float32Array(8) } as never),
    `prepareLinear: "biases" expected the name "bias", ${unknown}`,
  ],
  [
    (a) =>
      attendPacked(a, zeros(4, 2, 8), zeros(4, 2, 8), zeros(4, 2, 8), {
        cu_seqlens_q: [0, 4],
      } as never),
    `attendPacked: "cu_seqlens_q" expected the name "cumulativeQueries", ${unknown}`,
  ],
  [
    (a) =>
      attendBackward(
        a,
        {
          ...{ output: q, logSumExp: zeros(1, 2, 4) },
          query: q,
          key: q,
          value: q,
          outputGradient: q,
        },
        {
          gradients: { biases: true },
        } as never,
      ),
    `attendBackward: "gradients.biases" expected one of mask, alibi, sinks, ${unknown}`,
  ],
  [
    (a) =>
      attendBackward(
        a,
        {
          ...{ output: q, logSumExp: zeros(1, 2, 4) },
          query: q,
          key: q,
          value: q,
          outputGradient: q,
        },
        {
          out: { queryGradient: q },
        } as never,
      ),
    `attendBackward: "out.queryGradient" expected the name "query", ${unknown}`,
  ],
  [
    (a) =>
      linearBackward(a, x, x, prepareLinear(a, w8, { order: "in,out" }), {
        gradients: { x: true },
      } as never),
    `linearBackward: "gradients.x" expected one of input, ${unknown}`,
  ],
  [
    (_, layer) => layer.forward(x, { rotary: true } as never),
    'forward: "rotary" expected an object, got true',
  ],
  [
    (_, layer) => layer.forward(x, { mask: new Uint8Array(3) }),
    'forward: "mask" expected L·S = 16 or B·H·L·S = 32 elements in a bare array, got 3; give { data, dims } to broadcast',
  ],
  [
    (_, layer) => layer.update({ query: { weights: w8 } } as never),
    `update: "query.weights" expected the name "weight", ${unknown}`,
  ],
  [
    (a) => new MultiHeadAttention(a, { numHeads: 2 } as never, eyes as never),
    `MultiHeadAttention: "config.numHeads" expected the name "heads", ${unknown}`,
  ],
  [
    () => new MultiHeadAttention(heads as never, eyes as never, undefined as never),
    'MultiHeadAttention: "attention" expected an engine, await createAttention(), as the first argument, got an object with {heads}',
  ],
  [
    () => MultiHeadAttention.fromMatrices(createWhole() as never, {} as never, heads),
    'fromMatrices: "attention" expected an engine, await createAttention(), as the first argument, got a Promise that was not awaited',
  ],
  [
    (a) => MultiHeadAttention.fromMatrices(a, { wq: w8, wk: w8, wv: w8, wo: w8 } as never, heads),
    `fromMatrices: "weights.wo" expected the name "dense", ${unknown}`,
  ],
  [
    (a) =>
      fromPyTorch(
        a,
        { "self_attn.in_proj_weight": w24, "self_attn.out_proj.weight": w8, "norm1.weight": x },
        heads,
      ),
    'fromPyTorch: "in_proj_weight" expected a tensor of this name, got none among the keys "self_attn.in_proj_weight", ' +
      '"self_attn.out_proj.weight", "norm1.weight": pass { prefix: "self_attn." }',
  ],
  [
    (a) =>
      fromPyTorch(a, { in_proj_weight: w24, "out_proj.weight": w8, "q_norm.weight": x }, heads),
    'fromPyTorch: "q_norm.weight" expected no such weight: the layer has no place for it, got an object with {data, dims}',
  ],
  [
    (a) =>
      fromPyTorch(
        a,
        new Map([
          ["q_proj.weight", w8],
          ["o_proj.weight", w8],
        ]),
        heads,
      ),
    'fromPyTorch: "k_proj.weight" expected a tensor of this name, got none among the keys "q_proj.weight", "o_proj.weight"',
  ],
  [
    (a) => fromPyTorch(a, { in_proj_weight: w24, "out_proj.weight": zeros(8, 9) }, heads),
    'fromPyTorch: "output" expected a weight from H·Dv = 8 inputs, got 9',
  ],
];
