// The table of bench/README.md: our times by build and threads, and each peer's with how often ours fits in.
import { quantile } from "../paired.ts";
import { caseOf, milliseconds } from "../rows.ts";

const peers = [
  ["onnxruntime-web", 1],
  ["onnxruntime-web", 2],
  ["tfjs-backend-wasm", 1],
  ["@jax-js/jax", 1],
  ["naive TypeScript", 1],
  ["onnxruntime-node", 1],
];
const ops = ["attend", "decode", "small", "linear", "layer"];

export function tableOf(rows) {
  const groups = new Map();
  for (const row of rows.filter(({ op }) => ops.includes(op))) {
    const name = `${row.op} ${caseOf(row)}`;
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  const best = rows.some(({ build }) => build === "relaxed") ? "relaxed" : "portable";
  const head = [
    "",
    "portable",
    best,
    `${best}, 2 threads`,
    ...peers.map(([name, threads]) => (threads === 1 ? name : `${name}, ${threads} threads`)),
  ];
  const lines = [...groups].map(([name, group]) => {
    const ours = (build, threads) => {
      const times = group
        .filter((row) => row.build === build && row.threads === threads && row.oursMs)
        .map(({ oursMs }) => oursMs);
      return times.length ? milliseconds(quantile(times)) : "";
    };
    const theirs = ([peer, threads]) => {
      const is = (row) => row.build === best && row.peer === peer && row.threads === threads;
      const found = group.find(is);
      if (!found) return ""; // not in this run
      const { peerMs, ratio } = found;
      return ratio ? `${milliseconds(peerMs)} (${ratio.toFixed(2)}×)` : "–";
    };
    return [name, ours("portable", 1), ours(best, 1), ours(best, 2), ...peers.map(theirs)];
  });
  const aligned = head.map((_, i) => (i ? "---:" : "---"));
  return [head, aligned, ...lines].map((line) => `| ${line.join(" | ")} |\n`).join("");
}
