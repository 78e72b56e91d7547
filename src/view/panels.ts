// What is said in numbers beside the picture: the sums of a selection, and the steps that led to the locked
// weight. A part of its own, loaded when there is one of them.

import { digits, stepsOf } from "./detail";
import { make } from "./dom";
import type { Cell } from "./layout";
import type { Maps } from "./maps";
import type { Choice } from "./overview";
import type { Shown } from "./shown";
import { sumsOf } from "./sums";
import type { AttentionSelection } from "./types";
import { percent, token } from "./words";

const MOST_ROWS = 500;
/** Above this difference something else than query and key was part of a weight. */
const SAME = 1e-3;

const named = (labels: readonly string[], [from, to]: readonly [number, number]) =>
  from === to
    ? `“${token(labels[from]!)}”`
    : `“${token(labels[from]!)}” to “${token(labels[to]!)}”`;

/** It scrolls, for keyboards too. */
function table(head: readonly string[], rows: readonly (readonly string[])[]) {
  const line = (tag: "th" | "td", texts: readonly string[]) =>
    make("tr", {}, ...texts.map((text) => make(tag, {}, text)));
  const body = make("tbody", {}, ...rows.map((row) => line("td", row)));
  const made = make("table", {}, make("thead", {}, line("th", head)), body);
  const label = { role: "region", tabindex: "0", "aria-label": head.join(", ") };
  return make("div", { class: "scroll", ...label }, made);
}

export function selectionPanel(
  maps: Maps,
  shown: Shown,
  selection: AttentionSelection,
): HTMLElement {
  const { shares, mean } = sumsOf(shown, selection);
  const [from, to] = selection.rows;
  const part = (share: number) => (Number.isNaN(share) ? "no weight" : percent(share));
  const place = `${named(maps.rows, selection.rows)} → ${named(maps.columns, selection.columns)}`;
  const title = `${place}: ${part(mean)} of ${from === to ? "the row’s" : "these rows’"} weight`;
  const rows = shares.map((share, at) => [token(maps.rows[from + at]!), part(share)]);
  const panel = make("section", { part: "selection" }, make("p", { part: "title" }, title));
  if (from < to) panel.append(table(["query", "share of its weight"], rows.slice(0, MOST_ROWS)));
  if (rows.length > MOST_ROWS)
    panel.append(make("p", {}, `The first ${MOST_ROWS} of ${rows.length} rows.`));
  return panel;
}

/** Undefined where there are no query and key, and for a key that the row does not see. */
export function stepsPanel(
  maps: Maps,
  shown: Shown,
  { layer, head }: Choice,
  at: Cell,
): HTMLElement | undefined {
  if (layer === undefined || head === undefined) return undefined;
  const { row, column } = at;
  const steps = stepsOf(maps, layer, head, at);
  if (!steps) return undefined;
  const given = shown.weights[row * shown.columns + column]!;
  const { query, key } = steps;
  const numbers = Array.from(query, (q, d) => [
    `${d}`,
    ...[q, key[d]!, q * key[d]!].map((value) => digits(value)),
  ]);
  const [score, largest, exponential, sum] = [
    steps.score,
    steps.largest,
    steps.exponential,
    steps.sum,
  ].map((value) => digits(value));
  const lines = [
    `Σ q·k = ${digits(steps.product)}`,
    `× scale ${digits(steps.scale)} = ${score}`,
    `the row’s largest score, at “${token(maps.columns[steps.largestColumn]!)}”: ${largest}`,
    `e^(${score} − ${largest}) = ${exponential}`,
    `Σ e^… over ${steps.keys} keys = ${sum}`,
    `${exponential} / ${sum} = ${percent(steps.weight)}`,
  ];
  const off = Math.abs(steps.weight - given) > SAME;
  const why = off ? ": a mask, a bias, a cap, a sink or positions had a part in it" : "";
  const title = `“${token(maps.rows[row]!)}” → “${token(maps.columns[column]!)}”, step by step`;
  return make(
    "section",
    { part: "steps" },
    make("p", { part: "title" }, title),
    table(["d", "q", "k", "q · k"], numbers),
    make("ol", {}, ...lines.map((line) => make("li", {}, line))),
    make("p", {}, `The weight is ${percent(given)}${why}.`),
  );
}
