// A user's module: every kind of name, with the types it is meant to have.

import {
  type AllocatedTensor,
  ArgumentError,
  type AttendOptions,
  type AttendResult,
  type Attention,
  AttentionError,
  type AttentionOptions,
  createAttention,
  type LayerConfig,
  MultiHeadAttention,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
  tensor,
  type Variant,
} from "wasm-attention";
import { alibiSlopes, positions, type RotateOptions, rotate } from "wasm-attention/positions";
import positionsModule from "wasm-attention/positions/relaxed.wasm";
import module from "wasm-attention/relaxed.wasm";
import {
  type AttendGradients,
  attendBackward,
  type LayerGradients,
  multiHeadBackward,
  training,
} from "wasm-attention/training";
import trainingModule from "wasm-attention/training/relaxed.wasm";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <T extends true>(_same?: T) => {};

is<Same<typeof module, WebAssembly.Module>>();
is<Same<Attention["variant"], Variant>>();
is<Same<AttendResult["weights"], Tensor | undefined>>();

const options: AttentionOptions = { threads: "auto", module, worker: undefined };
const plain: Attention = await createAttention(options);
const attention = await createAttention({
  module: { core: module, positions: positionsModule, training: trainingModule },
  extensions: [positions, training],
});
is<Same<typeof attention, Attention<"positions" | "training">>>();
const wanted: AttendOptions = {
  causal: "lower-right",
  mask: { data: new Uint8Array(4), dims: [2, 2], shorter: undefined },
  window: { left: 1, right: undefined },
  alibi: { slopes: alibiSlopes(2, { maxBias: undefined }) },
  scoreMod: ({ scores }) => scores.fill(0),
  out: undefined,
};
const x: Tensor = tensor(new Float32Array(4), [1, 1, 2, 2]);
const { output, weights }: AttendResult = attention.attend(x, x, x, wanted);
const sure = attention.attend(x, x, x, { logSumExp: true, weights: "mean" });
is<Same<typeof sure.logSumExp, Tensor>>();
is<Same<typeof sure.weights, Tensor>>();
const turning: RotateOptions = { base: 5e5, heads: undefined };
is<Same<ReturnType<typeof rotate>, Tensor>>();
const rotated: Tensor = rotate(attention, x, turning);
const { queryGradient }: AttendGradients = attendBackward(
  attention,
  { query: rotated, key: x, value: x, ...sure, outputGradient: x },
  { causal: true },
);
const allocated: AllocatedTensor = attention.allocate(output.dims);
const packed: PreparedLinear = prepareLinear(attention, x, { order: "in,out" });
const config: LayerConfig = { heads: 1, keyValueHeads: undefined, appended: undefined };
const square = tensor(new Float32Array(4), [2, 2]);
const layer = MultiHeadAttention.fromMatrices(
  attention,
  { wq: square, wk: square, wv: square, dense: square },
  config,
);
const recorded = layer.forward({ query: x, key: x, value: x }, { record: true });
const gradients: LayerGradients = multiHeadBackward(layer, recorded.output, recorded.record);
try {
  const later = await layer.forwardAsync(x, {
    signal: new AbortController().signal,
  });
  is<Same<typeof later.output, Tensor>>();
} catch (error) {
  if (error instanceof ArgumentError) is<Same<typeof error.received, string>>();
  if (!(error instanceof AttentionError)) throw error;
}
{
  using scoped = attention.allocate([2, weights?.dims[0] ?? 1]);
  scoped.data.fill(0);
}
console.log(queryGradient?.dims, gradients);
for (const own of [allocated, packed, layer, attention, plain]) own[Symbol.dispose]();
