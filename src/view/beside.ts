// What stands around the picture, and what it says of it.

import { pixelsOf } from "./colours";
import { make } from "./dom";
import type { Cell } from "./layout";
import type { Maps } from "./maps";
import { type Choice, nameOf } from "./overview";
import type { Scene } from "./scene";
import { type Shown, weightAt } from "./shown";
import type { AttentionPicture } from "./types";
import { percent, token } from "./words";

const HINT =
  "Point, tap or use the arrow keys to read a weight; click or Enter locks it. Drag, or Shift with the arrow keys, selects; Escape gives up.";

/** Sinks that are named. */
const SOME = 4;
/** The scale from nothing to the largest weight. */
const EVEN = Float32Array.from({ length: 256 }, (_, step) => step / 255);

type Element = { readonly element: HTMLElement };
export type Parts = ReturnType<typeof partsBeside>;

export function partsBeside([toolbar, overview, stage]: readonly [Element, Element, Element]) {
  const axes = make("p", { part: "note" });
  const scale = make("canvas", { width: "256", height: "1" });
  const most = make("span");
  const reading = make("output", { part: "reading" });
  const sinks = make("p", { part: "note" });
  const panels = make("div");
  const row = make("input", { type: "range", min: "0", "aria-label": "Query" });
  const rowName = make("span");
  const rowLine = make("label", { part: "row" }, "query", row, rowName);
  const picture = make(
    "div",
    { part: "picture" },
    axes,
    stage.element,
    rowLine,
    make("p", { part: "scale" }, "0", scale, most),
    reading,
    make("p", { part: "note", id: "hint" }, HINT),
    sinks,
    panels,
  );
  const main = make("div", { part: "main" }, overview.element, picture);
  const view = make("div", { part: "view", hidden: "" }, toolbar.element, main);
  return { view, axes, scale, most, reading, sinks, panels, row, rowName, rowLine };
}

export function describeBeside(
  parts: Parts,
  { maps, shown, ramp, at }: Scene,
  choice: Choice,
  picture: AttentionPicture,
): void {
  const pixels = new ImageData(pixelsOf(EVEN, 1, ramp), EVEN.length, 1);
  parts.scale.getContext("2d")?.putImageData(pixels, 0, 0);
  parts.most.textContent = percent(shown.largest);
  parts.axes.textContent = caption(maps, choice, picture);
  parts.rowLine.hidden = picture !== "image";
  parts.row.value = `${at.row}`;
  parts.rowName.textContent = token(maps.rows[at.row]!);
  parts.row.setAttribute("aria-valuetext", token(maps.rows[at.row]!));
  parts.sinks.textContent = sinkNote(maps, shown);
}

/** What is drawn, and how it is to be read. */
function caption({ rows, columns }: Maps, choice: Choice, picture: AttentionPicture): string {
  const [queries, keys] = [`${rows.length} queries`, `${columns.length} keys`];
  const ways = {
    map: `${queries} ↓ in rows, ${keys} → in columns`,
    lines: `${queries} at the left, ${keys} at the right, each query’s strongest weights`,
    image: `${keys}; what a query has little weight for is veiled`,
  };
  return `${nameOf(choice)}: ${ways[picture]}`;
}

/** What the switch for sinks does, in words. */
function sinkNote(maps: Maps, { sinks, factors }: Shown): string {
  const list = sinks
    .slice(0, SOME)
    .map(({ column, mean }) => ` “${token(maps.columns[column]!)}” (${percent(mean)})`);
  const more = sinks.length > SOME ? ", …" : "";
  const hidden = factors ? " Hidden, and each row rescaled to what is left." : "";
  return `Columns with a mean above 30 %:${list.join() || " none"}${more}.${hidden}`;
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
