// What is said in words and numbers beside the picture: the sums of a selection, and the steps that led
// to the locked weight.

import type { Steps } from "./detail";
import { make } from "./dom";
import type { Maps } from "./maps";
import { type Choice, nameOf } from "./overview";
import { type Shown, weightAt } from "./shown";
import { type Cell, sumsOf } from "./sums";
import type { AttentionPicture, AttentionSelection } from "./types";
import { digits, percent, token } from "./words";

const MOST_ROWS = 500;
/** Above this difference something else than query and key was part of a weight. */
const SAME = 1e-3;

const named = (labels: readonly string[], [from, to]: readonly [number, number]) =>
  from === to
    ? `“${token(labels[from]!)}”`
    : `“${token(labels[from]!)}” to “${token(labels[to]!)}”`;

/** A table that scrolls, for keyboards too. */
function table(name: string, head: readonly string[], rows: readonly (readonly string[])[]) {
  const header = make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, first!),
      ...rest.map((text) => make("td", {}, text)),
    ),
  );
  const made = make("table", {}, make("thead", {}, header), make("tbody", {}, ...body));
  return make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": name }, made);
}

export function selectionPanel(
  maps: Maps,
  shown: Shown,
  selection: AttentionSelection,
): { said: string; element: HTMLElement } {
  const { shares, mean } = sumsOf(shown, selection);
  const [from, to] = selection.rows;
  const part = (share: number) => (Number.isNaN(share) ? "no weight" : percent(share));
  const one = from === to;
  const said = `${named(maps.rows, selection.rows)} → ${named(maps.columns, selection.columns)}: ${part(mean)} of ${one ? "the row’s" : "these rows’"} weight`;
  const rows = shares
    .slice(0, MOST_ROWS)
    .map((share, at) => [token(maps.rows[from + at]!), part(share)]);
  const element = make("section", { part: "selection" }, make("p", { part: "title" }, said));
  if (!one) element.append(table("Share of each row", ["query", "share that is selected"], rows));
  if (shares.length > MOST_ROWS)
    element.append(make("p", {}, `The first ${MOST_ROWS} rows of ${shares.length}.`));
  return { said, element };
}

export function stepsPanel(
  maps: Maps,
  { row, column }: Cell,
  steps: Steps,
  given: number,
): HTMLElement {
  const { query, key, largest, score } = steps;
  const numbers = Array.from(query, (q, d) => [
    String(d),
    digits(q),
    digits(key[d]!),
    digits(q * key[d]!),
  ]);
  const lines = [
    `Σ q·k = ${digits(steps.product)}`,
    `× scale ${digits(steps.scale)} = ${digits(score)}`,
    `the row’s largest score, at “${token(maps.columns[steps.largestColumn]!)}”: ${digits(largest)}`,
    `e^(${digits(score)} − ${digits(largest)}) = ${digits(steps.exponential)}`,
    `Σ e^… over ${steps.keys} keys = ${digits(steps.sum)}`,
    `${digits(steps.exponential)} / ${digits(steps.sum)} = ${percent(steps.weight)}`,
  ];
  const off = Math.abs(steps.weight - given) > SAME;
  const last = off
    ? `The weight is ${percent(given)}: a mask, a bias, a cap, a sink or positions had a part in it.`
    : `The weight is ${percent(given)}.`;
  const title = `“${token(maps.rows[row]!)}” → “${token(maps.columns[column]!)}”, step by step`;
  return make(
    "section",
    { part: "steps" },
    make("p", { part: "title" }, title),
    make(
      "div",
      { class: "beside" },
      table("Query and key, number by number", ["d", "q", "k", "q · k"], numbers),
      make("ol", {}, ...lines.map((line) => make("li", {}, line))),
    ),
    make("p", {}, last),
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

/** What the switch for sinks does, in words. */
export function sinkNote(maps: Maps, { sinks, factors }: Shown): string {
  if (sinks.length === 0) return "No column has a mean above 30 %.";
  const some = sinks
    .slice(0, 4)
    .map(({ column, mean }) => `“${token(maps.columns[column]!)}” (${percent(mean)})`);
  const list = some.join(", ") + (sinks.length > 4 ? ", …" : "");
  const [columns, are] = sinks.length === 1 ? ["column", "is"] : ["columns", "are"];
  if (!factors) return `${sinks.length} ${columns} with a mean above 30 %: ${list}.`;
  return `${sinks.length} ${columns} with a mean above 30 % ${are} hidden: ${list}. Each row is rescaled to what is left.`;
}

export const HINT =
  "Point at a cell, touch it or go there with the arrow keys to read its weight; click or press Enter to lock it. Drag, or hold Shift with the arrow keys, to select; Escape gives up.";

/** What is drawn, and how it is to be read. */
export function caption(
  { rows, columns }: Maps,
  choice: Choice,
  picture: AttentionPicture,
): string {
  const [queries, keys] = [`${rows.length} queries`, `${columns.length} keys`];
  const ways = {
    map: `${queries} ↓ in rows, ${keys} → in columns`,
    lines: `${queries} at the left, ${keys} at the right, each query’s strongest weights`,
    image: `${keys}; what a query has little weight for is veiled`,
  };
  return `${nameOf(choice)}: ${ways[picture]}`;
}
