// All layers and heads, and their means, as thumbnails: one of them is chosen.

import { pixelsOf, thumbnail } from "./colours";
import { make, radio } from "./dom";
import type { Maps } from "./maps";
import { meanOf } from "./shown";

/** Dots of a thumbnail, and milliseconds of drawing at a time. */
const [SIDE, SLICE] = [48, 8];

export interface Choice {
  /** Undefined for the mean of all. */
  readonly layer: number | undefined;
  /** Undefined for a mean. */
  readonly head: number | undefined;
}

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

export function nameOf({ layer, head }: Choice): string {
  if (layer === undefined) return "mean of all";
  return `layer ${layer + 1}, ${head === undefined ? "mean" : `head ${head + 1}`}`;
}

export function partsOf({ weights }: Maps, { layer, head }: Choice): Float32Array[] {
  const range = (one: number | undefined, count: number) =>
    one === undefined ? Array.from({ length: count }, (_, at) => at) : [one];
  return range(layer, weights.layers).flatMap((layer) =>
    range(head, weights.heads).map((head) => weights.at(layer, head)),
  );
}

export class Overview {
  readonly element = make("div", { part: "overview", role: "radiogroup", "aria-label": "Head" });
  readonly #choose: (index: number) => void;
  #maps: Maps | undefined;
  #ramp: Uint8Array | undefined;
  #shape = "";
  /** Of each layer and head. */
  #small: ReturnType<typeof thumbnail>[] = [];

  constructor(choose: (index: number) => void) {
    this.#choose = choose;
  }

  show(maps: Maps, chosen: number, ramp: Uint8Array): void {
    const { layers, heads } = maps.weights;
    const choices = choicesOf(maps);
    this.element.hidden = choices.length < 2;
    if (this.#shape !== `${layers}·${heads}`) {
      this.#shape = `${layers}·${heads}`;
      this.element.style.setProperty("--across", `${heads + (heads > 1 ? 1 : 0)}`);
      this.element.replaceChildren(...choices.map((choice, at) => this.#option(choice, at)));
    }
    this.element.querySelectorAll("input")[chosen]!.checked = true;
    if (this.#maps === maps && this.#ramp === ramp) return;
    if (this.#maps !== maps) this.#small = [];
    this.#maps = maps;
    this.#ramp = ramp;
    this.#draw(choices, 0);
  }

  #option(choice: Choice, at: number): HTMLElement {
    const name = nameOf(choice);
    const input = radio("head", at, this.#choose);
    input.setAttribute("aria-label", name);
    const title = make("span", { "aria-hidden": "true" }, shortName(choice));
    return make("label", { part: "thumbnail", title: name }, input, make("canvas"), title);
  }

  /** A few at a time; given up when others are to be drawn. */
  #draw(choices: readonly Choice[], from: number): void {
    const [maps, ramp] = [this.#maps as Maps, this.#ramp as Uint8Array];
    const canvases = this.element.querySelectorAll("canvas");
    const begun = performance.now();
    let at = from;
    while (at < choices.length && performance.now() - begun < SLICE) {
      this.#paint(canvases[at]!, choices[at]!);
      at++;
    }
    if (at === choices.length) return;
    setTimeout(() => {
      if (this.#maps === maps && this.#ramp === ramp) this.#draw(choices, at);
    });
  }

  #paint(canvas: HTMLCanvasElement, choice: Choice): void {
    const { weights } = this.#maps as Maps;
    const { layers, heads, rows, columns } = weights;
    const of = (layer: number, head: number) => {
      const place = layer * heads + head;
      this.#small[place] ??= thumbnail(weights.at(layer, head), rows, columns, SIDE);
      return this.#small[place];
    };
    const parts = [];
    for (let layer = choice.layer ?? 0; layer < (choice.layer ?? layers - 1) + 1; layer++)
      for (let head = choice.head ?? 0; head < (choice.head ?? heads - 1) + 1; head++)
        parts.push(of(layer, head));
    const { width, height } = parts[0]!;
    const data = meanOf(parts.map((part) => part.data));
    const largest = data.reduce((most, weight) => Math.max(most, weight), 0);
    Object.assign(canvas, { width, height });
    const pixels = new ImageData(pixelsOf(data, largest, this.#ramp as Uint8Array), width, height);
    canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  }
}

function shortName({ layer, head }: Choice): string {
  if (layer === undefined) return "all";
  return head === undefined ? `${layer + 1} · mean` : `${layer + 1} · ${head + 1}`;
}
