// What is said in words and numbers beside the picture: the sums of a selection, and the steps that led
// to the locked weight.

import type { Steps } from "./detail";
import { make } from "./dom";
import type { Maps } from "./maps";
import { type Shown, weightAt } from "./shown";
import { type Cell, sumsOf } from "./sums";
import type { AttentionSelection } from "./types";
import { digits, percent, token } from "./words";

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

export function stepsPanel(
  maps: Maps,
  { row, column }: Cell,
  steps: Steps,
  given: number,
): HTMLElement {
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

/** "query → key: 12.3 %", or why there is no such number. */
export function reading(maps: Maps, shown: Shown, { row, column }: Cell): string {
  const place = `${token(maps.rows[row]!)} → ${token(maps.columns[column]!)}: `;
  const [from, to] = maps.span(row);
  const given = shown.weights[row * shown.columns + column]!;
  if (column < from || column >= to) return `${place}masked`;
  if (shown.hidden[column]) return `${place}hidden as a sink (${percent(given)})`;
  return place + percent(weightAt(shown, row, column));
}
