// Where cells lie: a matrix of rows × columns squares of one size behind a window, with labels at the
// left and at the top that do not move. Lengths in CSS pixels.

import type { AttentionSelection } from "./types";

export interface Cell {
  readonly row: number;
  readonly column: number;
}

export interface Layout {
  readonly rows: number;
  readonly columns: number;
  /** The side of a cell. */
  readonly cell: number;
  /** Room for labels. */
  readonly left: number;
  readonly top: number;
}

/** What is seen: the window's size and how far it has gone. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
}

/** Cells as large as fit in the width, but large enough for words and no larger than is of use. */
const [READABLE, LARGEST] = [14, 36];
/** Space between two labels. */
const LINE = 13;

export const readableCell = (width: number, columns: number) =>
  Math.min(Math.max(Math.floor(width / columns), READABLE), LARGEST);

/** The size at which all of it is seen, by halves of a pixel where there is room for one. */
export function wholeCell(
  [width, height]: readonly [number, number],
  rows: number,
  columns: number,
): number {
  const fits = Math.min(width / columns, height / rows, LARGEST);
  return fits < 1 ? fits : Math.floor(fits * 2) / 2;
}

/** A place among so many. */
export const within = (at: number, count: number) => Math.min(Math.max(at, 0), count - 1);

export const widthOf = ({ left, columns, cell }: Layout) => left + Math.ceil(columns * cell);
export const heightOf = ({ top, rows, cell }: Layout) => top + Math.ceil(rows * cell);

/** The cells of which something is seen. */
export function visibleCells(layout: Layout, { width, height, x, y }: Frame) {
  const { rows, columns, cell, left, top } = layout;
  const run = (from: number, room: number, count: number) => {
    const first = within(Math.floor(from / cell), count);
    const last = within(Math.ceil((from + room) / cell) - 1, count);
    return [first, room > 0 ? last - first + 1 : 0] as const;
  };
  const [row, seenRows] = run(y, height - top, rows);
  const [column, seenColumns] = run(x, width - left, columns);
  return { row, column, rows: seenRows, columns: seenColumns };
}

/** The cell at a point of the window; nearest to it where `near`. */
export function cellAt(
  layout: Layout,
  { x, y }: Frame,
  [px, py]: readonly [number, number],
  near = false,
): Cell | undefined {
  const { rows, columns, cell, left, top } = layout;
  const row = Math.floor((py - top + y) / cell);
  const column = Math.floor((px - left + x) / cell);
  const cellNear = { row: within(row, rows), column: within(column, columns) };
  const inside = py >= top && px >= left && cellNear.row === row && cellNear.column === column;
  return inside || near ? cellNear : undefined;
}

/** How far a window has to go so that a cell is seen. */
export function reveal(layout: Layout, frame: Frame, { row, column }: Cell): [number, number] {
  const to = (at: number, from: number, room: number) => {
    const start = at * layout.cell;
    const end = start + layout.cell;
    return start < from ? start : end > from + room ? end - room : from;
  };
  return [
    to(column, frame.x, frame.width - layout.left),
    to(row, frame.y, frame.height - layout.top),
  ];
}

/** Every how many tokens there is room for a label. */
export const labelStep = (cell: number) => Math.max(1, Math.ceil(LINE / cell));

/** From one corner to the other. */
export function between(a: Cell, b: Cell): AttentionSelection {
  const sorted = (from: number, to: number) => [Math.min(from, to), Math.max(from, to)] as const;
  return { rows: sorted(a.row, b.row), columns: sorted(a.column, b.column) };
}
