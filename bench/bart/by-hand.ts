// A BART as one writes it without blocks: our attention layers, caches and products, and in JavaScript what
// stands around them.

import { type Attention, linear, MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { type AttentionCache, createCache } from "wasm-attention/cache";
import { normalized } from "../by-hand";
import type { Gelu } from "../peers/gelu";
import type { Bart, Writing } from "./generate";
import type { BartCase, BartWeights, LayerWeights, SideWeights } from "./weights";

export function bartByHand(
  attention: Attention<"cache">,
  c: BartCase,
  weights: BartWeights,
  gelu: Gelu,
): Bart {
  const { heads, d } = c;
  const size = heads * d;
  const attentionsOf = (name: "self" | "cross", { layers }: SideWeights) =>
    layers.map((layer) => new MultiHeadAttention(attention, { heads }, layer[name]));
  const reading = attentionsOf("self", weights.encoder);
  const writing = attentionsOf("self", weights.decoder);
  const looking = attentionsOf("cross", weights.decoder);

  /** The sum of a word's row and its position's, normalised. */
  function embedded(ids: readonly number[], at: number, { positions, norm }: SideWeights): Tensor {
    const rows = new Float32Array(ids.length * size);
    ids.forEach((id, i) => {
      rows.set(weights.words.data.subarray(id * size, (id + 1) * size), i * size);
    });
    const places = positions.data.subarray(at * size, (at + ids.length) * size);
    return tensor(normalized(rows, places, norm), [1, ids.length, size]);
  }

  /** norm(x + f(x)) */
  function added(x: Tensor, f: Tensor, { norms }: LayerWeights, which: number): Tensor {
    return tensor(normalized(x.data, f.data, norms[which]), x.dims);
  }

  function fed(x: Tensor, { up, down }: LayerWeights): Tensor {
    const between = linear(attention, x, up);
    gelu(between.data);
    return linear(attention, between, down);
  }

  return {
    encode(ids) {
      let x = embedded(ids, 0, weights.encoder);
      weights.encoder.layers.forEach((layer, i) => {
        x = added(x, reading[i].forward(x).output, layer, 0);
        x = added(x, fed(x, layer), layer, 1);
      });
      return x;
    },
    begin(memory) {
      const sizes = { keyValueHeads: heads, headSize: d };
      const texts = writing.map(() => createCache(attention, sizes));
      const sources = looking.map(() => createCache(attention, { ...sizes, cross: true }));
      let at = 0;
      return {
        next(id) {
          let x = embedded([id], at, weights.decoder);
          weights.decoder.layers.forEach((layer, i) => {
            x = added(x, writing[i].forward(x, { cache: texts[i] }).output, layer, 0);
            const asked = at === 0 ? { query: x, key: memory } : { query: x };
            x = added(x, looking[i].forward(asked, { cache: sources[i] }).output, layer, 1);
            x = added(x, fed(x, layer), layer, 2);
          });
          at++;
          return linear(attention, x, weights.head).data;
        },
        dispose: () => disposeAll([...texts, ...sources]),
      } satisfies Writing;
    },
    dispose: () => disposeAll([...reading, ...writing, ...looking]),
  };
}

function disposeAll(held: readonly (AttentionCache | MultiHeadAttention)[]): void {
  for (const each of held) each.dispose();
}
