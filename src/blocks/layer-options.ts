// What a transformer's layer is made of, and the options of its passes, as a caller writes them.

import { type Abortable, type Returned, scoreFields } from "../attend/options";
import { reader } from "../check/names";
import type { LayerOptions } from "../layer/options";
import type { LayerProjections, LayerWeights, Projection } from "../layer/projections";
import type { Update } from "../layer/sizes";
import type { PreparedLinear } from "../linear/prepared";
import type { Tensor } from "../tensor/tensor";
import type { ProjectionGradients } from "../training/layer-options";
import type { Activation } from "./activate";
import type { TransformerRecord } from "./layer-record";

/** The form of a layer. Defaults are those of PyTorch's `nn.TransformerEncoderLayer`. */
export interface TransformerConfig {
  /** Query heads H. */
  heads: number;
  /** Key and value heads of the self-attention, a divisor of `heads`; `heads` by default. */
  keyValueHeads?: number | undefined;
  /** Query heads of a decoder's cross-attention, where `pruneHeads` has left another number; `heads` by default. */
  crossHeads?: number | undefined;
  /** Of the feed-forward part; `"relu"` by default. */
  activation?: Activation | undefined;
  /** `"layerNorm"` by default. */
  norm?: "layerNorm" | "rmsNorm" | undefined;
  /** x + f(norm(x)) instead of norm(x + f(x)); false by default. */
  normFirst?: boolean | undefined;
  /** Of the norms; 1e-5 by default. */
  eps?: number | undefined;
  /** What scores of both attentions are multiplied by, unless a call says so; 1/√D by default, in T5 1. */
  scale?: number | undefined;
}

/** The form of a layer, and where its weights lie in a state dict. */
export interface PrefixedConfig extends TransformerConfig {
  /** What the names of this layer's weights begin with: `"encoder.layers.0."`. */
  readonly prefix?: string | undefined;
}

/** Models of Hugging Face's transformers whose layers are read by name. */
export type TransformersModel = "bert" | "vit" | "bart" | "t5" | "gpt2" | "llama";

/** Whose layer it is, and what differs from the form that `model` implies. */
export interface TransformersConfig extends PrefixedConfig {
  /** Whose names the weights have; a decoder's are `"bart"` or `"t5"`. */
  readonly model: TransformersModel;
}

/** Factors and addends of a norm, [E] each; 1 and 0 where they are left out. */
export interface NormWeights {
  /** What the normalised row is multiplied by. */
  readonly weight?: Float32Array | Tensor | undefined;
  /** What is added then. */
  readonly bias?: Float32Array | Tensor | undefined;
}

/**
 * The parameters of an encoder layer; names as PyTorch has them. Weights that are prepared already, by
 * `prepareQuantized` for example, stay their maker's to dispose.
 */
export interface EncoderLayerWeights {
  /** Four projections of [E]. */
  readonly selfAttention: LayerProjections;
  /** [E] → [hidden] */
  readonly linear1: Projection | PreparedLinear;
  /** [E] → [hidden]: the hidden row is linear1(x) · activation(gate(x)), as Llama's `gate_proj`. */
  readonly gate?: Projection | PreparedLinear | undefined;
  /** [hidden] → [E] */
  readonly linear2: Projection | PreparedLinear;
  /** Of the self-attention. */
  readonly norm1: NormWeights;
  /** Of the feed-forward part; in a decoder of the cross-attention. */
  readonly norm2: NormWeights;
}

/** The parameters of a decoder layer. */
export interface DecoderLayerWeights extends EncoderLayerWeights {
  /** Queries of [E], keys and values of the memory's size. */
  readonly crossAttention: LayerProjections;
  /** Of the feed-forward part. */
  readonly norm3: NormWeights;
}

type Linears = { readonly [Name in keyof LayerWeights]?: Update | undefined };

/** What `update` takes: any of the parameters. */
export interface TransformerUpdate {
  /** Of the self-attention's projections. */
  readonly selfAttention?: Linears | undefined;
  /** Of the cross-attention's. */
  readonly crossAttention?: Linears | undefined;
  /** Of the feed-forward part. */
  readonly linear1?: Update | undefined;
  /** Of its gate, where it has one. */
  readonly gate?: Update | undefined;
  /** Of its end. */
  readonly linear2?: Update | undefined;
  /** With weight and bias where the layer has them. */
  readonly norm1?: NormWeights | undefined;
  /** The same. */
  readonly norm2?: NormWeights | undefined;
  /** The same. */
  readonly norm3?: NormWeights | undefined;
}

/** Options of an encoder layer's `forward`: those of its self-attention, by the name of a `MultiHeadAttention`'s. */
export interface EncoderForwardOptions extends Omit<LayerOptions, "scores" | "logSumExp"> {
  /** Keep in linear memory what `transformerBackward` needs. */
  record?: boolean | undefined;
}

