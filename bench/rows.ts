// What is reported, on the terminal and with --json.

import type { Pair } from "./paired";
import type { Case } from "./peers/peer";

export interface Row extends Partial<Pair>, Partial<Case> {
  readonly op: string;
  readonly build: string;
  readonly threads: number;
  readonly peer: string;
  /** Why there are no times. */
  readonly leftOut?: string;
}

export const columns = [
  "op",
  "build",
  "case",
  "peer",
  "ours",
  "peer's",
  "ratio",
  "quartiles",
  "GFLOP/s",
];

const milliseconds = (time: number) =>
  time < 1 ? `${(time * 1000).toFixed(1)} µs` : `${time.toFixed(2)} ms`;

/** A row as cells. GFLOP/s are ours: 4·heads·n²·d operations, half of them where causal. */
export function cells(row: Row): string[] {
  const { op, build, heads, n, d, causal, peer, oursMs, peerMs, ratio, quartiles, leftOut } = row;
  const name = heads ? `${heads} × ${n} × ${d}${causal ? " causal" : ""}` : "";
  if (leftOut) return [op, build, name, peer, "", `left out: ${leftOut}`, "", "", ""];
  if (oursMs === undefined || peerMs === undefined || ratio === undefined) return [];
  const operations = heads && n && d ? 4 * heads * n * n * d * (causal ? 0.5 : 1) : 0;
  return [
    op,
    build,
    name,
    peer,
    milliseconds(oursMs),
    milliseconds(peerMs),
    `${ratio.toFixed(2)}×`,
    quartiles ? `${quartiles.map((q) => q.toFixed(2)).join(" – ")}` : "",
    operations ? (operations / oursMs / 1e6).toFixed(1) : "",
  ];
}
