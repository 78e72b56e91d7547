// A BART (Lewis et al. 2020) of drawn weights: both ways to run it share the matrices, prepared once.

import { type Attention, type PreparedLinear, prepareLinear, type Tensor } from "wasm-attention";
import { type Random, seeded } from "../../examples/training/random";

export interface BartCase {
  /** Tokens of the source, and those that are written. */
  readonly n: number;
  readonly written: number;
  readonly heads: number;
  readonly d: number;
  readonly hidden: number;
  /** Of the encoder, and as many of the decoder. */
  readonly layers: number;
  readonly vocabulary: number;
}

export interface Norm {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

export type Four = Readonly<Record<"query" | "key" | "value" | "output", PreparedLinear>>;

export interface LayerWeights {
  readonly self: Four;
  /** Of the decoder's layers. */
  readonly cross: Four;
  readonly up: PreparedLinear;
  readonly down: PreparedLinear;
  /** Three of a decoder's layer; an encoder's has the first two. */
  readonly norms: readonly [Norm, Norm, Norm];
}

/** Of the encoder or of the decoder. */
export interface SideWeights {
  /** [n, size], learnt. */
  readonly positions: Tensor;
  readonly norm: Norm;
  readonly layers: readonly LayerWeights[];
}

export interface BartWeights {
  /** [vocabulary, size], which is also the head's. */
  readonly words: Tensor;
  readonly head: PreparedLinear;
  readonly encoder: SideWeights;
  readonly decoder: SideWeights;
  dispose(): void;
}

/** Deviation 1/√size: rows keep their length in products of that size. */
const limitOf = (size: number) => Math.sqrt(3 / size);

export function weightsOf(attention: Attention, c: BartCase): BartWeights {
  const size = c.heads * c.d;
  const random = seeded(c.layers * size);
  const made: PreparedLinear[] = [];
  const prepared = (ins: number, outs: number): PreparedLinear => {
    const weight = { data: drawn(ins * outs, limitOf(ins), random), dims: [outs, ins] };
    const bias = drawn(outs, 1 / 16, random);
    const matrix = prepareLinear(attention, weight, { order: "out,in", bias });
    made.push(matrix);
    return matrix;
  };
  const norm = (): Norm => ({
    weight: drawn(size, 1 / 4, random).map((factor) => 1 + factor),
    bias: drawn(size, 1 / 4, random),
  });
  const four = (): Four => ({
    query: prepared(size, size),
    key: prepared(size, size),
    value: prepared(size, size),
    output: prepared(size, size),
  });
  const side = (length: number): SideWeights => ({
    positions: { data: drawn(length * size, 1, random), dims: [length, size] },
    norm: norm(),
    layers: Array.from({ length: c.layers }, () => ({
      self: four(),
      cross: four(),
      up: prepared(size, c.hidden),
      down: prepared(c.hidden, size),
      norms: [norm(), norm(), norm()],
    })),
  });
  const words = {
    data: drawn(c.vocabulary * size, limitOf(size), random),
    dims: [c.vocabulary, size],
  };
  const head = prepareLinear(attention, words, { order: "out,in" });
  made.push(head);
  return {
    words,
    head,
    encoder: side(c.n),
    decoder: side(c.written),
    dispose() {
      for (const matrix of made) matrix.dispose();
    },
  };
}

function drawn(length: number, limit: number, { uniform }: Random): Float32Array<ArrayBuffer> {
  const data = new Float32Array(length);
  for (let i = 0; i < length; i++) data[i] = limit * (2 * uniform() - 1);
  return data;
}
