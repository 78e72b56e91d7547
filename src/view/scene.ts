// What a picture of a head is made of, and what every picture can do.

import type { Region } from "./colours";
import { pixelsOf, squares } from "./colours";
import type { Frame } from "./layout";
import type { Maps } from "./maps";
import type { Shown } from "./shown";
import type { Cell } from "./sums";
import type { AttentionSelection } from "./types";

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
  /** Cells that an arrow key goes to the right and downwards. */
  readonly steps: readonly [right: Cell, down: Cell];
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
