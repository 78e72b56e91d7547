// Layers made of attentions and other weights, as those of a transformer in wasm-attention/blocks, for who makes
// one of another, as wasm-attention/compress. Where entries are files of their own, a class of one room is not
// that of another's copy; this list is the same for all.

import type { Attention } from "../attend/attention";
import type {
  DecoderLayerWeights,
  EncoderLayerWeights,
  NormWeights,
  TransformerConfig,
} from "../blocks/layer-options";
import type { PreparedLinear } from "../linear/prepared";
import type { LayerParts } from "./forward";

/** What a layer is made of. */
export interface Composition {
  readonly attention: Attention<"blocks">;
  readonly config: TransformerConfig;
  readonly attentions: {
    readonly selfAttention: LayerParts;
    readonly crossAttention?: LayerParts;
  };
  readonly linears: Readonly<Partial<Record<"linear1" | "gate" | "linear2", PreparedLinear>>>;
  readonly norms: Readonly<Record<string, NormWeights>>;
}

export interface Composed {
  /** @throws DisposedError */
  parts(operation: string): Composition;
  /** A layer of the same kind, as its constructor makes it. */
  again(operation: string, config: TransformerConfig, weights: ComposedWeights): Ending;
}

export type ComposedWeights = EncoderLayerWeights & Partial<DecoderLayerWeights>;

interface Ending {
  dispose(): void;
}

const composed = new WeakMap<object, Composed>();

export function compose(layer: object, how: Composed): void {
  composed.set(layer, how);
}

export function composedOf(value: unknown): Composed | undefined {
  return typeof value === "object" && value !== null ? composed.get(value) : undefined;
}
