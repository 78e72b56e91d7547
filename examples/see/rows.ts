// Questions packed into rows: those about one picture one after another, each blind for the others.

import type { Mask, Tensor } from "wasm-attention";

/** Questions about some pictures, as the model takes them. */
export interface Asked {
  readonly pictures: number;
  /** Words [pictures · length], 0 after the last question. */
  readonly ids: Int32Array;
  /** Each word's place in its question [pictures · length]. */
  readonly places: Int32Array;
  /** From where to where each question lies, picture by picture: rows of [pictures · length]. */
  readonly spans: readonly (readonly [from: number, to: number])[];
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
  const spans: [number, number][] = [];
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
      spans.push([picture * length + from, picture * length + to]);
      from = to;
    }
  });
  return {
    ...{ pictures, ids, places, spans },
    mask: { data: mask, dims: [pictures, 1, length, length] },
  };
}

/** [..., size] → the mean of each question's rows [questions, size]. */
export function meanRows({ data: x, dims }: Tensor, { spans }: Asked): Tensor {
  const size = dims[dims.length - 1];
  const data = new Float32Array(spans.length * size);
  spans.forEach(([from, to], at) => {
    for (let row = from; row < to; row++)
      for (let i = 0; i < size; i++) data[at * size + i] += x[row * size + i] / (to - from);
  });
  return { data, dims: [spans.length, size] };
}

/** The gradient of `meanRows`: 0 for rows of no question. */
export function spreadRows({ data: dy, dims }: Tensor, { pictures, ids, spans }: Asked): Tensor {
  const size = dims[dims.length - 1];
  const data = new Float32Array(ids.length * size);
  spans.forEach(([from, to], at) => {
    for (let row = from; row < to; row++)
      for (let i = 0; i < size; i++) data[row * size + i] = dy[at * size + i] / (to - from);
  });
  return { data, dims: [pictures, ids.length / pictures, size] };
}
