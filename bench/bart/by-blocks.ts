// The same BART on wasm-attention/blocks.

import { type Attention, linear, type Tensor, tensor } from "wasm-attention";
import {
  embedding,
  layerNorm,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
} from "wasm-attention/blocks";
import { createCache } from "wasm-attention/cache";
import type { Bart, Writing } from "./generate";
import type { BartCase, BartWeights, LayerWeights, SideWeights } from "./weights";

export function bartByBlocks(
  attention: Attention<"blocks" | "cache">,
  c: BartCase,
  weights: BartWeights,
): Bart {
  const { heads, d } = c;
  const config = { heads, activation: "gelu" } as const;
  const encoder = weights.encoder.layers.map(
    (layer) => new TransformerEncoderLayer(attention, config, partsOf(layer)),
  );
  const decoder = weights.decoder.layers.map((layer) => {
    const [norm1, norm2, norm3] = layer.norms;
    const crossAttention = layer.cross;
    const parts = { ...partsOf(layer), crossAttention, norm1, norm2, norm3 };
    return new TransformerDecoderLayer(attention, config, parts);
  });

  /** The sum of a word's row and its position's, normalised. */
  function embedded(ids: readonly number[], at: number, { positions, norm }: SideWeights): Tensor {
    const rows = embedding(attention, weights.words, { data: ids, dims: [1, ids.length] });
    const [from, to] = [at, at + ids.length].map((row) => row * heads * d);
    const residual = tensor(positions.data.subarray(from, to), rows.dims);
    return layerNorm(attention, rows, { residual, ...norm }).output;
  }

  return {
    encode(ids) {
      const x = embedded(ids, 0, weights.encoder);
      return encoder.reduce((hidden, layer) => layer.forward(hidden).output, x);
    },
    begin(memory) {
      const sizes = { keyValueHeads: heads, headSize: d };
      const texts = decoder.map(() => createCache(attention, sizes));
      const sources = decoder.map(() => createCache(attention, { ...sizes, cross: true }));
      let at = 0;
      return {
        next(id) {
          let x = embedded([id], at, weights.decoder);
          decoder.forEach((layer, i) => {
            const options = { cache: texts[i], cross: { cache: sources[i] } };
            x = layer.forward(x, at === 0 ? memory : undefined, options).output;
          });
          at++;
          return linear(attention, x, weights.head).data;
        },
        dispose() {
          for (const cache of [...texts, ...sources]) cache.dispose();
        },
      } satisfies Writing;
    },
    dispose() {
      for (const layer of [...encoder, ...decoder]) layer.dispose();
    },
  };
}

function partsOf({ self, up, down, norms: [norm1, norm2] }: LayerWeights) {
  return { selfAttention: self, linear1: up, linear2: down, norm1, norm2 };
}
