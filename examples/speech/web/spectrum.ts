// A piece of sound as a picture: time from left to right, pitch from low to high, and where a word looked.

import { DARK, heat, LIGHT } from "../../heat";
import { make } from "../../page/elements";
import type { Spectrum } from "../spectrogram";

const dark = matchMedia("(prefers-color-scheme: dark)");
/** Of the picture's height, for where the word looked. */
const STRIP = 12;

export interface Shown {
  /** Where it begins, and how long it is, in seconds. */
  readonly at: number;
  readonly seconds: number;
  readonly spectrum: Spectrum;
  /** Weights over the piece; nothing is lit up without. */
  readonly look?: Float32Array | undefined;
}

export class SpectrumPicture {
  readonly #canvas: HTMLCanvasElement;
  readonly #axis: HTMLElement;
  #shown: Shown | undefined;

  constructor(canvas: HTMLCanvasElement, axis: HTMLElement) {
    this.#canvas = canvas;
    this.#axis = axis;
    dark.addEventListener("change", () => this.#draw());
  }

  show(shown: Shown): void {
    this.#shown = shown;
    const { at, seconds } = shown;
    const step = seconds > 12 ? 4 : seconds > 5 ? 2 : 1;
    const marks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
    this.#axis.replaceChildren(
      ...marks.map((mark) => {
        const label = make("span", { textContent: `${(at + mark).toFixed(0)} s` });
        label.style.left = `${(100 * mark) / seconds}%`;
        return label;
      }),
    );
    this.#draw();
  }

  #draw(): void {
    if (!this.#shown) return;
    const { spectrum, look } = this.#shown;
    const { columns, pitches, strengths } = spectrum;
    const stops = dark.matches ? DARK : LIGHT;
    const pixels = new ImageData(columns, pitches + STRIP);
    const most = look ? Math.max(...look) : 1;
    for (let x = 0; x < columns; x++) {
      // A look has fewer columns: between two of them it is one or the other.
      const share = look ? look[Math.floor((x * look.length) / columns)] / most : 1;
      const lit = 0.3 + 0.7 * Math.sqrt(share);
      for (let y = 0; y < pitches; y++) {
        const strength = strengths[x * pitches + (pitches - 1 - y)];
        pixels.data.set([...heat(strength * lit, stops), 255], 4 * (y * columns + x));
      }
      const strip = heat(look ? share : 0, stops);
      for (let y = pitches; y < pitches + STRIP; y++)
        pixels.data.set([...strip, 255], 4 * (y * columns + x));
    }
    this.#canvas.width = columns;
    this.#canvas.height = pitches + STRIP;
    this.#canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  }
}
