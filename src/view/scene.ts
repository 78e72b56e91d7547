// What a picture of a head is made of, and what every picture can do.

import type { Region } from "./colours";
import { pixelsOf, squares } from "./colours";
import type { Cell, Frame } from "./layout";
import type { Maps } from "./maps";
import type { Shown } from "./shown";
import type { Drawing } from "./svg";
import type { AttentionSelection } from "./types";
import { token } from "./words";

export interface Palette {
  readonly ink: string;
  readonly soft: string;
  readonly paper: string;
  readonly line: string;
  readonly accent: string;
  /** Of 12 pixels. */
  readonly font: string;
}

export interface Scene {
  readonly maps: Maps;
  readonly shown: Shown;
  readonly ramp: Uint8Array;
  readonly palette: Palette;
  readonly at: Hit;
  /** Whether someone looks at it. */
  readonly looking: boolean;
  readonly locked: boolean;
  readonly selection: AttentionSelection | undefined;
}

/** A cell, and whether it was found as one, or by its row's or its column's token. */
export interface Hit extends Cell {
  readonly side?: "row" | "column";
}

export interface Picture {
  /** The whole of it. */
  readonly width: number;
  readonly height: number;
  paint(context: CanvasRenderingContext2D, frame: Frame): void;
  hit(frame: Frame, point: readonly [number, number], near?: boolean): Hit | undefined;
  /** How far to go so that a cell is seen. */
  reveal(frame: Frame, cell: Cell): readonly [x: number, y: number];
  /** Where the arrow key downwards leads, if not to the next row. */
  readonly down?: Cell;
}

export interface Room {
  readonly width: number;
  readonly height: number;
}

export function strokeBox(
  context: CanvasRenderingContext2D,
  colour: string,
  width: number,
  box: readonly [number, number, number, number],
): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(...box);
}

/** A token, and as much of it as there is room for. */
export function shortened(context: CanvasRenderingContext2D, text: string, room: number): string {
  const whole = token(text);
  if (context.measureText(whole).width <= room) return whole;
  const letters = [...whole].slice(0, -1);
  while (letters.length > 1 && context.measureText(letters.join("")).width > room - 10)
    letters.pop();
  return `${letters.join("")}…`;
}

/** A pixel for each cell, or for each dot of the screen where cells are smaller; kept while it is the same. */
export class Raster {
  readonly #canvas = document.createElement("canvas");
  #made: readonly unknown[] = [];

  of(
    { shown, maps, ramp }: Scene,
    region: Region,
    [width, height]: readonly [number, number],
  ): HTMLCanvasElement {
    const made = [shown, ramp, width, height, ...Object.values(region)];
    if (made.every((value, at) => value === this.#made[at])) return this.#canvas;
    this.#made = made;
    this.#canvas.width = width;
    this.#canvas.height = height;
    const found = squares(shown, maps.span, region, [width, height]);
    const pixels = new ImageData(pixelsOf(found, shown.largest, ramp), width, height);
    this.#canvas.getContext("2d")?.putImageData(pixels, 0, 0);
    return this.#canvas;
  }
}

/** Squares in a row or column of an exported map at most. */
const MOST = 128;

export function drawingOf({ maps, shown, palette, ramp }: Scene): Drawing {
  const [width, height] = [Math.min(shown.columns, MOST), Math.min(shown.rows, MOST)];
  const region = { row: 0, column: 0, rows: shown.rows, columns: shown.columns };
  const data = pixelsOf(squares(shown, maps.span, region, [width, height]), shown.largest, ramp);
  const { pageSize } = maps;
  const [rows, columns] = [maps.rows.map(token), maps.columns.map(token)];
  return { palette, rows, columns, pageSize, squares: { data, width, height } };
}
