// linear and the layer beside other libraries' products by a constant matrix.

import { type Attention, linear, MultiHeadAttention, prepareLinear, tensor } from "wasm-attention";
import { beside } from "./beside";
import { operationsOf, random, scoresOf } from "./cases";
import type { LayerCase, LinearCase, Peer } from "./peers/peer";
import type { Roofline } from "./roofline/index";
import type { Report } from "./rows";

export async function benchLinear(
  attention: Attention,
  roof: Roofline,
  peers: readonly Peer[],
  c: LinearCase,
  report: Report,
): Promise<void> {
  const { m, k, columns } = c;
  const [x, weight] = [random(m * k), random(k * columns, 1 / 32)];
  const prepared = prepareLinear(attention, tensor(weight, [k, columns]), { order: "in,out" });
  const input = tensor(x, [m, k]);
  let output = new Float32Array(0) as Float32Array;
  const operations = 2 * m * k * columns;
  const tiles = roof.tiles(64);
  const { variant: build, threads } = attention;
  try {
    await beside(
      {
        facts: { op: "linear", build, threads, ...c, place: "Float32Arrays" },
        run() {
          output = linear(attention, input, prepared).data;
        },
        output: () => output,
        ceiling: () => (operations / tiles.now() / threads) * 1000,
        operations,
      },
      peers.map(({ name, linear: make }) => ({
        name,
        prepare: make && (() => make(c, x, weight)),
      })),
      report,
    );
  } finally {
    prepared.dispose();
  }
}

export async function benchLayer(
  attention: Attention,
  roof: Roofline,
  peers: readonly Peer[],
  c: LayerCase,
  report: Report,
): Promise<void> {
  const { n, heads, d } = c;
  const size = heads * d;
  const x = random(n * size);
  const weights = [0, 1, 2, 3].map((i) => random(size * size + i, 1 / 16).subarray(i));
  const [wq, wk, wv, dense] = weights.map((weight) => tensor(weight, [size, size]));
  const layer = MultiHeadAttention.fromMatrices(attention, { wq, wk, wv, dense }, { heads });
  const input = tensor(x, [1, n, size]);
  const attend = { ...c, causal: false };
  const operations = 8 * n * size * size + operationsOf(attend);
  const tiles = roof.tiles(d);
  let output = new Float32Array(0) as Float32Array;
  const { variant: build, threads } = attention;
  try {
    await beside(
      {
        facts: { op: "layer", build, threads, ...attend, place: "Float32Arrays" },
        run() {
          output = layer.forward(input).output.data;
        },
        output: () => output,
        ceiling: () => {
          const seconds = operations / tiles.now() + scoresOf(attend) / roof.exponentials.now();
          return (seconds / threads) * 1000;
        },
        operations,
      },
      peers.map(({ name, layer: make }) => ({
        name,
        prepare: make && (() => make(c, x, weights)),
      })),
      report,
    );
  } finally {
    layer.dispose();
  }
}
