// What a trained model can show: where it looks in an image, and which images it takes to be alike.

import type { Tensor } from "wasm-attention";
import { CLASSES, type DigitTransformer, HEADS } from "./model";
import type { Neighbour } from "./nearest";
import { type Digits, imageOf, PATCHES, patchesOf } from "./patches";
import { drawDigit, type Picture, svg, type Tile } from "./picture";

const RIGHT = "#7ddb8b";
const WRONG = "#ff6b6b";

/** The first image of each digit. */
export function firstOfEach({ labels }: Digits): number[] {
  return Array.from({ length: CLASSES }, (_, digit) => labels.indexOf(digit));
}

/** An image, and the same with the attention of all heads glowing behind it. */
export function drawLook(model: DigitTransformer, digits: Digits, index: number): Picture[] {
  const { weights } = model.forward(patchesOf(digits, [index]), { weights: true });
  const { data } = weights as Tensor;
  const heads = Float32Array.from({ length: PATCHES }, (_, patch) =>
    Array.from({ length: HEADS }, (_, head) => data[head * PATCHES + patch]).reduce(
      (a, b) => a + b,
    ),
  );
  const image = imageOf(digits, index);
  return [drawDigit(image), drawDigit(image, heads)];
}

/** SVG: an image of each digit with what the model takes it for, and below it what each head looks at. */
export function attentionGallery(model: DigitTransformer, digits: Digits): string {
  const first = firstOfEach(digits);
  const { logits, weights } = model.forward(patchesOf(digits, first), { weights: true });
  const images = first.map((index, i): Tile => {
    const own = logits.data.subarray(i * CLASSES, (i + 1) * CLASSES);
    const guess = own.indexOf(Math.max(...own));
    const colour = guess === digits.labels[index] ? RIGHT : WRONG;
    return { picture: drawDigit(imageOf(digits, index)), label: `a ${guess}`, colour };
  });
  const heads = Array.from({ length: HEADS }, (_, head) => ({
    name: `head ${head + 1}`,
    tiles: first.map((index, i): Tile => {
      const from = (i * HEADS + head) * PATCHES;
      const map = (weights as Tensor).data.subarray(from, from + PATCHES);
      const share = map.reduce((sum, weight) => sum + weight, 0);
      const picture = drawDigit(imageOf(digits, index), map, 4);
      return { picture, label: `${(100 * share).toFixed(0)} %` };
    }),
  }));
  return svg(
    "What the class token looks at in the last block; in percent: how much of its attention is on the image, not on itself",
    [{ name: "seen as", tiles: images }, ...heads],
  );
}

/** SVG: an image of each digit, and its neighbours among the training images. */
export function neighbourGallery(
  digits: Digits,
  training: Digits,
  neighboursOf: (index: number) => readonly Neighbour[],
): string {
  const rows = firstOfEach(digits).map((index, digit) => {
    const asked = {
      picture: drawDigit(imageOf(digits, index)),
      label: `a ${digit}`,
      colour: "#fff",
    };
    const tiles = neighboursOf(index).map((neighbour): Tile => {
      const label = training.labels[neighbour.index];
      return {
        picture: drawDigit(imageOf(training, neighbour.index)),
        label: `a ${label}, ${neighbour.similarity.toFixed(3)}`,
        colour: label === digit ? RIGHT : WRONG,
      };
    });
    return { name: `test ${index}`, tiles: [asked, ...tiles] };
  });
  return svg(
    "A test image, and the training images nearest to it by what the model has learnt (with the cosine)",
    rows,
  );
}
