// A mask of the layer over its scores [B, …free, H, …L, …S], where L and S are the axes attended over.
// Keras puts missing axes between the first ones and the last L and S, so that [L, S], [B, L, S] and
// [B, H, L, S] are masks there; [B, S], which says of each batch what is padding, is ours.

import { broadcastTo, cast, notEqual, reshape, type Tensor } from "@tensorflow/tfjs-core";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import type { Shape } from "./layer-axes";

/** Of keys, [B, S], or of queries and keys, [L, S]: one word each, which saving leaves as it is. */
export const maskForms = ["keys", "pairs"] as const;
export type MaskForm = (typeof maskForms)[number];
type Axes = "BS" | "LS" | "BLS" | "BHLS";

/** The sizes of the scores; null where they are not known yet. */
export interface ScoreAxes {
  /** Batch, and axes that are not attended over. */
  readonly batches: Shape;
  readonly heads: number;
  readonly queries: Shape;
  readonly keys: Shape;
}

const ones = (count: number): number[] => new Array<number>(count).fill(1);
const groupsOf = ({ batches, heads, queries, keys }: ScoreAxes) => [
  batches,
  [heads],
  queries,
  keys,
];

/**
 * The mask's shape with all axes of the scores, 1 where it is broadcast.
 *
 * @throws ArgumentError for a shape that does not fit, and one of two axes that may be both [B, S]
 * and [L, S] unless `form` says which.
 */
export function maskShape(
  operation: string,
  form: MaskForm | true,
  mask: Shape,
  axes: ScoreAxes,
): Shape {
  const refuse = (expected: string) => {
    throw new ArgumentError(operation, "mask.shape", expected, describe(mask));
  };
  const [free, sequence, rank] = [axes.batches.length, axes.queries.length, mask.length];
  const full = groupsOf(axes).flat();
  const chosen = form === "keys" ? "BS" : form === "pairs" ? "LS" : axesOf(mask, axes, refuse);
  const ranks = {
    BS: [1 + sequence, free + sequence],
    LS: [2 * sequence],
    BLS: [1 + 2 * sequence, free + 2 * sequence],
    BHLS: [full.length],
  };
  const lasts = chosen === "BS" ? sequence : 2 * sequence;
  const whole = [
    ...mask.slice(0, rank - lasts),
    ...ones(full.length - rank),
    ...mask.slice(-lasts),
  ];
  const fits = (size: number | null, axis: number) =>
    size === null || size === 1 || full[axis] === null || full[axis] === size;
  const taken = ranks[chosen];
  if (!taken.includes(rank)) refuse(`${taken.join(" or ")} axes for ${described[chosen]}`);
  if (!whole.every(fits)) {
    refuse(`${described[chosen]} that broadcasts over [B, …, H, …L, …S] = ${describe(full)}`);
  }
  return whole;
}

const described = { BS: "[B, S]", LS: "[L, S]", BLS: "[B, L, S]", BHLS: "[B, H, L, S]" };

function axesOf(mask: Shape, axes: ScoreAxes, refuse: (expected: string) => void): Axes {
  const [sequence, rank] = [axes.queries.length, mask.length];
  const named = 'attentionMask: "keys" ([B, S]) or "pairs" ([L, S])';
  if (rank === 2 && sequence === 1) {
    const [first] = mask;
    const isBatch = first === null || first === axes.batches[0];
    const isQueries = first === axes.queries[0];
    if (isBatch && isQueries && first !== null && first !== 1) {
      refuse(`${named}, since B = L = ${first} leaves open which it is`);
    }
    return isBatch || !isQueries ? "BS" : "LS";
  }
  if (rank === 1 + sequence && rank < 2 * sequence) return "BS";
  const full = axes.batches.length + 1 + 2 * sequence;
  if (rank === full) return "BHLS";
  if (rank === 2 * sequence) return "LS";
  if (rank === 1 + 2 * sequence || rank === full - 1) return "BLS";
  refuse(`[B, S], [L, S], [B, L, S] or [B, H, L, S], in the order of the input's axes`);
  return "BHLS";
}

/** As [ΠB…, H, ΠL…, ΠS…], each of them 1 where all of it is broadcast; true takes part. */
export function foldMask(mask: Tensor, shape: readonly number[], axes: ScoreAxes): Tensor {
  const target: number[] = [];
  const folded: number[] = [];
  let at = 0;
  for (const group of groupsOf(axes) as number[][]) {
    const sizes = shape.slice(at, at + group.length);
    at += group.length;
    // Axes that become one are broadcast together or not at all.
    const whole = sizes.every((size) => size === 1) ? sizes : group;
    target.push(...whole);
    folded.push(whole.reduce((a, b) => a * b, 1));
  }
  const placed = reshape(mask, [...shape]);
  if (target.every((size, axis) => size === shape[axis])) return booleanOf(reshape(placed, folded));
  return booleanOf(reshape(broadcastTo(cast(placed, "float32"), target), folded));
}

/** What takes part: all that is not 0. */
export function booleanOf(mask: Tensor): Tensor {
  return mask.dtype === "bool" ? mask : notEqual(cast(mask, "float32"), 0);
}
