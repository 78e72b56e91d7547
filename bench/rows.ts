// What is reported: a row of the terminal's table, of --json and of --markdown.

import type { Pair } from "./paired";
import type { BlockCase, Case, LinearCase } from "./peers/peer";

export interface Facts extends Partial<Case>, Partial<LinearCase>, Partial<BlockCase> {
  readonly op: string;
  /** Ours: "portable" or "relaxed". */
  readonly build: string;
  /** Ours and the peer's. */
  readonly threads: number;
  /** Empty where ours ran alone. */
  readonly peer: string;
  /** Where our tensors lie. */
  readonly place?: string;
}

export interface Row extends Facts, Partial<Pair> {
  /** Peak memory of one call beside its tensors. */
  readonly oursBytes?: number;
  readonly peerBytes?: number;
  /** Why there are no times. */
  readonly leftOut?: string;
}

export type Report = (row: Row) => void;

export const columns = [
  "op",
  "build",
  "threads",
  "case",
  "peer",
  "ours",
  "peer's",
  "ratio",
  "quartiles",
  "GFLOP/s",
  "share",
];

export const milliseconds = (time: number) =>
  time < 1 ? `${(time * 1000).toFixed(1)} µs` : `${time.toFixed(time < 100 ? 2 : 0)} ms`;
const megabytes = (bytes: number) =>
  bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

export function caseOf(row: Row): string {
  const { heads, keyValueHeads, queries, n, d, m, k, columns: wide, causal, place, hidden } = row;
  const where = place === "allocated" ? ", allocated" : "";
  if (m) return `${m} × ${k} × ${wide}`;
  if (!heads) return "";
  const sizes = [keyValueHeads ? `${heads}/${keyValueHeads}` : heads, n, d];
  const over = queries ? `${queries} over ` : "";
  const between = hidden ? ` × ${hidden}` : "";
  return `${over}${sizes.join(" × ")}${between}${causal ? " causal" : ""}${where}`;
}

/** Ours, by the operations that are needed: those of hidden scores are not. */
export function operationsOf({
  op,
  heads,
  queries,
  n,
  d,
  m,
  k,
  columns: wide,
  causal,
  hidden = 0,
}: Row): number {
  if (m && k && wide) return 2 * m * k * wide;
  if (!(heads && n && d) || op === "memory" || /^(append|bart|variants)/.test(op)) return 0;
  const products =
    (op === "backward" ? 10 : 4) * heads * (causal ? (n + 1) / 2 : (queries ?? n)) * n * d;
  const size = heads * d;
  const projections = op === "layer" || op === "block" ? 8 * n * size ** 2 : 0;
  return products + projections + 4 * n * size * hidden;
}

/** A row as cells. */
export function cells(row: Row): string[] {
  const { op, build, threads, peer, leftOut, oursMs, peerMs, ratio, quartiles, share } = row;
  const { oursBytes, peerBytes } = row;
  const figures = (ours?: number, theirs?: number, unit = milliseconds) => [
    ours === undefined ? "" : unit(ours),
    theirs === undefined ? "" : unit(theirs),
  ];
  const [ours, theirs] =
    oursBytes === undefined ? figures(oursMs, peerMs) : figures(oursBytes, peerBytes, megabytes);
  const operations = operationsOf(row);
  return [
    op,
    build,
    `${threads}`,
    caseOf(row),
    peer || "–",
    ours,
    leftOut ? `– ${leftOut.slice(0, 44)}` : theirs,
    ratio === undefined ? "" : `${ratio.toFixed(2)}×`,
    quartiles ? quartiles.map((q) => q.toFixed(2)).join(" – ") : "",
    operations && oursMs ? (operations / oursMs / 1e6).toFixed(1) : "",
    share === undefined ? "" : share.toFixed(2),
  ];
}

export function markdownOf(rows: readonly Row[]): string {
  const line = (parts: readonly string[]) => `| ${parts.join(" | ")} |\n`;
  const right = columns.map((_, i) => (i < 5 ? "---" : "---:"));
  return [columns, right, ...rows.map(cells)].map(line).join("");
}
