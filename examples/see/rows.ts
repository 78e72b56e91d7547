// Questions packed into rows: those about one picture one after another, each blind for the others.

import type { Mask, Tensor } from "wasm-attention";

/** Questions about some pictures, as the model takes them. */
export interface Asked {
  readonly pictures: number;
  /** Words [pictures · length], 0 after the last question. */
  readonly ids: Int32Array;
  /** Each word's place in its question [pictures · length]. */
  readonly places: Int32Array;
  /** Where each question ends, picture by picture: rows of [pictures · length]. */
  readonly ends: Int32Array;
  /** [pictures, 1, length, length]: 1 where two words are of one question. */
  readonly mask: Mask;
}

/** `questions`: of each picture, of each question its words. */
export function pack(questions: readonly (readonly (readonly number[])[])[]): Asked {
  const pictures = questions.length;
  const length = Math.max(...questions.map((of) => of.reduce((sum, ids) => sum + ids.length, 0)));
  const ids = new Int32Array(pictures * length);
  const places = new Int32Array(pictures * length);
  const mask = new Uint8Array(pictures * length * length);
  const ends: number[] = [];
  questions.forEach((of, picture) => {
    let from = 0;
    for (const words of of) {
      const to = from + words.length;
      ids.set(words, picture * length + from);
      for (let i = from; i < to; i++) {
        places[picture * length + i] = i - from;
        const row = (picture * length + i) * length;
        mask.fill(1, row + from, row + to);
      }
      ends.push(picture * length + to - 1);
      from = to;
    }
  });
  return {
    ...{ pictures, ids, places, ends: Int32Array.from(ends) },
    mask: { data: mask, dims: [pictures, 1, length, length] },
  };
}

/** [..., size] → the rows of these numbers [rows, size]. */
export function gatherRows({ data: x, dims }: Tensor, rows: Int32Array): Tensor {
  const size = dims[dims.length - 1];
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, at) => {
    data.set(x.subarray(row * size, (row + 1) * size), at * size);
  });
  return { data, dims: [rows.length, size] };
}

/** The gradient of `gatherRows`: 0 for the other rows. */
export function spreadRows({ data: dy, dims }: Tensor, { pictures, ids, ends }: Asked): Tensor {
  const size = dims[dims.length - 1];
  const data = new Float32Array(ids.length * size);
  ends.forEach((row, at) => {
    data.set(dy.subarray(at * size, (at + 1) * size), row * size);
  });
  return { data, dims: [pictures, ids.length / pictures, size] };
}
