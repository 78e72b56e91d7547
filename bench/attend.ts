// attend beside other libraries: from Float32Arrays to a Float32Array as most call it, or on tensors
// that lie in linear memory.

import { type AllocatedTensor, type Attention, tensor } from "wasm-attention";
import { beside } from "./beside";
import { operationsOf, random, readBytesOf, scoresOf, small } from "./cases";
import type { Ceiling } from "./paired";
import { type Case, keyValueHeadsOf, type Peer, queriesOf } from "./peers/peer";
import type { Roofline } from "./roofline/index";
import type { Report } from "./rows";

/** Where our tensors lie: Float32Arrays of the caller's, or linear memory. */
export type Place = "Float32Arrays" | "allocated";

export async function benchAttend(
  attention: Attention,
  roof: Roofline,
  peers: readonly Peer[],
  c: Case,
  place: Place,
  report: Report,
): Promise<void> {
  const { heads, n, d, causal } = c;
  const [rows, few] = [queriesOf(c), keyValueHeadsOf(c)];
  const dims = [
    [1, heads, rows, d],
    [1, few, n, d],
    [1, few, n, d],
  ];
  const [query, key, value] = dims.map((sizes, i) =>
    random(sizes.reduce((a, b) => a * b) + i).subarray(i),
  );
  const allocated: AllocatedTensor[] = [];
  const allocate = (sizes: number[], data?: Float32Array) => {
    const made = attention.allocate(sizes);
    if (data) made.data.set(data);
    allocated.push(made);
    return made;
  };
  const inPlace = place === "allocated";
  const [q, k, v] = [query, key, value].map((data, i) =>
    inPlace ? allocate(dims[i], data) : tensor(data, dims[i]),
  );
  const out = inPlace ? allocate(dims[0]) : undefined;
  let output = new Float32Array(0) as Float32Array;
  const { variant: build, threads } = attention;
  try {
    await beside(
      {
        facts: { op: opOf(c), build, threads, ...c, place },
        run() {
          output = attention.attend(q, k, v, { causal, out }).output.data;
        },
        output: () => output,
        ceiling: ceilingOf(c, roof, threads),
        operations: operationsOf(c),
      },
      peers.map((peer) => ({
        name: peer.name,
        prepare: () => peer.prepare(c, query, key, value),
      })),
      report,
    );
  } finally {
    for (const made of allocated) made.dispose();
  }
}

function opOf(c: Case): string {
  if (queriesOf(c) === 1) return "decode";
  return c === small ? "small" : "attend";
}

/** One query reads its keys and values once; many multiply tiles and take e^x of every score. */
function ceilingOf(c: Case, roof: Roofline, threads: number): Ceiling {
  if (queriesOf(c) === 1) {
    const read = roof.read(readBytesOf(c));
    return () => (readBytesOf(c) / read.now()) * 1000;
  }
  const tiles = roof.tiles(c.d);
  return () => {
    const seconds = operationsOf(c) / tiles.now() + scoresOf(c) / roof.exponentials.now();
    return (seconds / threads) * 1000;
  };
}
