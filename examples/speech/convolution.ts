// A convolution over rows [T, C] as products: y[t] = Σ W[tap] · x[t · stride + tap].
//
// The taps are cut where the stride ends. `stride` taps beside each other are a row [stride · C] of x, read as
// [T / stride, stride · C], from the first tap on: views of linear memory, from which nothing is copied. The taps
// that are left, fewer than the stride, are gathered.

import {
  type AllocatedTensor,
  type Attention,
  type PreparedLinear,
  prepareLinear,
  tensor,
} from "wasm-attention";
import { fusedLinear } from "wasm-attention/blocks";

export interface Kernel {
  /** [out, C, taps], as PyTorch and ONNX have it. */
  readonly weight: Float32Array;
  readonly bias?: Float32Array | undefined;
  readonly channels: number;
  readonly taps: number;
  readonly stride: number;
}

interface Part {
  readonly from: number;
  readonly taps: number;
  readonly weight: PreparedLinear;
}

export class Convolution {
  readonly #attention: Attention<"blocks">;
  readonly #kernel: Kernel;
  readonly #parts: readonly Part[];
  readonly #outputs: number;

  constructor(attention: Attention<"blocks">, kernel: Kernel) {
    const { weight, bias, channels, taps: all, stride } = kernel;
    const outputs = weight.length / (channels * all);
    const parts: Part[] = [];
    for (let from = 0; from < all; from += stride) {
      const taps = Math.min(stride, all - from);
      const matrix = new Float32Array(taps * channels * outputs);
      for (let o = 0, at = 0; o < outputs; o++)
        for (let tap = 0; tap < taps; tap++)
          for (let c = 0; c < channels; c++)
            matrix[at++] = weight[(o * channels + c) * all + from + tap];
      const dims = [outputs, taps * channels];
      const prepared = prepareLinear(attention, tensor(matrix, dims), {
        order: "out,in",
        bias: from === 0 ? bias : undefined,
      });
      parts.push({ from, taps, weight: prepared });
    }
    this.#attention = attention;
    this.#kernel = kernel;
    this.#parts = parts;
    this.#outputs = outputs;
  }

  /** Rows of the result for so many of x: none where x is shorter than the kernel. */
  rows(length: number): number {
    const { taps, stride } = this.#kernel;
    return Math.max(0, Math.floor((length - taps) / stride) + 1);
  }

  /** x [T, C] → [rows(T), out], a tensor that the caller gives back. */
  forward(x: AllocatedTensor): AllocatedTensor {
    const { channels, stride } = this.#kernel;
    const rows = this.rows(x.dims[0]);
    const result = this.#attention.allocate([rows, this.#outputs]);
    for (const { from, taps, weight } of this.#parts) {
      const residual = from === 0 ? undefined : result;
      if (taps === stride) {
        const view = x.view(from * channels, [rows, taps * channels]);
        fusedLinear(this.#attention, view, weight, { residual, out: result });
        continue;
      }
      using gathered = this.#attention.allocate([rows, taps * channels]);
      const [source, target] = [x.data, gathered.data];
      for (let t = 0; t < rows; t++) {
        const at = (t * stride + from) * channels;
        target.set(source.subarray(at, at + taps * channels), t * taps * channels);
      }
      fusedLinear(this.#attention, gathered, weight, { residual, out: result });
    }
    return result;
  }

  dispose(): void {
    for (const { weight } of this.#parts) weight.dispose();
  }
}
