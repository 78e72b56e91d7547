// What a model's weights are made into.

import {
  type Attention,
  linear,
  type MultiHeadAttention,
  type PreparedLinear,
  type Projection,
  prepareLinear,
  type Tensor,
} from "wasm-attention";
import { factorize, lowRankLinear, quantizeLayer } from "wasm-attention/compress";
import { prepareQuantized } from "wasm-attention/quantized";
import type { Product } from "../semantic-search/encoder";

export interface Form {
  readonly name: string;
  /** Of every matrix; float32 without. */
  readonly numbers?: "int8" | "int4" | undefined;
  readonly activations?: "int8" | undefined;
  /** Heads without which each attention is left. */
  readonly pruned?: number;
  /** The rank of the feed-forward part's matrices, as a share of the smaller of their sizes. */
  readonly rank?: number;
}

export const FORMS: readonly Form[] = [
  { name: "float32" },
  { name: "int8", numbers: "int8" },
  { name: "int8, inputs too", numbers: "int8", activations: "int8" },
  { name: "int4", numbers: "int4" },
  { name: "one head less", pruned: 1 },
  { name: "rank 1/2", rank: 1 / 2 },
  { name: "one head less, int8", pruned: 1, numbers: "int8" },
];

export function productOf(
  attention: Attention<"quantized">,
  projection: Projection,
  { numbers, activations }: Form,
): Product {
  const prepared = preparedOf(attention, projection, { name: "", numbers, activations });
  const product = (x: Tensor) => linear(attention, x, prepared);
  return Object.assign(product, { dispose: () => prepared.dispose() });
}

/** The same, or of two factors where the form has a rank. */
export function factoredOf(
  attention: Attention<"quantized">,
  projection: Projection,
  form: Form,
): Product {
  if (!form.rank) return productOf(attention, projection, form);
  const { weight, order, bias } = projection;
  const rank = Math.ceil(Math.min(...weight.dims) * form.rank);
  const { left, right } = factorize(weight, rank);
  // x · W is x · left · right, x · Wᵀ is x · rightᵀ · leftᵀ.
  const [one, other] = order === "in,out" ? [left, right] : [right, left];
  const first = preparedOf(attention, { weight: one, order }, form);
  const second = preparedOf(attention, { weight: other, order, bias }, form);
  const product = (x: Tensor) => lowRankLinear(attention, x, first, second);
  const dispose = () => {
    first.dispose();
    second.dispose();
  };
  return Object.assign(product, { dispose });
}

function preparedOf(
  attention: Attention<"quantized">,
  { weight, order, bias }: Projection,
  { numbers, activations }: Form,
): PreparedLinear {
  if (!numbers) return prepareLinear(attention, weight, { order, bias });
  return prepareQuantized(attention, weight, { numbers, activations, order, bias });
}

/** Takes the place of `layer`, which is disposed where another is made of it. */
export function layerOf(layer: MultiHeadAttention, { numbers, activations }: Form) {
  if (!numbers) return layer;
  const made = quantizeLayer(layer, { numbers, activations });
  layer.dispose();
  return made;
}
