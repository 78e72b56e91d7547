// Inputs of more axes than [B, L, E]: axes before those attended over are so many batches more, those
// attended over one long sequence.
//
//   [B, …free, …attended, E]  →  [B·Πfree, Πattended, E]

import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";

const NAME = "MultiHeadAttention";

/** A shape of TensorFlow.js: null where it is not known yet. */
export type Shape = readonly (number | null)[];

/**
 * How many axes are batches.
 *
 * @throws ArgumentError unless the axes are the last ones before the features.
 */
export function batchAxes(rank: number, attentionAxes: readonly number[] | null): number {
  if (rank < 3) {
    throw new ArgumentError(NAME, "query.shape", "[B, …, L, E]", `${rank} axes`);
  }
  if (!attentionAxes) return 1;
  const axes = attentionAxes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  const first = axes[0] as number;
  const all = axes.every((axis, index) => axis === first + index);
  if (all && first >= 1 && axes.at(-1) === rank - 2) return first;
  const expected = "the last axes before the features";
  throw new ArgumentError(NAME, "attentionAxes", expected, describe(attentionAxes));
}

/** Dims of the input as [batches, sequence, features]. */
export function foldedDims(shape: readonly number[], batches: number): [number, number, number] {
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  const features = shape.at(-1) as number;
  return [product(shape.slice(0, batches)), product(shape.slice(batches, -1)), features];
}

/** @throws ArgumentError unless key and value fit the query and each other. */
export function checkShapes(query: Shape, value: Shape, key: Shape, batches: number): void {
  const same = (a: number | null | undefined, b: number | null | undefined) =>
    a === b || a === null || b === null;
  const refuse = (argument: string, like: Shape, got: Shape) => {
    const expected = `${like.length} axes that fit ${describe(like)}`;
    throw new ArgumentError(NAME, `${argument}.shape`, expected, describe(got));
  };
  const fits = (a: Shape, b: Shape, axes: number) =>
    a.length === b.length && a.slice(0, axes).every((size, axis) => same(size, b[axis]));
  if (!fits(query, value, batches)) refuse("value", query, value);
  if (!fits(value, key, value.length - 1)) refuse("key", value, key);
}
