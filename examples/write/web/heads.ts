// Every head of every layer as a strip of where it looks along the text; one of them, or their mean, is
// chosen.

import { DARK, heat, LIGHT } from "../../heat";
import { make } from "../../page/elements";

const dark = matchMedia("(prefers-color-scheme: dark)");

export class Heads {
  readonly #place: HTMLElement;
  readonly #choose: (weights: Float32Array) => void;
  /** The mean first, then layer by layer. */
  #weights: readonly Float32Array[] = [];
  #chosen = 0;

  constructor(place: HTMLElement, choose: (weights: Float32Array) => void) {
    this.#place = place;
    this.#choose = choose;
    place.classList.add("heads");
    place.setAttribute("role", "radiogroup");
    place.setAttribute("aria-label", "Head");
    dark.addEventListener("change", () => this.#draw());
  }

  build(layers: number, heads: number): void {
    const names = Array.from({ length: layers * heads }, (_, index) => {
      return `layer ${Math.floor(index / heads) + 1}, head ${(index % heads) + 1}`;
    });
    this.#place.replaceChildren(
      ...["mean of all", ...names].map((name, index) => {
        const choice = make("input", { type: "radio", name: "head", checked: index === 0 });
        choice.addEventListener("change", () => {
          this.#chosen = index;
          this.#choose(this.#weights[index]);
        });
        return make("label", {}, choice, make("canvas"), make("span", { textContent: name }));
      }),
    );
    this.#chosen = 0;
  }

  show(weights: readonly Float32Array[]): void {
    const mean = weights[0].map((_, key) => {
      return weights.reduce((sum, each) => sum + each[key], 0) / weights.length;
    });
    this.#weights = [mean, ...weights];
    this.#draw();
    this.#choose(this.#weights[this.#chosen]);
  }

  /** A pixel for each piece. */
  #draw(): void {
    if (this.#weights.length === 0) return;
    const stops = dark.matches ? DARK : LIGHT;
    this.#place.querySelectorAll("canvas").forEach((canvas, index) => {
      const weights = this.#weights[index];
      const largest = Math.max(...weights);
      canvas.width = weights.length;
      canvas.height = 1;
      const pixels = new ImageData(weights.length, 1);
      weights.forEach((weight, at) => {
        pixels.data.set([...heat(weight / largest, stops), 255], 4 * at);
      });
      canvas.getContext("2d")?.putImageData(pixels, 0, 0);
    });
  }
}
