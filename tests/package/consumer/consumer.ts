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
import { alibiSlopes } from "wasm-attention/positions";
import module from "wasm-attention/relaxed.wasm";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <T extends true>(_same?: T) => {};

is<Same<typeof module, WebAssembly.Module>>();
is<Same<Attention["variant"], Variant>>();
is<Same<AttendResult["weights"], Tensor | undefined>>();
is<Same<ReturnType<typeof createAttention>, Promise<Attention>>>();

const options: AttentionOptions = { threads: "auto", module, worker: undefined };
const attention = await createAttention(options);
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
const kept: AllocatedTensor = attention.allocate(output.dims);
const packed: PreparedLinear = prepareLinear(attention, x, { order: "in,out" });
const config: LayerConfig = { heads: 1, keyValueHeads: undefined, biasKeyValue: undefined };
const square = tensor(new Float32Array(4), [2, 2]);
const layer = MultiHeadAttention.fromMatrices(
  attention,
  { wq: square, wk: square, wv: square, dense: square },
  config,
);
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
for (const own of [kept, packed, layer, attention]) own[Symbol.dispose]();
