import { packColumns, packRows, packRows8 } from "../../assembly/gemm/pack";
import { Product, scoreTile, valueTile, valueTileSkipping } from "../../assembly/gemm/products";
import { KEYS } from "../../assembly/tiles";

const product = changetype<Product>(memory.data(offsetof<Product>(), 16));

let state: u32 = 12345;
function next(): f32 {
  state = state * 1664525 + 1013904223;
  return <f32>(<i32>state) / 2147483648.0;
}

function fill(length: i32): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = next();
  return values;
}

/** Bound on the rounding of a sum of `n` products of numbers below 1. */
function bound(n: i32): f64 {
  return (<f64>n + 1) * <f64>n * 6e-8 + 1e-7;
}

const sizes: i32[] = [1, 2, 3, 4, 5, 7, 8, 9, 11, 16, 17];

describe("products of a tile", () => {
  it("scores are Q·Kᵀ for every size of rows, keys and depth", () => {
    let wrong = 0;
    for (let a = 0; a < sizes.length; a++)
      for (let b = 0; b < sizes.length; b++)
        for (let c = 0; c < sizes.length; c++) {
          const rows = sizes[a];
          const keys = sizes[b];
          const depth = sizes[c];
          const q = fill(rows * depth);
          const k = fill(keys * depth);
          const packedQ = new Float32Array(((rows + 3) & ~3) * depth);
          const packedK = new Float32Array(((keys + 7) & ~7) * depth);
          for (let i = 0; i < rows; i += 4)
            packRows(
              q.dataStart + ((i * depth) << 2),
              depth,
              rows - i,
              depth,
              packedQ.dataStart + ((i * depth) << 2),
              16,
            );
          for (let j = 0; j < keys; j += 8)
            packRows8(
              k.dataStart + ((j * depth) << 2),
              depth,
              keys - j,
              depth,
              packedK.dataStart + ((j * depth) << 2),
            );
          const scores = new Float32Array(((rows + 3) & ~3) * KEYS).fill(NaN);
          product.a = packedQ.dataStart;
          product.b = packedK.dataStart;
          product.c = scores.dataStart;
          product.rows = rows;
          product.columns = keys;
          product.depth = depth;
          product.reach = keys;
          scoreTile(product);
          for (let i = 0; i < rows; i++)
            for (let j = 0; j < keys; j++) {
              let sum: f64 = 0;
              for (let d = 0; d < depth; d++) sum += <f64>q[i * depth + d] * <f64>k[j * depth + d];
              const error = Math.abs(<f64>scores[i * KEYS + j] - sum);
              if (!(error <= bound(depth))) wrong++;
            }
        }
    expect<i32>(wrong).toBe(0);
  });

  it("output grows by P·V, and skipping gives the same where all is finite", () => {
    let wrong = 0;
    for (let a = 0; a < sizes.length; a++)
      for (let b = 0; b < sizes.length; b++)
        for (let c = 0; c < sizes.length; c++) {
          const rows = sizes[a];
          const keys = sizes[b];
          const columns = sizes[c];
          const padded = (columns + 7) & ~7;
          const v = fill(keys * columns);
          const panel = (<usize>keys) << 5;
          const packedV = new Float32Array(keys * padded);
          for (let j = 0; j < columns; j += 8)
            packColumns(
              v.dataStart + (j << 2),
              columns,
              columns - j,
              keys,
              packedV.dataStart + <usize>(j >> 3) * panel,
            );
          const padRows = (rows + 3) & ~3;
          const p = fill(padRows * KEYS);
          const output = new Float32Array(padRows * padded).fill(0.5);
          const skipping = new Float32Array(padRows * padded).fill(0.5);
          product.a = p.dataStart;
          product.b = packedV.dataStart;
          product.c = output.dataStart;
          product.rows = rows;
          product.columns = padded;
          product.depth = keys;
          product.reach = keys;
          product.panel = <usize>keys;
          product.cRow = (<usize>padded) << 2;
          valueTile(product);
          product.c = skipping.dataStart;
          valueTileSkipping(product, p.dataStart);
          for (let i = 0; i < rows; i++)
            for (let d = 0; d < columns; d++) {
              let sum: f64 = 0.5;
              for (let j = 0; j < keys; j++) sum += <f64>p[i * KEYS + j] * <f64>v[j * columns + d];
              const error = max(
                Math.abs(<f64>output[i * padded + d] - sum),
                Math.abs(<f64>skipping[i * padded + d] - sum),
              );
              if (!(error <= bound(keys))) wrong++;
            }
        }
    expect<i32>(wrong).toBe(0);
  });

  it("skipping lets no value of a key that is left out through", () => {
    const values = new Float32Array(16).fill(NaN);
    for (let d = 0; d < 8; d++) values[8 + d] = 2;
    const scores = new Float32Array(4 * KEYS);
    scores[0] = -(<f32>Infinity);
    const weights = new Float32Array(4 * KEYS).fill(1);
    weights[0] = 0;
    const output = new Float32Array(32);
    product.a = weights.dataStart;
    product.b = values.dataStart;
    product.c = output.dataStart;
    product.rows = 1;
    product.columns = 8;
    product.depth = 2;
    product.panel = 2;
    product.cRow = 32;
    valueTileSkipping(product, scores.dataStart);
    for (let d = 0; d < 8; d++) expect<f32>(output[d]).toBe(2);
  });
});
