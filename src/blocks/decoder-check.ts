// What a decoder layer's forward pass is given besides an encoder's: the memory, and options of the attention to it.

import { renamed } from "../check/renamed";
import { ArgumentError } from "../errors";
import { checkForward } from "../layer/forward";
import type { MultiHeadAttention } from "../layer/multihead";
import type { Tensor } from "../tensor/tensor";
import {
  checkRows,
  checkTransformer,
  refuseScoreMod,
  saying,
  type TransformerCall,
  type TransformerParts,
} from "./layer-check";
import { type DecoderForwardOptions, readCross } from "./layer-options";
import type { LayerDropout } from "./layer-record";

/** `options` as they were read. */
export function checkDecoder(
  operation: string,
  parts: TransformerParts,
  given: { readonly x: Tensor; readonly memory: Tensor | undefined },
  options: DecoderForwardOptions,
): TransformerCall {
  const call = checkTransformer(operation, parts, given.x, options);
  const { x, self, dropout, record, out } = call;
  const asked =
    options.cross === undefined ? undefined : readCross(operation, options.cross, "cross");
  const layer = (parts.cross as MultiHeadAttention).parts(operation);
  // The memory may be left out where its keys are in a cache.
  const key =
    given.memory === undefined && asked?.cache !== undefined
      ? undefined
      : checkRows(operation, "memory", given.memory, layer.projections.key.inputSize, x);
  const own = saying(asked ?? {}, parts, record, dropout && otherSeed(dropout));
  const cross = renamed(operation, "cross.", () => {
    refuseScoreMod(operation, record, own);
    const checked = checkForward(operation, layer, { query: x, key }, own);
    if (key || checked.cache?.cross) return checked;
    throw new ArgumentError(operation, "cache", "cross: true without a memory", "false");
  });
  return { operation, x, self, cross, dropout, record, out };
}

/** The two attentions of a layer drop different weights. */
function otherSeed({ probability, seed }: LayerDropout): LayerDropout {
  return { probability, seed: seed < 2 ** 52 ? seed + 2 ** 52 : seed - 2 ** 52 };
}
