// A convolution that halves a picture's sides, as a product over windows of 4 × 4, and what is below 0
// set to 0.
//
// [pictures, side, side, channels] → [pictures, side / 2, side / 2, outputs]; outside the picture is 0.

import type { Attention, Tensor } from "wasm-attention";
import type { Parameter } from "../training/block";
import { Linear } from "../training/layers";
import type { Random } from "../training/random";

const STRIDE = 2;
const MARGIN = 1;
const WINDOW = STRIDE + 2 * MARGIN;

export class Convolution {
  readonly parameters: readonly Parameter[];
  readonly #linear: Linear;
  #dims: readonly number[] = [];
  #output: Tensor | undefined;

  constructor(attention: Attention<"training">, channels: number, outputs: number, random: Random) {
    this.#linear = new Linear(attention, WINDOW * WINDOW * channels, outputs, random);
    this.parameters = this.#linear.parameters;
  }

  forward(x: Tensor): Tensor {
    this.#dims = x.dims;
    const output = this.#linear.forward(windowsOf(x));
    const { data } = output;
    for (let i = 0; i < data.length; i++) if (data[i] < 0) data[i] = 0;
    this.#output = output;
    return output;
  }

  /** The gradient of the windows of what came in. */
  backward({ data: dy }: Tensor): Tensor {
    const { data: y, dims } = this.#output as Tensor;
    const data = new Float32Array(y.length);
    for (let i = 0; i < data.length; i++) data[i] = y[i] > 0 ? dy[i] : 0;
    return this.#linear.backward({ data, dims });
  }

  /** What `backward` gave, for each number that came in. */
  inputGradient(windows: Tensor): Tensor {
    return sumWindows(windows, this.#dims);
  }

  update(): void {
    this.#linear.update();
  }

  dispose(): void {
    this.#linear.dispose();
  }
}

/** [pictures, side, side, channels] → the window of each second place [pictures, side / 2, side / 2, 16 · channels]. */
export function windowsOf({ data: x, dims }: Tensor): Tensor {
  const [pictures, side, , channels] = dims;
  const across = side / STRIDE;
  const data = new Float32Array(pictures * across * across * WINDOW * WINDOW * channels);
  const runs = runsOf(dims);
  for (let at = 0; at < runs.length; at += 3) {
    const [from, to, count] = [runs[at], runs[at + 1], runs[at + 2]];
    for (let i = 0; i < count; i++) data[to + i] = x[from + i];
  }
  return { data, dims: [pictures, across, across, WINDOW * WINDOW * channels] };
}

/** The gradient of `windowsOf`: to each number what its windows have for it. */
export function sumWindows({ data: dy }: Tensor, dims: readonly number[]): Tensor {
  const data = new Float32Array(dims.reduce((product, size) => product * size));
  const runs = runsOf(dims);
  for (let at = 0; at < runs.length; at += 3) {
    const [from, to, count] = [runs[at], runs[at + 1], runs[at + 2]];
    for (let i = 0; i < count; i++) data[from + i] += dy[to + i];
  }
  return { data, dims };
}

/** Of each row of each window that lies in the picture: where it is there, where among the windows, its length. */
function runsOf([pictures, side, , channels]: readonly number[]): Int32Array {
  const across = side / STRIDE;
  const row = WINDOW * channels;
  const runs = new Int32Array(3 * pictures * across * across * WINDOW);
  let [to, at] = [0, 0];
  for (let picture = 0; picture < pictures; picture++) {
    for (let top = -MARGIN; top < side - MARGIN; top += STRIDE) {
      for (let left = -MARGIN; left < side - MARGIN; left += STRIDE) {
        const first = Math.max(left, 0);
        const count = (Math.min(left + WINDOW, side) - first) * channels;
        const skipped = (first - left) * channels;
        for (let y = top; y < top + WINDOW; y++, to += row) {
          if (y < 0 || y >= side) continue;
          runs[at++] = ((picture * side + y) * side + first) * channels;
          runs[at++] = to + skipped;
          runs[at++] = count;
        }
      }
    }
  }
  return runs.subarray(0, at);
}
