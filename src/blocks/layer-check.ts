// What a transformer layer is made of, and the check of a pass.

import { checkDropout } from "../check/dropout";
import { ArgumentError, describe } from "../errors";
import { checkForward, type ForwardCall } from "../layer/forward";
import type { MultiHeadAttention } from "../layer/multihead";
import type { LayerOptions } from "../layer/options";
import type { PreparedLinear } from "../linear/prepared";
import type { AllocatedTensor } from "../tensor/allocated";
import { checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import type { Activation } from "./activate";
import type { CrossOptions, DecoderForwardOptions } from "./layer-options";
import type { LayerDropout } from "./layer-record";

/** What a layer is made of. */
export interface TransformerParts {
  readonly normFirst: boolean;
  readonly centred: boolean;
  readonly eps: number;
  /** Of scores, where a call gives none. */
  readonly scale: number | undefined;
  readonly activation: Activation;
  readonly self: MultiHeadAttention;
  readonly cross: MultiHeadAttention | undefined;
  readonly linear1: PreparedLinear;
  readonly gate: PreparedLinear | undefined;
  readonly linear2: PreparedLinear;
  /** One of each sublayer. */
  readonly norms: readonly NormParts[];
  /** What goes with it: all but weights that were prepared already. */
  readonly own: readonly { dispose(): void }[];
}

export interface NormParts {
  readonly weight: AllocatedTensor | undefined;
  readonly bias: AllocatedTensor | undefined;
}

/** A pass whose arguments are checked. */
export interface TransformerCall {
  readonly operation: string;
  readonly x: Tensor;
  readonly self: ForwardCall;
  readonly cross: ForwardCall | undefined;
  readonly dropout: LayerDropout | undefined;
  readonly record: boolean;
  readonly out: Tensor | undefined;
}

/** `options` as they were read, which become those of the self-attention; they are checked here. */
export function checkTransformer(
  operation: string,
  parts: TransformerParts,
  given: Tensor,
  options: DecoderForwardOptions,
): TransformerCall {
  const { out, record = false, dropout: asked } = options;
  checkDropout(operation, asked);
  refuseScoreMod(operation, record, options);
  const dropout = asked && { probability: asked.probability, seed: asked.seed };
  const layer = parts.self.parts(operation);
  const x = checkRows(operation, "x", given, layer.projections.query.inputSize);
  const own = saying(options, parts, record, dropout);
  const self = checkForward(operation, layer, x, own);
  const target = checkOut(operation, out, x.dims);
  return { operation, x, self, cross: undefined, dropout, record, out: target };
}

/** In a pass that is recorded. */
export function refuseScoreMod(
  operation: string,
  record: boolean,
  { scoreMod }: CrossOptions,
): void {
  if (!record || scoreMod === undefined) return;
  const expected = "no value with record: true, whose gradients do not go back through it";
  throw new ArgumentError(operation, "scoreMod", expected, describe(scoreMod));
}

/** Rows of a size, for as many batches as `of` has. */
export function checkRows(
  operation: string,
  argument: string,
  given: Tensor | undefined,
  size: number,
  of?: Tensor,
): Tensor {
  const rows = checkTensor(operation, argument, given);
  const { dims } = rows;
  const like = (of ?? rows).dims;
  const rank = like.length === 3 ? 3 : 2;
  const fits = dims.length === rank && dims.at(-1) === size && dims.at(-3) === like.at(-3);
  if (fits) return rows;
  const expected = of
    ? `[${[...like.slice(0, -2), "S", size].join(", ")}]`
    : `[B, L, ${size}] or [L, ${size}]`;
  throw new ArgumentError(operation, `${argument}.dims`, expected, describe(dims));
}

/** What the layer says, in options that are its own: a spread costs more than a small attention. */
export function saying(
  own: DecoderForwardOptions,
  { scale }: TransformerParts,
  record: boolean,
  dropout: LayerDropout | undefined,
): LayerOptions {
  if (own.scale === undefined) own.scale = scale;
  own.record = record;
  own.dropout = dropout;
  own.out = undefined;
  return own;
}
