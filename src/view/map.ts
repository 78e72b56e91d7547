// A head as a heat map: only the cells that are seen are drawn.

import {
  cellAt,
  type Frame,
  heightOf,
  type Layout,
  labelStep,
  readableCell,
  reveal,
  visibleCells,
  wholeCell,
  widthOf,
} from "./layout";
import type { Picture, Raster, Scene } from "./scene";
import type { AttentionSelection } from "./types";
import { token } from "./words";

/** Sizes from which lines between cells, and between pages, are of use. */
const [GAPS, PAGES] = [9, 4];
/** Of a label at most, as a share of the picture's width, and in pixels. */
const [SHARE, WIDEST] = [0.28, 150];
const SOME = 1000;

export function mapPicture(
  scene: Scene,
  measure: CanvasRenderingContext2D,
  { room, cell, raster }: { room: Room; cell: number | "whole" | undefined; raster: Raster },
): Picture & { readonly layout: Layout } {
  const { rows, columns } = scene.shown;
  measure.font = scene.palette.font;
  const widest = (labels: readonly string[]) => {
    const widths = labels.slice(0, SOME).map((label) => measure.measureText(token(label)).width);
    return Math.ceil(Math.min(Math.max(...widths), room.width * SHARE, WIDEST)) + 10;
  };
  const [left, top] = [widest(scene.maps.rows), widest(scene.maps.columns)];
  const [width, height] = [room.width - left, room.height - top];
  const side =
    cell === "whole"
      ? wholeCell(width, height, rows, columns)
      : (cell ?? readableCell(width, columns));
  const layout = { rows, columns, cell: side, left, top };
  return {
    layout,
    width: widthOf(layout),
    height: heightOf(layout),
    hit: (frame, point, near) => cellAt(layout, frame, point, near),
    reveal: (frame, at) => reveal(layout, frame, at),
    steps: [
      { row: 0, column: 1 },
      { row: 1, column: 0 },
    ],
    paint(context, frame) {
      paintCells(context, { scene, layout, frame, raster });
      paintMarks(context, { scene, layout, frame });
      paintLabels(context, { scene, layout, frame });
    },
  };
}

export interface Room {
  readonly width: number;
  readonly height: number;
}

interface Painting {
  readonly scene: Scene;
  readonly layout: Layout;
  readonly frame: Frame;
}

function paintCells(
  context: CanvasRenderingContext2D,
  { scene, layout, frame, raster }: Painting & { raster: Raster },
): void {
  const { palette, maps } = scene;
  const { left, top, cell } = layout;
  const seen = visibleCells(layout, frame);
  const [x, y] = [left + seen.column * cell - frame.x, top + seen.row * cell - frame.y];
  const [width, height] = [seen.columns * cell, seen.rows * cell];
  context.fillStyle = palette.paper;
  context.fillRect(0, 0, frame.width, frame.height);
  if (width === 0 || height === 0) return;
  context.fillStyle = hatch(context, palette.line) ?? palette.line;
  context.fillRect(x, y, width, height);
  const dots = (count: number) => (cell < 1 ? Math.max(1, Math.round(count * cell)) : count);
  context.imageSmoothingEnabled = false;
  const picture = raster.of(scene, seen, [dots(seen.columns), dots(seen.rows)]);
  context.drawImage(picture, x, y, width, height);

  const line = (at: number, across: boolean) => {
    if (across) context.fillRect(x, Math.round(y + at) - 0.5, width, 1);
    else context.fillRect(Math.round(x + at) - 0.5, y, 1, height);
  };
  if (cell >= GAPS) {
    context.fillStyle = palette.paper;
    for (let i = 1; i < seen.rows; i++) line(i * cell, true);
    for (let j = 1; j < seen.columns; j++) line(j * cell, false);
  }
  const { pageSize } = maps;
  if (pageSize === undefined || pageSize * cell < PAGES) return;
  context.fillStyle = palette.ink;
  const first = Math.ceil(Math.max(seen.column, 1) / pageSize) * pageSize;
  for (let j = first; j < seen.column + seen.columns; j += pageSize)
    line((j - seen.column) * cell, false);
}

