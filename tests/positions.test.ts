// Positions against their formulas in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { alibiSlopes, relativePositionBias, sinusoidalPositions } from "wasm-attention/positions";
import { engine, random, randomArray, variants } from "./engines";
import { ulp } from "./reference";

test("ALiBi slopes: a geometric series, and every second one of the next for what is over", () => {
  const rule = (heads: number, maxBias: number) => {
    const n = 2 ** Math.floor(Math.log2(heads));
    return Array.from({ length: heads }, (_, h) =>
      h < n ? 2 ** ((-maxBias * (h + 1)) / n) : 2 ** ((-maxBias * (2 * (h - n) + 1)) / (2 * n)),
    );
  };
  for (const heads of [1, 2, 3, 7, 8, 12, 14, 16, 40, 71])
    for (const maxBias of [8, 12]) {
      const got = alibiSlopes(heads, { maxBias });
      for (const [h, slope] of rule(heads, maxBias).entries())
        assert.ok(Math.abs(got[h] - slope) <= ulp(slope), `${heads} heads, slope ${h}`);
    }
  assert.deepEqual(
    [...alibiSlopes(8)],
    [1, 2, 3, 4, 5, 6, 7, 8].map((h) => 2 ** -h),
  );
});

/** Raffel et al. 2020 as T5 computes it, away from the edges of its buckets. */
function bucketOf(distance: number, buckets: number, bidirectional: boolean, most: number): number {
  const perSide = bidirectional ? buckets / 2 : buckets;
  const after = bidirectional && distance > 0 ? perSide : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(perSide / 2);
  if (far < exact) return after + far;
  const spread = (Math.log(far / exact) / Math.log(most / exact)) * (perSide - exact);
  return after + Math.min(perSide - 1, exact + Math.floor(spread + 1e-9));
}

test("relative position bias: T5's buckets", () => {
  const next = random(9);
  const integer = (most: number) => Math.floor(((next() + 1) / 2) * (most + 1));
  for (let round = 0; round < 200; round++) {
    const bidirectional = round % 2 === 0;
    const buckets = [4, 8, 32, 32, 64][integer(4)];
    const maxDistance = [40, 128, 128, 1000][integer(3)];
    const [heads, queries, keys] = [1 + integer(3), integer(40), integer(300)];
    const queryOffset = integer(200) - 20;
    const table = tensor(randomArray(buckets * heads, round + 1), [buckets, heads]);
    const bias = relativePositionBias(table, {
      queries,
      keys,
      bidirectional,
      maxDistance,
      queryOffset,
    });
    assert.deepEqual(bias.dims, [1, heads, queries, keys]);
    let index = 0;
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++)
        for (let j = 0; j < keys; j++) {
          const bucket = bucketOf(j - i - queryOffset, buckets, bidirectional, maxDistance);
          assert.equal(
            bias.data[index++],
            table.data[bucket * heads + h],
            `${i}, ${j} of round ${round}`,
          );
        }
  }
});

for (const variant of variants) {
  test(`sinusoidal positions, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const size of [1, 2, 3, 6, 64])
      for (const order of ["interleaved", "concatenated"] as const) {
        if (order === "concatenated" && size % 2) continue;
        for (const positions of [0, 5, [3, 0, 4096.5, -7, 2 ** 24]]) {
          const { data, dims } = sinusoidalPositions(attention, {
            positions,
            size,
            order,
            base: 5000,
          });
          const rows = typeof positions === "number" ? [...Array(positions).keys()] : positions;
          assert.deepEqual(dims, [rows.length, size]);
          for (const [row, position] of rows.entries())
            for (let column = 0; column < size; column++) {
              const half = size / 2;
              const sine = order === "interleaved" ? column % 2 === 0 : column < half;
              const pair = order === "interleaved" ? Math.floor(column / 2) : column % half;
              const angle = position * 5000 ** ((-2 * pair) / size);
              const want = sine ? Math.sin(angle) : Math.cos(angle);
              // The frequency's own last bit, times the position.
              const tolerance = 2 ** -24 + Math.abs(angle) * 2 ** -50;
              assert.ok(Math.abs(data[row * size + column] - want) <= tolerance);
            }
        }
      }
  });
}

test("relativePositionBias: any maxDistance and number of buckets within a second, exactly", () => {
  /** The least r with r^n ≥ maxDistance^k · exact^(n − k), by halving. */
  const startOf = (exact: number, n: number, k: number, maxDistance: number) => {
    const bound = BigInt(maxDistance) ** BigInt(k) * BigInt(exact) ** BigInt(n - k);
    let [low, high] = [exact, maxDistance];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (BigInt(middle) ** BigInt(n) >= bound) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  for (const [buckets, maxDistance] of [
    [32, 128],
    [32, 2 ** 30],
    [7, 2 ** 30],
    [64, 33],
    [18, 3 ** 18],
    [256, 1000],
  ]) {
    const table = tensor(
      Float32Array.from({ length: buckets }, (_, b) => b),
      [buckets, 1],
    );
    const exact = Math.floor(buckets / 2);
    const bucketAt = (distance: number) =>
      relativePositionBias(table, {
        queries: 1,
        keys: 1,
        bidirectional: false,
        maxDistance,
        queryOffset: distance,
      }).data[0];
    for (let bucket = exact + 1; bucket < buckets; bucket++) {
      const start = startOf(exact, buckets - exact, bucket - exact, maxDistance);
      assert.ok(bucketAt(start) >= bucket, `bucket ${bucket} of ${buckets} starts at ${start}`);
      assert.ok(bucketAt(start - 1) < bucket, `bucket ${bucket} of ${buckets} starts at ${start}`);
    }
  }
  const start = performance.now();
  const many = tensor(new Float32Array(20000), [20000, 1]);
  relativePositionBias(many, { queries: 2000, keys: 2000, maxDistance: 2 ** 30 });
  relativePositionBias(many, { queries: 1, keys: 1, bidirectional: false, maxDistance: 20000 });
  assert.ok(performance.now() - start < 5000);
});

test("relativePositionBias: a table in t5x's order", () => {
  const [buckets, heads] = [8, 3];
  const table = tensor(randomArray(buckets * heads, 1), [buckets, heads]);
  const turned = tensor(
    table.data.map((_, k) => table.data[(k % buckets) * heads + Math.floor(k / buckets)]),
    [heads, buckets],
  );
  const sizes = { queries: 5, keys: 7, maxDistance: 6 };
  assert.deepEqual(
    relativePositionBias(turned, { ...sizes, order: "heads,buckets" }),
    relativePositionBias(table, sizes),
  );
  assert.throws(() => relativePositionBias(turned, { ...sizes, order: "t5x" as never }), {
    message: 'relativePositionBias: "order" expected "buckets,heads" or "heads,buckets", got "t5x"',
  });
  assert.throws(() => relativePositionBias(turned, { ...sizes, bidirectional: true }), {
    message:
      'relativePositionBias: "table.dims" expected [buckets, H] with even buckets from 4, got [3, 8]',
  });
});
