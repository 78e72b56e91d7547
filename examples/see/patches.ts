// Pictures as rows of numbers: overlapping patches, each a square with a margin of its neighbours.
//
// [side, side, channels] bytes → [patches, window² · channels], row by row; outside the picture is 0.

/** How pictures are cut. */
export interface Cut {
  /** Pixels along a side of a picture. */
  readonly side: number;
  readonly channels: number;
  /** Pixels from a patch to the next. */
  readonly stride: number;
  /** Pixels that a patch reaches beyond that, on each side. */
  readonly margin: number;
}

export const acrossOf = ({ side, stride }: Cut) => side / stride;

export const patchPixels = ({ stride, margin, channels }: Cut) =>
  (stride + 2 * margin) ** 2 * channels;

/** Writes the patches of one picture to `into`; bytes are divided by 128, so that ink is about 2. */
export function cutPatches(pixels: Uint8Array, cut: Cut, into: Float32Array): void {
  const { side, channels, stride, margin } = cut;
  const row = (stride + 2 * margin) * channels;
  let to = 0;
  for (let top = -margin; top < side - margin; top += stride) {
    for (let left = -margin; left < side - margin; left += stride) {
      for (let y = top; y < top + stride + 2 * margin; y++, to += row) {
        if (y < 0 || y >= side) continue;
        const first = Math.max(left, 0);
        const end = Math.min(left + stride + 2 * margin, side);
        const from = (y * side + first) * channels;
        const at = to + (first - left) * channels;
        for (let i = 0; i < (end - first) * channels; i++) into[at + i] = pixels[from + i] / 128;
      }
    }
  }
}
