// At which position each row of rotate stands, and which axis of positions each pair follows.

import { reader } from "../check/names";
import type { View } from "../check/shapes";
import { checkBoolean, numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Tensor } from "../tensor/tensor";
import type { RotateOptions } from "./rotary";

const NAME = "rotate";
/** Up to here a float32 holds every integer. */
const FARTHEST = 2 ** 24;
/** Up to here sine and cosine of a float32 are exact to float32. */
const LARGEST_ANGLE = 2 ** 26;

/** Where pairs turn. */
export type Tables =
  | { readonly pairs: number; readonly frequencies: Float32Array }
  /** `perRow`: row b·L + i of the caches is that of row i in batch b. */
  | { pairs: number; cos: Tensor; sin: Tensor; positions: number; perRow: boolean };

const readSections = reader<NonNullable<RotateOptions["sections"]>>(
  { sizes: 1, interleaved: 1 },
  "{ sizes, interleaved? }",
);

/** The axis of each pair, and how many axes there are. */
export function checkSections(pairs: number, sections: RotateOptions["sections"]) {
  if (sections === undefined) return { axes: new Uint8Array(pairs), count: 1 };
  const { sizes: given, interleaved } = readSections(NAME, sections, "sections");
  const sizes = numbersOf(given) ?? [];
  if (sizes.length < 1 || sizes.length > 255) {
    throw new ArgumentError(NAME, "sections.sizes", "an array of 1 to 255 sizes", describe(given));
  }
  checkBoolean(NAME, "sections.interleaved", interleaved);
  let total = 0;
  for (const [axis, size] of sizes.entries()) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ArgumentError(NAME, `sections.sizes[${axis}]`, "an integer from 0", describe(size));
    }
    total += size;
  }
  if (total !== pairs) {
    throw new ArgumentError(NAME, "sections.sizes", `${pairs} pairs together`, `${total}`);
  }
  const count = sizes.length;
  const axes = interleaved
    ? Uint8Array.from({ length: pairs }, (_, pair) => {
        const axis = pair % count;
        return pair < count * (sizes[axis] as number) ? axis : 0;
      })
    : Uint8Array.from(sizes.flatMap((size, axis) => new Array(size).fill(axis)));
  return { axes, count };
}

/** int32 [axes][B][L] of positions, −1 for a row to be copied. */
export function checkPositions(
  view: View,
  axes: number,
  tables: Tables,
  options: RotateOptions,
): Int32Array {
  const { positions = 0, outOfRange = "error" } = options;
  const { batch, rows } = view;
  if (outOfRange !== "error" && outOfRange !== "pass") {
    throw new ArgumentError(NAME, "outOfRange", '"error" or "pass"', describe(outOfRange));
  }
  const cached = "cos" in tables;
  if (cached && tables.perRow) {
    if (options.positions !== undefined) {
      throw new ArgumentError(
        NAME,
        "positions",
        "no value with caches [B, L, pairs]",
        describe(positions),
      );
    }
    return Int32Array.from({ length: axes * batch * rows }, (_, index) => index % (batch * rows));
  }
  const at = positionOf(view, axes, positions);
  const pass = cached && outOfRange === "pass";
  const [least, end] = cached ? [0, tables.positions] : [-FARTHEST, FARTHEST + 1];
  return Int32Array.from({ length: axes * batch * rows }, (_, index) => {
    const { argument, position } = at(index);
    if (Number.isInteger(position) && position >= least && position < end) return position;
    if (pass && Number.isInteger(position)) return -1;
    const range = cached ? `a row of the cache, 0 to ${end - 1}` : "an integer from −2²⁴ to 2²⁴";
    throw new ArgumentError(NAME, argument, range, describe(position));
  });
}

/** From an index into [axes][B][L] to its position, and the name of the argument it came from. */
function positionOf({ batch, rows }: View, axes: number, positions: number | ArrayLike<number>) {
  const offset = (index: number) => index % Math.max(rows, 1);
  if (typeof positions === "number") {
    return (index: number) => ({ argument: "positions", position: positions + offset(index) });
  }
  const numbers = numbersOf(positions, [axes * batch, axes * rows, axes * batch * rows]);
  const counted = numbers?.length === axes * batch * rows;
  if (!numbers || (batch === rows && !counted)) {
    const leading = axes > 1 ? `${axes}, ` : "";
    const expected = numbers
      ? `[${leading}B, L] = ${axes * batch * rows} integers, as B = L = ${rows} leaves open which axis they follow`
      : `a number, or [${leading}B] = ${axes * batch}, [${leading}L] = ${axes * rows} or ` +
        `[${leading}B, L] = ${axes * batch * rows} integers`;
    throw new ArgumentError(NAME, "positions", expected, describe(positions));
  }
  const perBatch = !counted && numbers.length === axes * batch;
  return (index: number) => {
    const axis = Math.floor(index / (batch * rows));
    const entry = perBatch ? Math.floor(index / rows) : axis * rows + offset(index);
    const from = counted ? index : entry;
    const further = perBatch ? offset(index) : 0;
    const position = numbers[from];
    const sum = typeof position === "number" ? position + further : position;
    return { argument: `positions[${from}]`, position: sum as number };
  };
}

export function checkAngles(frequencies: Float32Array, positions: Int32Array): void {
  let farthest = 0;
  for (const position of positions) farthest = Math.max(farthest, Math.abs(position));
  for (const [pair, frequency] of frequencies.entries()) {
    if (Math.abs(frequency) * farthest <= LARGEST_ANGLE) continue;
    const expected = `a frequency of angles up to 2²⁶ at position ${farthest}`;
    throw new ArgumentError(NAME, `frequencies[${pair}]`, expected, describe(frequency));
  }
}
