// Images of digits as the model reads them: patches, as rows of numbers around 0.

import { type Tensor, tensor } from "wasm-attention";

/** Pixels along a side of an image, and of a patch. */
export const SIDE = 28;
export const PATCH_SIDE = 7;
const PIXELS = SIDE * SIDE;
const ACROSS = SIDE / PATCH_SIDE;
/** Patches of an image, row by row, and pixels of each. */
export const PATCHES = ACROSS * ACROSS;
export const PATCH_PIXELS = PATCH_SIDE * PATCH_SIDE;

/** Mean and standard deviation of the training images' pixels, from 0 to 255. */
const MEAN = 33.3;
const DEVIATION = 78.6;

export interface Digits {
  readonly count: number;
  /** [count, 28, 28], 0 is paper and 255 is ink. */
  readonly pixels: Uint8Array;
  /** [count], 0 to 9. */
  readonly labels: Uint8Array;
}

export function imageOf({ pixels }: Digits, index: number): Uint8Array {
  return pixels.subarray(index * PIXELS, (index + 1) * PIXELS);
}

/** Patches of some images as rows of numbers around 0: [images, 16, 49]. */
export function patchesOf(digits: Digits, indices: ArrayLike<number>): Tensor {
  const data = new Float32Array(indices.length * PIXELS);
  for (let i = 0; i < indices.length; i++) {
    const image = imageOf(digits, indices[i]);
    for (let y = 0; y < SIDE; y++) {
      const patchRow = Math.floor(y / PATCH_SIDE) * ACROSS;
      for (let x = 0; x < SIDE; x++) {
        const patch = patchRow + Math.floor(x / PATCH_SIDE);
        const pixel = (y % PATCH_SIDE) * PATCH_SIDE + (x % PATCH_SIDE);
        data[i * PIXELS + patch * PATCH_PIXELS + pixel] = (image[y * SIDE + x] - MEAN) / DEVIATION;
      }
    }
  }
  return tensor(data, [indices.length, PATCHES, PATCH_PIXELS]);
}
