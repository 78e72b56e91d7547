// Layers that can be made smaller: the attention alone, and those of a transformer.

import type { TransformerDecoderLayer, TransformerEncoderLayer } from "../blocks/index";
import { ArgumentError, describe } from "../errors";
import type { ComposedWeights, Composition } from "../layer/composed";
import type { LayerParts } from "../layer/forward";
import { MultiHeadAttention } from "../layer/multihead";
import type { LayerProjections, Projection } from "../layer/projections";
import type { PreparedLinear } from "../linear/prepared";

export type Smaller = MultiHeadAttention | TransformerEncoderLayer | TransformerDecoderLayer;

/** @throws ArgumentError for what is no layer. */
export function checkHeads(operation: string, value: unknown): LayerParts {
  const layer = MultiHeadAttention.from(value);
  if (layer) return layer.parts(operation);
  const expected = "a MultiHeadAttention, TransformerEncoderLayer or TransformerDecoderLayer";
  throw new ArgumentError(operation, "layer", expected, describe(value));
}

/** What each part becomes, by its name. */
export interface Change {
  attention(parts: LayerParts, role: "selfAttention" | "crossAttention"): LayerProjections;
  linear(prepared: PreparedLinear, name: string): PreparedLinear | Projection;
}

/** A transformer's layer's weights, changed; its norms as they are. */
export function compositionOf(
  { attentions: { selfAttention, crossAttention }, linears, norms }: Composition,
  change: Change,
): ComposedWeights {
  const parts = {
    selfAttention: change.attention(selfAttention, "selfAttention"),
    ...(crossAttention && {
      crossAttention: change.attention(crossAttention, "crossAttention"),
    }),
    ...Object.fromEntries(
      Object.entries(linears).map(([name, linear]) => [name, change.linear(linear, name)]),
    ),
    ...norms,
  };
  return parts as unknown as ComposedWeights;
}
