// An encoder layer, norms and activation included, beside the same layer in other libraries.

import { type Attention, tensor } from "wasm-attention";
import { TransformerEncoderLayer } from "wasm-attention/blocks";
import { beside } from "./beside";
import { operationsOf, random, scoresOf } from "./cases";
import type { Affine, BlockCase, BlockWeights, Peer } from "./peers/peer";
import type { Roofline } from "./roofline/index";
import type { Report } from "./rows";

/** A layer of a small sentence encoder, and of BART's base. */
export const blockCases: readonly BlockCase[] = [
  { n: 128, heads: 6, d: 64, hidden: 1536 },
  { n: 128, heads: 12, d: 64, hidden: 3072 },
];

export async function benchBlock(
  attention: Attention<"blocks">,
  roof: Roofline,
  peers: readonly Pick<Peer, "name" | "block">[],
  c: BlockCase,
  report: Report,
): Promise<void> {
  const { n, heads, d, hidden } = c;
  const size = heads * d;
  const x = random(n * size);
  const weights = weightsOf(size, hidden);
  const layer = layerOf(attention, c, weights);
  const input = tensor(x, [1, n, size]);
  const attend = { n, heads, d, causal: false };
  const operations = 8 * n * size * size + 4 * n * size * hidden + operationsOf(attend);
  const tiles = roof.tiles(d);
  let output = new Float32Array(0) as Float32Array;
  const { variant: build, threads } = attention;
  try {
    await beside(
      {
        facts: { op: "block", build, threads, ...c, causal: false, place: "Float32Arrays" },
        run() {
          output = layer.forward(input).output.data;
        },
        output: () => output,
        // One e^x for each score and for each GELU.
        ceiling: () => {
          const exponentials = scoresOf(attend) + n * hidden;
          const seconds = operations / tiles.now() + exponentials / roof.exponentials.now();
          return (seconds / threads) * 1000;
        },
        operations,
      },
      peers.map(({ name, block: make }) => ({
        name,
        prepare: make && (() => make(c, x, weights)),
      })),
      report,
    );
  } finally {
    layer.dispose();
  }
}

function weightsOf(size: number, hidden: number): BlockWeights {
  let drawn = 0;
  const affine = (ins: number, outs: number): Affine => {
    const shift = ++drawn;
    const weight = random(ins * outs + shift, 1 / 16).subarray(shift);
    return { weight, bias: random(outs + shift, 1 / 16).subarray(shift) };
  };
  const norm = () => ({ ...affine(1, size), weight: new Float32Array(size).fill(1) });
  return {
    query: affine(size, size),
    key: affine(size, size),
    value: affine(size, size),
    dense: affine(size, size),
    up: affine(size, hidden),
    down: affine(hidden, size),
    norm1: norm(),
    norm2: norm(),
  };
}

function layerOf(
  attention: Attention<"blocks">,
  { heads, d, hidden }: BlockCase,
  weights: BlockWeights,
): TransformerEncoderLayer {
  const size = heads * d;
  const projection = ({ weight, bias }: Affine, ins = size, outs = size) => ({
    weight: tensor(weight, [ins, outs]),
    bias,
    order: "in,out" as const,
  });
  return new TransformerEncoderLayer(
    attention,
    { heads, activation: "gelu" },
    {
      selfAttention: {
        query: projection(weights.query),
        key: projection(weights.key),
        value: projection(weights.value),
        output: projection(weights.dense),
      },
      linear1: projection(weights.up, size, hidden),
      linear2: projection(weights.down, hidden, size),
      norm1: weights.norm1,
      norm2: weights.norm2,
    },
  );
}
