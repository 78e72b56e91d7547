// A scene as colours: white ink on black, or on paper that glows where a word looks.

import type { Picture } from "../digits/picture";
import { heat } from "../heat";
import { SIDE } from "./scenes";

/** How bright the paper glows, so that white ink is seen on it. */
const GLOW = 0.65;

/** Every `step`-th pixel; `weights` of the patches, [across, across]. */
export function drawScene(pixels: Uint8Array, weights?: Float32Array, step = 1): Picture {
  const width = SIDE / step;
  const drawn = new Uint8Array(width * width * 3);
  const across = Math.sqrt(weights?.length ?? 1);
  const largest = Math.max(...(weights ?? [1]));
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < width; x++) {
      const ink = inkAt(pixels, y * step, x * step, step) / 255;
      const patch = Math.floor((y * across) / width) * across + Math.floor((x * across) / width);
      const paper = weights ? heat(weights[patch] / largest) : [0, 0, 0];
      for (let channel = 0; channel < 3; channel++) {
        drawn[(y * width + x) * 3 + channel] = 255 * ink + paper[channel] * GLOW * (1 - ink);
      }
    }
  }
  return { width, height: width, pixels: drawn };
}

/** The darkest of a square, so that thin strokes stay. */
function inkAt(pixels: Uint8Array, top: number, left: number, step: number): number {
  let most = 0;
  for (let y = top; y < top + step; y++)
    for (let x = left; x < left + step; x++) most = Math.max(most, pixels[y * SIDE + x]);
  return most;
}
