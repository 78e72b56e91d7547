// What a transformer layer is made of, and the check of a pass.

import { checkDropout } from "../check/dropout";
import { ArgumentError, describe } from "../errors";
import { checkForward, type ForwardCall } from "../layer/forward";
import type { MultiHeadAttention } from "../layer/multihead";
import type { LayerOptions } from "../layer/options";
import type { PreparedLinear } from "../linear/prepared";
import type { AllocatedTensor } from "../tensor/allocated";
import { checkOut, type Tensor } from "../tensor/tensor";
import type { Activation } from "./activate";
import type { DecoderForwardOptions } from "./layer-options";
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

/** `options` as they were read, which become those of its attentions; they are checked here. */
export function checkTransformer(
  operation: string,
  parts: TransformerParts,
  given: { readonly x: Tensor; readonly memory?: Tensor | undefined },
  options: DecoderForwardOptions,
): TransformerCall {
  const { cross: crossOptions, out, record = false, dropout: asked } = options;
  checkDropout(operation, asked);
  const scoreMod = options.scoreMod ?? crossOptions?.scoreMod;
  if (record && scoreMod !== undefined) {
    const expected = "no value with record: true, whose gradients do not go back through it";
    throw new ArgumentError(operation, "scoreMod", expected, describe(scoreMod));
  }
  const dropout = asked && { probability: asked.probability, seed: asked.seed };
  const own = saying(options, parts, record, dropout);
  const self = checkForward(operation, parts.self.parts(operation), given.x, own);
  const x = self.given.query;
  const cross =
    parts.cross &&
    checkForward(
      operation,
      parts.cross.parts(operation),
      { query: x, key: given.memory },
      saying(crossOptions ?? {}, parts, record, dropout && otherSeed(dropout)),
    );
  const target = checkOut(operation, out, x.dims);
  return { operation, x, self, cross, dropout, record, out: target };
}

/** What the layer says, in options that are its own: a spread costs more than a small attention. */
function saying(
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

/** The two attentions of a layer drop different weights. */
function otherSeed({ probability, seed }: LayerDropout): LayerDropout {
  return { probability, seed: seed < 2 ** 52 ? seed + 2 ** 52 : seed - 2 ** 52 };
}
