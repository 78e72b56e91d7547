// The largest singular values of a matrix and their vectors, by random directions (Halko, Martinsson and Tropp
// 2011, "Finding structure with randomness", algorithms 4.4 and 5.1): an orthonormal basis Q of A·Ω, brought
// nearer to the largest ones by (A·Aᵀ)², then the decomposition of Aᵀ·Q, as P·R with P orthonormal, by one-sided
// Jacobi rotations of the small R (Hestenes 1958), which turn Q too.
//
// float64, sums in a fixed order, and only + − · ÷ √: the same bits on every engine.

export interface Matrix {
  /** [rows × columns] */
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** Vectors of one length. */
type Vectors = Float64Array[];

/** Directions besides those that are asked for. */
const MORE = 10;
/** Times that A·Aᵀ is applied. */
const POWERS = 2;
/** Turns until all are orthogonal; as a rule six to ten. */
const SWEEPS = 40;

export function truncatedSvd(
  a: Matrix,
  rank: number,
  seed: number,
): { left: Vectors; values: Float64Array; right: Vectors } {
  const count = Math.min(rank + MORE, a.rows, a.columns);
  let basis = orthonormal(timesRows(a, randomVectors(count, a.columns, seed)));
  for (let i = 0; i < POWERS; i++) {
    basis = orthonormal(timesRows(a, orthonormal(timesColumns(a, basis))));
  }
  const images = timesColumns(a, basis);
  // In a basis of their own they are short.
  const frame = orthonormal(images.map((image) => image.slice()));
  const short = images.map((image) => Float64Array.from(frame, (of) => dot(of, image)));
  turn(short, basis);
  const norms = short.map((image) => Math.sqrt(dot(image, image)));
  const order = norms
    .map((_, index) => index)
    .sort((i, j) => (norms[j] as number) - (norms[i] as number) || i - j)
    .slice(0, rank);
  const right = order.map((index) => {
    const norm = norms[index] as number;
    const vector = new Float64Array(a.columns);
    for (const [k, part] of (short[index] as Float64Array).entries()) {
      if (norm) addTo(vector, frame[k] as Float64Array, part / norm);
    }
    return vector;
  });
  return {
    left: order.map((index) => basis[index] as Float64Array),
    values: Float64Array.from(order, (index) => norms[index] as number),
    right,
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** b ← b + factor · a */
function addTo(b: Float64Array, a: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) b[i] = (b[i] as number) + factor * (a[i] as number);
}

/** A·v of each v [columns]. */
function timesRows({ data, rows, columns }: Matrix, vectors: Vectors): Vectors {
  const results = vectors.map(() => new Float64Array(rows));
  for (let row = 0; row < rows; row++) {
    const of = data.subarray(row * columns, (row + 1) * columns);
    for (const [k, vector] of vectors.entries())
      (results[k] as Float64Array)[row] = dot(of, vector);
  }
  return results;
}

/** Aᵀ·v of each v [rows]. */
function timesColumns({ data, rows, columns }: Matrix, vectors: Vectors): Vectors {
  const results = vectors.map(() => new Float64Array(columns));
  for (let row = 0; row < rows; row++) {
    const of = data.subarray(row * columns, (row + 1) * columns);
    for (const [k, vector] of vectors.entries()) {
      addTo(results[k] as Float64Array, of, vector[row] as number);
    }
  }
  return results;
}

/** In place, by Gram and Schmidt twice; what depends on those before it becomes 0. */
function orthonormal(vectors: Vectors): Vectors {
  for (const [k, vector] of vectors.entries()) {
    const before = Math.sqrt(dot(vector, vector));
    for (let twice = 0; twice < 2; twice++) {
      for (const other of vectors.slice(0, k)) addTo(vector, other, -dot(vector, other));
    }
    const norm = Math.sqrt(dot(vector, vector));
    const depends = norm <= before * 1e-13;
    for (let i = 0; i < vector.length; i++) vector[i] = depends ? 0 : (vector[i] as number) / norm;
  }
  return vectors;
}

/** Turns pairs until all of `images` are orthogonal, and `basis` alike. */
function turn(images: Vectors, basis: Vectors): void {
  for (let sweep = 0, turned = true; turned && sweep < SWEEPS; sweep++) {
    turned = false;
    for (let p = 0; p < images.length; p++) {
      for (let q = p + 1; q < images.length; q++) {
        const [a, b] = [images[p] as Float64Array, images[q] as Float64Array];
        const [alpha, beta, gamma] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta)) continue;
        turned = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        rotate(a, b, cosine, tangent * cosine);
        rotate(basis[p] as Float64Array, basis[q] as Float64Array, cosine, tangent * cosine);
      }
    }
  }
}

function rotate(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    a[i] = cosine * x - sine * y;
    b[i] = sine * x + cosine * y;
  }
}

/** Uniform in [−1, 1), by mulberry32. */
function randomVectors(count: number, length: number, seed: number): Vectors {
  let state = (seed ^ (seed / 2 ** 32)) | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
  return Array.from({ length: count }, () => Float64Array.from({ length }, next));
}
