// Positions other than rotary ones: sinusoidal tables to add to embeddings, and biases to
// add to scores.

import { type Attention, checkAttention } from "../attend/attention";
import { reader } from "../check/names";
import { checkBoolean, checkCount, numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { elementsOf } from "../tensor/dims";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { checkBase, powers } from "./frequencies";
import { positionsOf } from "./module";

/** Options of `sinusoidalPositions`. */
export interface SinusoidalOptions {
  /** How many positions, from 0; or which. */
  positions: number | ArrayLike<number>;
  /** Size of an embedding. */
  size: number;
  /** 10000 by default. */
  base?: number | undefined;
  /**
   * `"interleaved"` (default; Vaswani et al. 2017, Keras): sine, cosine, sine, …;
   * `"concatenated"` (Marian): all sines, then all cosines, for an even size.
   */
  order?: "interleaved" | "concatenated" | undefined;
}

/** Options of `relativePositionBias`. */
export interface RelativeBiasOptions {
  /** How many queries, L. */
  queries: number;
  /** How many keys, S. */
  keys: number;
  /** Whether keys after a query have buckets of their own (T5's encoder); true by default. */
  bidirectional?: boolean | undefined;
  /** From this distance on, one bucket; 128 by default. */
  maxDistance?: number | undefined;
  /** Position of the first query among the keys; 0 by default. */
  queryOffset?: number | undefined;
  /** What the rows of the table are: buckets (default; transformers) or heads (t5x). */
  order?: "buckets,heads" | "heads,buckets" | undefined;
}

const readSinusoidal = reader<SinusoidalOptions>({ positions: 1, size: 1, base: 1, order: 1 });

const readSlopes = reader<{ maxBias?: number | undefined }>({ maxBias: 1 });

const readBias = reader<RelativeBiasOptions>({
  queries: 1,
  keys: 1,
  bidirectional: 1,
  maxDistance: 1,
  queryOffset: 1,
  order: 1,
});

/**
 * The sinusoidal table of Vaswani et al. 2017, section 3.5: [L, size], to be added to embeddings.
 *
 * @throws ArgumentError for a size, base or position out of range.
 */
export function sinusoidalPositions(
  attention: Attention<"positions">,
  options: SinusoidalOptions,
): Tensor {
  const name = "sinusoidalPositions";
  const kernels = positionsOf(checkAttention(name, attention).running(name), name);
  const given = readSinusoidal(name, options);
  const { positions, size, base = 10000, order = "interleaved" } = given;
  checkCount(name, "size", size);
  checkBase(name, base);
  if (order !== "interleaved" && order !== "concatenated") {
    throw new ArgumentError(name, "order", '"interleaved" or "concatenated"', describe(order));
  }
  if (order === "concatenated" && size % 2) {
    throw new ArgumentError(name, "size", 'an even number with order "concatenated"', `${size}`);
  }
  const rows = checkRows(name, positions);
  if (rows.length * size >= 2 ** 31) {
    throw new ArgumentError(name, "size", "fewer than 2³¹ elements", `${rows.length}·${size}`);
  }
  const frequencies = powers(kernels, base, size);
  const data = new Float32Array(rows.length * size);
  for (let row = 0; row < rows.length; row++) {
    for (const [i, frequency] of frequencies.entries()) {
      const angle = (rows[row] as number) * frequency;
      const [sine, cosine] =
        order === "interleaved" ? [2 * i, 2 * i + 1] : [i, i + frequencies.length];
      data[row * size + sine] = kernels.sine(angle);
      if (cosine < size) data[row * size + cosine] = kernels.cosine(angle);
    }
  }
  return { data, dims: [rows.length, size] };
}

function checkRows(name: string, positions: number | ArrayLike<number>): ArrayLike<number> {
  if (typeof positions === "number") {
    if (!Number.isInteger(positions) || positions < 0 || positions > 2 ** 24) {
      throw new ArgumentError(name, "positions", "an integer from 0 to 2²⁴", describe(positions));
    }
    return Int32Array.from({ length: positions }, (_, position) => position);
  }
  const numbers = numbersOf(positions);
  if (!numbers) {
    throw new ArgumentError(name, "positions", "a number or an array of them", describe(positions));
  }
  for (const [index, position] of numbers.entries()) {
    if (typeof position !== "number" || !(Math.abs(position) <= 2 ** 24)) {
      const expected = "a number from −2²⁴ to 2²⁴";
      throw new ArgumentError(name, `positions[${index}]`, expected, describe(position));
    }
  }
  return numbers;
}

/**
 * Slopes for `alibi`, one for each head: 2^(−maxBias·(h + 1)/n) for the first n = 2^⌊log₂ heads⌋,
 * then every second of those for 2n heads (Press et al. 2021).
 * @throws ArgumentError for heads that are not a count, or a maxBias not above 0.
 */
export function alibiSlopes(
  heads: number,
  options: { maxBias?: number | undefined } = {},
): Float32Array {
  const { maxBias = 8 } = readSlopes("alibiSlopes", options);
  checkCount("alibiSlopes", "heads", heads);
  if (heads > 2 ** 16) {
    throw new ArgumentError("alibiSlopes", "heads", "an integer up to 2¹⁶", describe(heads));
  }
  if (!Number.isInteger(maxBias) || maxBias < 1 || maxBias > 128) {
    throw new ArgumentError(
      "alibiSlopes",
      "maxBias",
      "an integer from 1 to 128",
      describe(maxBias),
    );
  }
  let n = 1;
  let root = 2 ** -maxBias;
  // Square roots, since powers of broken exponents differ between engines.
  for (; 2 * n <= heads; n *= 2) root = Math.sqrt(root);
  const slopes = new Float32Array(heads);
  let slope = 1;
  for (let h = 0; h < n; h++) slopes[h] = slope *= root;
  const between = Math.sqrt(root);
  slope = 1 / between;
  for (let h = n; h < heads; h++) slopes[h] = slope *= root;
  return slopes;
}

/**
 * T5's relative position bias as a mask of `attend`: from its table [buckets, H] to [1, H, L, S]
 * (Raffel et al. 2020, section 2.1). Half the buckets hold one distance each, the other half
 * ranges that grow by powers, up to maxDistance. T5 scores with `scale: 1`.
 * @throws ArgumentError for a table or sizes that do not fit.
 */
export function relativePositionBias(table: Tensor, options: RelativeBiasOptions): Tensor {
  const name = "relativePositionBias";
  const { data, dims } = checkTensor(name, "table", table);
  const given = readBias(name, options);
  const { queries, keys, bidirectional = true, maxDistance = 128, queryOffset = 0 } = given;
  const { order = "buckets,heads" } = given;
  checkBoolean(name, "bidirectional", bidirectional);
  if (order !== "buckets,heads" && order !== "heads,buckets") {
    const expected = '"buckets,heads" or "heads,buckets"';
    throw new ArgumentError(name, "order", expected, describe(order));
  }
  const byBucket = order === "buckets,heads";
  const [rows = 0, columns = 0] = dims;
  const [buckets, heads] = byBucket ? [rows, columns] : [columns, rows];
  const sides = bidirectional ? 2 : 1;
  if (dims.length !== 2 || heads < 1 || buckets < 2 * sides || buckets % sides) {
    const axes = byBucket ? "[buckets, H]" : "[H, buckets]";
    const expected = `${axes} with ${bidirectional ? "even buckets from 4" : "buckets from 2"}`;
    throw new ArgumentError(name, "table.dims", expected, describe(dims));
  }
  for (const [argument, size] of Object.entries({ queries, keys })) {
    if (Number.isInteger(size) && size >= 0 && size < 2 ** 31) continue;
    throw new ArgumentError(name, argument, "an integer from 0", describe(size));
  }
  if (heads * queries * keys >= 2 ** 31) {
    throw new ArgumentError(name, "keys", "fewer than 2³¹ elements", `${heads}·${queries}·${keys}`);
  }
  if (!Number.isInteger(queryOffset) || Math.abs(queryOffset) > 2 ** 30) {
    throw new ArgumentError(
      name,
      "queryOffset",
      "an integer from −2³⁰ to 2³⁰",
      describe(queryOffset),
    );
  }
  const perSide = buckets / sides;
  const exact = Math.floor(perSide / 2);
  if (!Number.isInteger(maxDistance) || maxDistance <= exact || maxDistance > 2 ** 30) {
    const expected = `an integer above ${exact}, the distances with a bucket each`;
    throw new ArgumentError(name, "maxDistance", expected, describe(maxDistance));
  }
  const starts = bucketStarts(perSide, exact, maxDistance);
  const bucketOf = (distance: number) => {
    const after = bidirectional && distance > 0 ? perSide : 0;
    const far = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
    if (far < exact) return after + far;
    // The last bucket that starts by then.
    let [bucket, end] = [exact, perSide];
    while (end - bucket > 1) {
      const middle = (bucket + end) >> 1;
      if (far >= (starts[middle] as number)) bucket = middle;
      else end = middle;
    }
    return after + bucket;
  };
  // One bucket for each distance, from the last query's first key to the first query's last.
  const least = 1 - queries - queryOffset;
  const found = Int32Array.from({ length: Math.max(queries + keys - 1, 0) }, (_, index) =>
    bucketOf(least + index),
  );
  const bias = {
    data: new Float32Array(elementsOf([heads, queries, keys])),
    dims: [1, heads, queries, keys],
  };
  let index = 0;
  for (let h = 0; h < heads; h++)
    for (let i = 0; i < queries; i++)
      for (let j = 0; j < keys; j++) {
        const bucket = found[j - i + queries - 1] as number;
        bias.data[index++] = data[byBucket ? bucket * heads + h : h * buckets + bucket] as number;
      }
  return bias;
}

/**
 * First distance of each bucket b ≥ exact: the least r with
 * ln(r / exact) / ln(maxDistance / exact) · (buckets − exact) ≥ b − exact. Where float64 comes near a
 * whole number, whole numbers decide, r^n ≥ maxDistance^k · exact^(n − k), so that no rounding puts a
 * distance into the wrong bucket.
 */
function bucketStarts(buckets: number, exact: number, maxDistance: number): number[] {
  const n = buckets - exact;
  const starts: number[] = [];
  for (let k = 0; k < n; k++) {
    const near = exact * (maxDistance / exact) ** (k / n);
    const whole = Math.round(near);
    const sure = Math.abs(near - whole) > 1e-12 * near;
    const power = (base: number, exponent: number) => BigInt(base) ** BigInt(exponent);
    const reached = () => power(whole, n) >= power(maxDistance, k) * power(exact, n - k);
    starts[exact + k] = sure ? Math.ceil(near) : reached() ? whole : whole + 1;
  }
  return starts;
}
