// Inputs of more axes than [B, L, E]: axes before those attended over are so many batches more, those
// attended over one long sequence, in the order of their elements.
//
//   [B, …free, …attended, E]  →  [B·Πfree, Πattended, E]

import type { DataType, Tensor } from "@tensorflow/tfjs-core";
import type { SymbolicTensor } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import { checkTensor, checkType } from "./values";

/** A shape of TensorFlow.js: null where it is not known yet. */
export type Shape = readonly (number | null)[];

/** What an input is. */
export interface Inputs<T> {
  readonly query: T;
  readonly value: T;
  readonly key: T;
  readonly mask: T | undefined;
}

/** @throws ArgumentError for too few inputs, and too many. */
export function inputsOf<T>(operation: string, list: readonly T[], masked: boolean): Inputs<T> {
  const tensors = masked ? list.slice(0, -1) : list;
  if (tensors.length < 1 || tensors.length > 3) {
    const expected = masked
      ? "query, value and key, and a mask"
      : "query, value and key (a mask is one more, with attentionMask: true)";
    throw new ArgumentError(operation, "inputs", expected, `${list.length} inputs`);
  }
  const [query, value = query, key = value] = tensors as [T, T?, T?];
  return { query, value, key, mask: masked ? list.at(-1) : undefined };
}

/**
 * How many axes are batches.
 *
 * @throws ArgumentError unless the axes are the last ones before the features.
 */
export function batchAxes(
  operation: string,
  rank: number,
  attentionAxes: readonly number[] | null,
): number {
  if (rank < 3) {
    throw new ArgumentError(operation, "query.shape", "[B, …, L, E]", `${rank} axes`);
  }
  if (!attentionAxes) return 1;
  const axes = attentionAxes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  const first = axes[0] as number;
  const all = axes.every((axis, index) => axis === first + index);
  if (all && first >= 1 && axes.at(-1) === rank - 2) return first;
  const expected = "the last axes before the features";
  throw new ArgumentError(operation, "attentionAxes", expected, describe(attentionAxes));
}

/** Dims of the input as [batches, sequence, features]. */
export function foldedDims(shape: readonly number[], batches: number): [number, number, number] {
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  const features = shape.at(-1) as number;
  return [product(shape.slice(0, batches)), product(shape.slice(batches, -1)), features];
}

/** @throws ArgumentError unless key and value fit the query and each other. */
export function checkShapes(
  operation: string,
  { query, value, key }: Inputs<Shape>,
  batches: number,
): void {
  const same = (a: number | null | undefined, b: number | null | undefined) =>
    a === b || a === null || b === null;
  const refuse = (argument: string, like: Shape, got: Shape, hint = "") => {
    const expected = `${like.length} axes that fit ${describe(like)}${hint}`;
    throw new ArgumentError(operation, `${argument}.shape`, expected, describe(got));
  };
  const fits = (a: Shape, b: Shape, axes: number) =>
    a.length === b.length && a.slice(0, axes).every((size, axis) => same(size, b[axis]));
  if (!fits(query, value, batches)) refuse("value", query, value, " (a mask is no value)");
  if (fits(value, key, value.length - 1)) return;
  refuse("key", value, key, ", or attentionMask: true if it is a mask");
}

/** Whether it is a tensor that a model has yet to make. */
export function isSymbolic(x: unknown): x is SymbolicTensor {
  return typeof x === "object" && x !== null && "sourceLayer" in x;
}

/** @throws ArgumentError unless all are tensors, or symbolic ones, of the right type. */
export function checkTypes(operation: string, inputs: Inputs<unknown>): void {
  for (const [name, x] of Object.entries(inputs)) {
    const types: DataType[] = name === "mask" ? ["bool", "int32", "float32"] : ["float32"];
    if (name === "mask" && x === undefined) continue;
    if (isSymbolic(x)) checkType(operation, name, x, types);
    else checkTensor(operation, name, x, types);
  }
}

/**
 * @throws ArgumentError for a third input that nobody called a mask but that looks like one: [B, L, S],
 * and two different elements at most, as no key has.
 */
export function checkKey(operation: string, { query, value, key }: Inputs<Tensor>): void {
  const [, length, features] = key.shape;
  if (key === value || key.rank !== 3) return;
  if (length !== query.shape[1] || features !== value.shape[1]) return;
  const values = new Set<number>();
  for (const x of key.dataSync()) if (values.add(x).size > 2) return;
  const expected = "a key: attentionMask: true if it is a mask, false if it is none indeed";
  const got = `${describe(key.shape)} of nothing but ${[...values].join(" and ")}`;
  throw new ArgumentError(operation, "key", expected, got);
}
