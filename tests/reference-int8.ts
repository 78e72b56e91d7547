// attend in integers of 8 bits, one tile of keys, in float64 from the formulas of assembly/integers/bytes: what
// it should be but for what float32 rounds.

import { halfToEven } from "./reference-quantized";

type Rows = readonly Float64Array[];

const sum = (x: Float64Array) => x.reduce((a, b) => a + b, 0);
const most = (x: Float64Array) => x.reduce((m, value) => Math.max(m, Math.abs(value)), 0);
const mean = (rows: Rows, c: number) =>
  rows.reduce((s, row) => s + (row[c] as number), 0) / rows.length;
const columnsOf = ([row]: Rows) => [...(row as Float64Array).keys()];

/** At most 256 of them, evenly spread. */
const sampled = (rows: Rows) => {
  const count = Math.min(rows.length, 256);
  return Array.from(
    { length: count },
    (_, i) => rows[Math.floor((i * rows.length) / count)] as Float64Array,
  );
};

/** Σ (x / max |x|)² by channel, and a 1024th of its mean more. */
function shapeOf(rows: Rows): Float64Array {
  const shape = new Float64Array((rows[0] as Float64Array).length);
  for (const row of rows) {
    const largest = most(row);
    for (const [d, x] of row.entries()) {
      if (largest) shape[d] = (shape[d] as number) + (x / largest) ** 2;
    }
  }
  const floor = sum(shape) / shape.length / 1024;
  return shape.map((x) => x + floor);
}

/** Of queries; keys are divided by it. */
export function balance(queries: Rows, keys: Rows): Float64Array {
  const some = sampled(keys);
  const means = columnsOf(keys).map((d) => mean(some, d));
  const below = shapeOf(sampled(queries));
  const above = shapeOf(some.map((row) => row.map((x, d) => x - (means[d] as number))));
  return above.map((x, d) => (x && below[d] ? (x / (below[d] as number)) ** 0.25 : 1));
}

/** The mean of each column, or 0 where some row is sixteen times another. */
function means(rows: Rows): number[] {
  const sizes = rows.map(most).filter((x) => x > 0);
  const alike = Math.max(...sizes) <= 16 * Math.min(...sizes);
  return columnsOf(rows).map((c) => (alike ? mean(rows, c) : 0));
}

/** Each row's integers of −largest to largest, and its scale. */
const rounded = (rows: Rows, largest: number) =>
  rows.map((row) => {
    const scale = most(row) / largest;
    return { scale, numbers: row.map((x) => (scale ? halfToEven(x / scale) : 0)) };
  });

/** softmax(q·kᵀ)·v of scaled queries and at most 128 keys. */
export function attendedInBytes(queries: Rows, keys: Rows, values: Rows): Float64Array[] {
  const at = (list: ArrayLike<number>, i: number) => list[i] as number;
  const f = balance(queries, keys);
  const mu = means(keys);
  const nu = means(values);
  const columns = columnsOf(values);
  const least = most(Float64Array.from(values.map(most))) * 2 ** -14;
  const g = columns.map((c) => {
    return Math.max(...values.map((row) => Math.abs((row[c] as number) - at(nu, c))), least) || 1;
  });
  const k = rounded(
    keys.map((row) => row.map((x, d) => (x - at(mu, d)) / at(f, d))),
    127,
  );
  const v = rounded(
    values.map((row) => row.map((x, c) => (x - at(nu, c)) / at(g, c))),
    127,
  );
  const q = rounded(
    queries.map((row) => row.map((x, d) => x * at(f, d))),
    63,
  );
  return q.map(({ scale, numbers }, i) => {
    const offset = sum((queries[i] as Float64Array).map((x, d) => x * at(mu, d)));
    const scores = Float64Array.from(k, (key) => {
      return sum(numbers.map((x, d) => x * at(key.numbers, d))) * scale * key.scale + offset;
    });
    const largest = scores.reduce((a, b) => Math.max(a, b));
    const weights = scores.map((s) => Math.exp(s - largest));
    const l = sum(weights);
    const tokens = weights.map((w, j) => w * (v[j] as (typeof v)[number]).scale);
    const u = most(tokens) / 127;
    const bytes = tokens.map((w) => (u ? halfToEven(w / u) : 0));
    return Float64Array.from(columns, (c) => {
      const total = bytes.reduce(
        (s, w, j) => s + w * at((v[j] as (typeof v)[number]).numbers, c),
        0,
      );
      return (total * u * at(g, c) + l * at(nu, c)) / l;
    });
  });
}
