// What is reported, on the terminal and with --json.

import type { Pair } from "./paired";
import type { Case } from "./peers/peer";

export interface Row extends Partial<Pair>, Partial<Case> {
  readonly op: string;
  readonly build: string;
  readonly threads: number;
  readonly peer: string;
  /** Where our tensors lie. */
  readonly place?: string;
  /** The time at the rates of the roofline, of our time. */
  readonly share?: number;
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
  "share",
];

const milliseconds = (time: number) =>
  time < 1 ? `${(time * 1000).toFixed(1)} µs` : `${time.toFixed(2)} ms`;

function caseOf({ heads, keyValueHeads, queries, n, d, causal, place }: Row): string {
  if (!heads) return "";
  const sizes = [keyValueHeads ? `${heads}/${keyValueHeads}` : heads, n, d];
  const over = queries ? `${queries} over ` : "";
  return `${over}${sizes.join(" × ")}${causal ? " causal" : ""}${place === "allocated" ? ", allocated" : ""}`;
}

/** A row as cells. GFLOP/s are ours: 4·heads·L·n·d operations, backward 10, half of them where causal. */
export function cells(row: Row): string[] {
  const { op, build, heads, n, d, queries, causal, peer, leftOut } = row;
  const { oursMs, peerMs, ratio, quartiles, share } = row;
  if (leftOut) return [op, build, caseOf(row), peer, "", `left out: ${leftOut}`, "", "", "", ""];
  if (oursMs === undefined || peerMs === undefined || ratio === undefined) return [];
  const operations =
    heads && n && d
      ? (op === "backward" ? 10 : 4) * heads * (queries ?? n) * n * d * (causal ? 0.5 : 1)
      : 0;
  return [
    op,
    build,
    caseOf(row),
    peer,
    milliseconds(oursMs),
    milliseconds(peerMs),
    `${ratio.toFixed(2)}×`,
    quartiles ? `${quartiles.map((q) => q.toFixed(2)).join(" – ")}` : "",
    operations ? (operations / oursMs / 1e6).toFixed(1) : "",
    share ? share.toFixed(2) : "",
  ];
}
