// A head as lines from the list of queries to the list of keys, the strongest of each row.

import { type Frame, within } from "./layout";
import { type Picture, type Room, type Scene, shortened } from "./scene";
import { strongest, weightAt } from "./shown";

/** Of a token. */
const LINE = 20;
/** Lines of a row, and of a column that is looked at. */
const STRONGEST = 5;
const ARRIVING = 40;
/** Weights that are too little for a line, as a share of the largest. */
const FAINT = 0.02;

export interface Line {
  readonly row: number;
  readonly column: number;
  readonly share: number;
}

/** Of a row, as shares of the head's largest weight. */
export function linesOf({ shown }: Scene, row: number): Line[] {
  return strongest(shown, row, STRONGEST)
    .map(([column, weight]) => ({ row, column, share: weight / shown.largest }))
    .filter(({ share }) => share >= FAINT);
}

function linesTo({ shown }: Scene, column: number): Line[] {
  return Array.from({ length: shown.rows }, (_, row) => ({
    row,
    column,
    share: weightAt(shown, row, column) / shown.largest,
  }))
    .filter(({ share }) => share >= FAINT)
    .sort((a, b) => b.share - a.share)
    .slice(0, ARRIVING);
}

export function linesPicture(scene: Scene, { width: full }: Room): Picture {
  const { rows, columns } = scene.shown;
  const width = Math.min(full, 900);
  const [from, to] = [width * 0.3, width * 0.7];
  return {
    width,
    height: Math.max(rows, columns) * LINE,
    reveal: ({ x, y, height }, { row, column }) => {
      const top = (scene.at.side === "column" ? column : row) * LINE;
      return [x, top < y ? top : Math.max(y, top + LINE - height)];
    },
    hit({ y }, [px, py], near) {
      const side = px < width / 2 ? "row" : "column";
      const last = side === "row" ? rows - 1 : columns - 1;
      const place = Math.floor((py + y) / LINE);
      const at = within(place, last + 1);
      if (!near && at !== place) return undefined;
      if (side === "column") return { row: scene.at.row, column: at, side };
      const [most] = strongest(scene.shown, at, 1);
      return { row: at, column: most ? most[0] : scene.at.column, side };
    },
    paint(context, frame) {
      context.fillStyle = scene.palette.paper;
      context.fillRect(0, 0, frame.width, frame.height);
      paintLines(context, scene, frame, [from, to]);
      paintTokens(context, scene, frame, [from, to]);
    },
  };
}

function paintLines(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { y, height }: Frame,
  [from, to]: readonly [number, number],
): void {
  const { at, looking, palette, shown } = scene;
  const middle = (place: number) => (place + 0.5) * LINE - y;
  const draw = ({ row, column, share }: Line, faint: boolean) => {
    context.globalAlpha = faint ? 0.05 + share * 0.2 : 0.2 + Math.sqrt(share) * 0.8;
    context.lineWidth = 1 + 3 * share;
    context.beginPath();
    context.moveTo(from + 8, middle(row));
    const bend = (to - from) / 3;
    context.bezierCurveTo(
      from + bend,
      middle(row),
      to - bend,
      middle(column),
      to - 8,
      middle(column),
    );
    context.stroke();
  };
  context.strokeStyle = palette.accent;
  const first = Math.max(Math.floor(y / LINE), 0);
  const end = Math.min(Math.ceil((y + height) / LINE), shown.rows);
  for (let row = first; row < end; row++)
    for (const line of linesOf(scene, row)) draw(line, looking);
  if (looking) {
    const chosen = at.side === "column" ? linesTo(scene, at.column) : linesOf(scene, at.row);
    for (const line of chosen) draw(line, false);
  }
  context.globalAlpha = 1;
}

function paintTokens(
  context: CanvasRenderingContext2D,
  { maps, palette, at, looking }: Scene,
  { width, height, y }: Frame,
  [from, to]: readonly [number, number],
): void {
  context.textBaseline = "middle";
  const write = (
    labels: readonly string[],
    chosen: number,
    [x, room]: readonly [number, number],
  ) => {
    const end = Math.min(Math.ceil((y + height) / LINE), labels.length);
    for (let at = Math.max(Math.floor(y / LINE), 0); at < end; at++) {
      const own = looking && at === chosen;
      context.fillStyle = own ? palette.accent : palette.ink;
      context.font = own ? `bold ${palette.font}` : palette.font;
      context.fillText(shortened(context, labels[at]!, room), x, (at + 0.5) * LINE - y);
    }
  };
  context.textAlign = "right";
  write(maps.rows, at.row, [from, from - 6]);
  context.textAlign = "left";
  write(maps.columns, at.column, [to, width - to - 6]);
}