/**
 * Options of the cross-attention of a decoder layer. With a `cache` made with `cross: true` the memory is
 * projected once: later calls leave it out.
 */
export type CrossOptions = Omit<
  LayerOptions,
  "scores" | "logSumExp" | "rotary" | "positions" | "record" | "out" | "dropout"
>;

/** Options of a decoder layer's `forward`. */
export interface DecoderForwardOptions extends EncoderForwardOptions {
  /** Those of the cross-attention: `keyLengths` and `mask` of the memory, `weights`. */
  cross?: CrossOptions | undefined;
}

/** What `forward` returns, by what was asked for; of a decoder also `crossWeights`. */
export type TransformerResult<Options = DecoderForwardOptions> = {
  /** [B, L, E] or [L, E], as x. */
  output: Tensor;
} & Returned<Options, "weights"> &
  Crossed<Options> &
  Recorded<Options>;

type Crossed<Options> = Options extends { readonly cross: { readonly weights: true | "mean" } }
  ? { crossWeights: Tensor }
  : { crossWeights?: Tensor };

type Recorded<Options> = "record" extends keyof Options
  ? Options["record"] extends true
    ? { record: TransformerRecord }
    : { record?: TransformerRecord }
  : unknown;

/** Gradients of a norm's parameters, where it has them. */
export interface NormParameterGradients {
  /** [E] */
  readonly weight?: Tensor;
  /** [E] */
  readonly bias?: Tensor;
}

/** Of every parameter, by its name. */
export interface TransformerWeightGradients {
  /** Of the self-attention's projections. */
  readonly selfAttention: Record<keyof LayerWeights, ProjectionGradients>;
  /** Of the cross-attention's, in a decoder. */
  readonly crossAttention?: Record<keyof LayerWeights, ProjectionGradients>;
  /** Of the feed-forward part. */
  readonly linear1: ProjectionGradients;
  /** Of its gate, where it has one. */
  readonly gate?: ProjectionGradients;
  /** Of its end. */
  readonly linear2: ProjectionGradients;
  /** Of the norms, in the order of the sublayers. */
  readonly norm1: NormParameterGradients;
  /** The second. */
  readonly norm2: NormParameterGradients;
  /** The third, in a decoder. */
  readonly norm3?: NormParameterGradients;
}

/** What `transformerBackward` returns. */
export interface TransformerGradients {
  /** In the dims of x. */
  inputGradient: Tensor;
  /** Of a decoder layer: in the dims of the memory. */
  memoryGradient?: Tensor;
  /** Of every parameter. */
  weights: TransformerWeightGradients;
}

const configFields = {
  heads: 1,
  keyValueHeads: 1,
  crossHeads: 1,
  activation: 1,
  norm: 1,
  normFirst: 1,
  eps: 1,
  scale: 1,
} as const;
export const readConfig = reader<TransformerConfig>(configFields);
export const readPrefixed = reader<PrefixedConfig>({
  ...configFields,
  prefix: 1,
});
export const readTransformers = reader<TransformersConfig>({
  model: 1,
  ...configFields,
  prefix: 1,
});
const weightFields = {
  selfAttention: 1,
  linear1: 1,
  gate: 1,
  linear2: 1,
  norm1: 1,
  norm2: 1,
} as const;
export const readEncoderWeights = reader<EncoderLayerWeights>(weightFields);
export const readDecoderWeights = reader<DecoderLayerWeights>({
  ...weightFields,
  crossAttention: 1,
  norm3: 1,
});
export const readUpdate = reader<TransformerUpdate>({
  ...weightFields,
  crossAttention: 1,
  norm3: 1,
});
export const readNorm = reader<NormWeights>({ weight: 1, bias: 1 }, "{ weight?, bias? }");

const { dropout: _, logSumExp: __, scores: ___, out: ____, ...attendFields } = scoreFields;
const crossFields = { ...attendFields, cache: 1, sequences: 1 } as const;
const encoderFields = {
  ...crossFields,
  rotary: 1,
  positions: 1,
  dropout: 1,
  record: 1,
  out: 1,
} as const;
const decoderFields = { ...encoderFields, cross: 1 } as const;
export const readCross = reader<CrossOptions>(crossFields);
export const readEncoder = reader<EncoderForwardOptions>(encoderFields);
export const readEncoderAsync = reader<EncoderForwardOptions & Abortable>({
  ...encoderFields,
  signal: 1,
});
export const readDecoder = reader<DecoderForwardOptions>(decoderFields);
export const readDecoderAsync = reader<DecoderForwardOptions & Abortable>({
  ...decoderFields,
  signal: 1,
});