function hatch(context: CanvasRenderingContext2D, colour: string): CanvasPattern | null {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 6;
  const pen = canvas.getContext("2d");
  if (!pen) return null;
  pen.strokeStyle = colour;
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift, 6);
    pen.lineTo(shift + 6, 0);
  }
  pen.stroke();
  return context.createPattern(canvas, "repeat");
}

function paintMarks(context: CanvasRenderingContext2D, { scene, layout, frame }: Painting): void {
  const { left, top, cell } = layout;
  const { selection, palette, at, looking, locked } = scene;
  const box = ({ rows, columns }: AttentionSelection) =>
    [
      left + columns[0] * cell - frame.x,
      top + rows[0] * cell - frame.y,
      (columns[1] - columns[0] + 1) * cell,
      (rows[1] - rows[0] + 1) * cell,
    ] as const;
  if (selection) {
    context.strokeStyle = palette.accent;
    context.lineWidth = 2;
    context.setLineDash([5, 3]);
    context.strokeRect(...box(selection));
    context.setLineDash([]);
  }
  if (!looking) return;
  const [x, y, width, height] = box({ rows: [at.row, at.row], columns: [at.column, at.column] });
  const [w, h] = [Math.max(width, 5), Math.max(height, 5)];
  for (const [colour, wide] of [
    [palette.paper, 5],
    [locked ? palette.accent : palette.ink, 2.5],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.strokeRect(x, y, w, h);
  }
}

function paintLabels(context: CanvasRenderingContext2D, { scene, layout, frame }: Painting): void {
  const { maps, palette, at, looking } = scene;
  const { left, top, cell } = layout;
  const seen = visibleCells(layout, frame);
  context.fillStyle = palette.paper;
  context.fillRect(0, 0, left, frame.height);
  context.fillRect(0, 0, frame.width, top);
  context.textBaseline = "middle";
  const step = labelStep(cell);
  const write = (labels: readonly string[], chosen: number, across: boolean) => {
    const [from, count] = across ? [seen.column, seen.columns] : [seen.row, seen.rows];
    const first = Math.ceil(from / step) * step;
    const places = [];
    for (let at = first; at < from + count; at += step) places.push(at);
    const shown = looking && chosen >= from && chosen < from + count;
    // Where there is no room for both, the one that is looked at.
    const others = places.filter((at) => !shown || Math.abs(at - chosen) >= step);
    for (const at of shown ? [...others, chosen] : others) {
      const own = shown && at === chosen;
      context.fillStyle = own ? palette.accent : palette.soft;
      context.font = own ? `bold ${palette.font}` : palette.font;
      const middle = (at + 0.5) * cell;
      if (across) label(context, labels[at]!, [left + middle - frame.x, top - 5, top - 10, true]);
      else label(context, labels[at]!, [left - 5, top + middle - frame.y, left - 10, false]);
    }
  };
  context.save();
  clip(context, left, 0, frame.width - left, top);
  write(maps.columns, at.column, true);
  context.restore();
  context.save();
  clip(context, 0, top, left, frame.height - top);
  write(maps.rows, at.row, false);
  context.restore();
}

function clip(context: CanvasRenderingContext2D, ...box: [number, number, number, number]) {
  context.beginPath();
  context.rect(...box);
  context.clip();
}

/** Upwards from its place, or leftwards. */
function label(
  context: CanvasRenderingContext2D,
  text: string,
  [x, y, room, upwards]: readonly [number, number, number, boolean],
): void {
  context.save();
  context.translate(x, y);
  if (upwards) context.rotate(-Math.PI / 2);
  context.textAlign = upwards ? "left" : "right";
  context.fillText(shortened(context, token(text), room), 0, 0);
  context.restore();
}

export function shortened(context: CanvasRenderingContext2D, text: string, room: number): string {
  let part = text;
  while (part.length > 1 && context.measureText(part === text ? text : `${part}…`).width > room)
    part = part.slice(0, -1);
  return part === text ? text : `${part}…`;
}
