// All layers and heads, and their means, as thumbnails: one of them is chosen.

import { reader } from "../check/names";
import { pixelsOf, squares } from "./colours";
import { make, radio } from "./dom";
import type { Maps } from "./maps";
import { NAME } from "./refusal";
import { meanOf } from "./shown";
import type { AttentionChoice } from "./types";

/** Dots of a thumbnail. */
const SIDE = 48;
/** Milliseconds of drawing without a pause. */
const SLICE = 8;

export type Choice = AttentionChoice;

/** Layer by layer its heads and, where there are several, their mean; last the mean of all. */
export function choicesOf({ weights: { layers, heads } }: Maps): Choice[] {
  const choices: Choice[] = [];
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) choices.push({ layer, head });
    if (heads > 1) choices.push({ layer, head: undefined });
  }
  if (layers > 1) choices.push({ layer: undefined, head: undefined });
  return choices;
}

const read = reader<AttentionChoice>({ layer: 1, head: 1 });

/** Its place among all choices; −1 for what is none. */
export function choiceAt(maps: Maps, choice: unknown): number {
  const { layer, head } = read(NAME, choice, "chosen");
  return choicesOf(maps).findIndex((each) => each.layer === layer && each.head === head);
}

export function nameOf({ layer, head }: Choice): string {
  if (layer === undefined) return "mean of all";
  return `layer ${layer + 1}, ${head === undefined ? "mean" : `head ${head + 1}`}`;
}

/** The layers and heads that a choice is the mean of. */
export function partsOf({ weights }: Maps, { layer, head }: Choice): [number, number][] {
  const parts: [number, number][] = [];
  for (let at = 0; at < weights.layers * weights.heads; at++) {
    const part: [number, number] = [Math.floor(at / weights.heads), at % weights.heads];
    if (part[0] === (layer ?? part[0]) && part[1] === (head ?? part[1])) parts.push(part);
  }
  return parts;
}

export class Overview {
  readonly element = make("div", { part: "overview", role: "radiogroup", "aria-label": "Head" });
  readonly #choose: (index: number) => void;
  #drawn: readonly unknown[] = [];
  #shape = "";

  constructor(choose: (index: number) => void) {
    this.#choose = choose;
  }

  show(maps: Maps, chosen: number, ramp: Uint8Array): void {
    const { layers, heads } = maps.weights;
    const choices = choicesOf(maps);
    this.element.hidden = choices.length < 2;
    if (this.#shape !== `${layers} ${heads}`) {
      this.#shape = `${layers} ${heads}`;
      this.element.style.setProperty("--across", `${heads + Number(heads > 1)}`);
      // "1 · 10" is wider than a thumbnail may be.
      this.element.style.setProperty("--least", heads < 10 ? "2.4rem" : "3.7rem");
      this.element.replaceChildren(
        ...choices.map((choice, at) => {
          const title = nameOf(choice);
          const short = title.replace("layer ", "").replace(/, (head )?/, " · ");
          return make("label", { part: "thumbnail", title }, ...this.#parts(at, title, short));
        }),
      );
    }
    this.element.querySelectorAll("input")[chosen]!.checked = true;
    if (this.#drawn[0] === maps && this.#drawn[1] === ramp) return;
    const drawn = [maps, ramp];
    this.#drawn = drawn;
    const small: Float32Array[] = [];
    const canvases = this.element.querySelectorAll("canvas");
    // Some at a time; given up when others are to be drawn.
    const draw = (at: number) => {
      if (this.#drawn !== drawn) return;
      const end = performance.now() + SLICE;
      do {
        paint(canvases[at]!, maps, ramp, thumbnail(maps, choices[at]!, small));
        at++;
      } while (at < choices.length && performance.now() < end);
      if (at < choices.length) setTimeout(draw, 0, at);
    };
    draw(0);
  }

  #parts(at: number, name: string, short: string): HTMLElement[] {
    const input = radio("head", at, this.#choose);
    input.setAttribute("aria-label", name);
    return [input, make("canvas"), make("span", { "aria-hidden": "true" }, short)];
  }
}

/** The mean of its heads' squares; `small` keeps those of each head. */
function thumbnail(maps: Maps, choice: Choice, small: Float32Array[]): Float32Array {
  const { weights, span } = maps;
  const { rows, columns, heads } = weights;
  const region = { row: 0, column: 0, rows, columns };
  const hidden = new Uint8Array(columns);
  const parts = partsOf(maps, choice).map(([layer, head]) => {
    const shown = { columns, hidden, weights: weights.at(layer, head), factors: undefined };
    const place = layer * heads + head;
    small[place] ??= squares(shown, span, region, sizeOf(maps));
    return small[place];
  });
  return meanOf(parts);
}

const sizeOf = ({ weights: { rows, columns } }: Maps) =>
  [Math.min(columns, SIDE), Math.min(rows, SIDE)] as const;

function paint(canvas: HTMLCanvasElement, maps: Maps, ramp: Uint8Array, found: Float32Array) {
  const [width, height] = sizeOf(maps);
  const largest = found.reduce((most, weight) => Math.max(most, weight), 0);
  Object.assign(canvas, { width, height });
  const pixels = new ImageData(pixelsOf(found, largest, ramp), width, height);
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
