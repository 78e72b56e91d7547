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
import { type Picture, type Raster, type Room, type Scene, shortened, strokeBox } from "./scene";
import { token } from "./words";

/** Sizes from which lines between cells, and between pages, are of use. */
const [GAPS, PAGES] = [9, 4];
/** Of a label at most, as a share of the picture's width, and in pixels. */
const [SHARE, WIDEST] = [0.28, 150];
/** Labels that are measured: the longest. */
const SOME = 60;
const widths = new WeakMap<readonly string[], number>();

function widthOfAll(measure: CanvasRenderingContext2D, labels: readonly string[]): number {
  let width = widths.get(labels);
  if (width === undefined) {
    const longest = [...labels].sort((a, b) => b.length - a.length).slice(0, SOME);
    width = Math.max(...longest.map((label) => measure.measureText(token(label)).width));
    widths.set(labels, width);
  }
  return width;
}

export function mapPicture(
  scene: Scene,
  measure: CanvasRenderingContext2D,
  { room, cell, raster }: { room: Room; cell: number | "whole" | undefined; raster: Raster },
): Picture & { readonly layout: Layout } {
  const { rows, columns } = scene.shown;
  // That of the cell which is looked at is the widest.
  measure.font = `bold ${scene.palette.font}`;
  const widest = (labels: readonly string[]) =>
    Math.ceil(Math.min(widthOfAll(measure, labels), room.width * SHARE, WIDEST)) + 10;
  const [left, top] = [widest(scene.maps.rows), widest(scene.maps.columns)];
  const [width, height] = [room.width - left, room.height - top];
  const side =
    cell === "whole"
      ? wholeCell([width, height], rows, columns)
      : (cell ?? readableCell(width, columns));
  const layout = { rows, columns, cell: side, left, top };
  return {
    layout,
    width: widthOf(layout),
    height: heightOf(layout),
    hit: (frame, point, near) => cellAt(layout, frame, point, near),
    reveal: (frame, at) => reveal(layout, frame, at),
    paint(context, frame) {
      context.fillStyle = scene.palette.paper;
      context.fillRect(0, 0, frame.width, frame.height);
      paintCells(context, { scene, layout, frame, raster });
      paintMarks(context, { scene, layout, frame, raster });
      paintLabels(context, { scene, layout, frame, raster });
    },
  };
}

interface Painting {
  readonly scene: Scene;
  readonly layout: Layout;
  readonly frame: Frame;
  readonly raster: Raster;
}

function paintCells(
  context: CanvasRenderingContext2D,
  { scene, layout, frame, raster }: Painting,
): void {
  const { palette, maps } = scene;
  const { left, top, cell } = layout;
  const seen = visibleCells(layout, frame);
  if (seen.rows * seen.columns === 0) return;
  const [x, y] = [left + seen.column * cell - frame.x, top + seen.row * cell - frame.y];
  const [width, height] = [seen.columns * cell, seen.rows * cell];
  context.fillStyle = hatch(context, palette.line);
  context.fillRect(x, y, width, height);
  const dots = (count: number) => Math.ceil(count * Math.min(cell, 1));
  context.imageSmoothingEnabled = false;
  const picture = raster.of(scene, seen, [dots(seen.columns), dots(seen.rows)]);
  context.drawImage(picture, x, y, width, height);

  const down = (from: number, by: number) => {
    for (let j = from; j < seen.columns; j += by)
      context.fillRect(Math.round(x + j * cell) - 0.5, y, 1, height);
  };
  if (cell >= GAPS) {
    context.fillStyle = palette.paper;
    down(1, 1);
    for (let i = 1; i < seen.rows; i++)
      context.fillRect(x, Math.round(y + i * cell) - 0.5, width, 1);
  }
  const { pageSize = 0 } = maps;
  if (pageSize * cell < PAGES) return;
  context.fillStyle = palette.ink;
  down(pageSize - (seen.column % pageSize), pageSize);
}

function hatch(context: CanvasRenderingContext2D, colour: string): CanvasPattern | string {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 6;
  const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
  pen.strokeStyle = colour;
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift, 6);
    pen.lineTo(shift + 6, 0);
  }
  pen.stroke();
  return context.createPattern(canvas, "repeat") ?? colour;
}

function paintMarks(context: CanvasRenderingContext2D, { scene, layout, frame }: Painting): void {
  const { left, top, cell } = layout;
  const { selection, palette, at, looking, locked } = scene;
  const [x, y] = [left - frame.x, top - frame.y];
  const least = (cells: number) => Math.max(cells * cell, 5);
  if (selection) {
    const { rows, columns } = selection;
    const size = [least(columns[1] - columns[0] + 1), least(rows[1] - rows[0] + 1)] as const;
    context.setLineDash([5, 3]);
    strokeBox(context, palette.accent, 2, [x + columns[0] * cell, y + rows[0] * cell, ...size]);
    context.setLineDash([]);
  }
  if (!looking) return;
  const box = [x + at.column * cell, y + at.row * cell, least(1), least(1)] as const;
  strokeBox(context, palette.paper, 5, box);
  strokeBox(context, locked ? palette.accent : palette.ink, 2.5, box);
}

/** Where there is no room for all, that of the cell which is looked at before others. */
function paintLabels(context: CanvasRenderingContext2D, { scene, layout, frame }: Painting): void {
  const { maps, palette, at, looking } = scene;
  const { left, top, cell } = layout;
  const seen = visibleCells(layout, frame);
  context.textBaseline = "middle";
  const step = labelStep(cell);
  const write = (labels: readonly string[], room: number, across: boolean) => {
    const [from, count, chosen] = across
      ? [seen.column, seen.columns, at.column]
      : [seen.row, seen.rows, at.row];
    const inside = looking && chosen >= from && chosen < from + count;
    context.save();
    context.fillStyle = palette.paper;
    context.beginPath();
    if (across) context.rect(left, 0, frame.width - left, top);
    else context.rect(0, top, left, frame.height - top);
    context.fill();
    context.clip();
    for (let place = from; place < from + count; place++) {
      const own = inside && place === chosen;
      if (!own && (place % step || (inside && Math.abs(place - chosen) < step))) continue;
      let middle = (place + 0.5) * cell - (across ? frame.x : frame.y);
      // What is looked at is read whole, at the edges too.
      const end = across ? frame.width - left : frame.height - top;
      if (own) middle = Math.min(Math.max(middle, 7), end - 7);
      context.save();
      if (across) context.translate(left + middle, top - 5);
      else context.translate(left - 5, top + middle);
      if (across) context.rotate(-Math.PI / 2);
      context.textAlign = across ? "left" : "right";
      context.fillStyle = own ? palette.accent : palette.soft;
      context.font = `${own ? "bold " : ""}${palette.font}`;
      context.fillText(shortened(context, labels[place]!, room - 10), 0, 0);
      context.restore();
    }
    context.restore();
  };
  write(maps.columns, top, true);
  write(maps.rows, left, false);
  context.fillStyle = palette.paper;
  context.fillRect(0, 0, left, top);
}
