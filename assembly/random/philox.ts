// Random words without a state: Philox-4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
// as 1, 2, 3"). A counter of four words and a key of two give four words, whoever asks and in whatever
// order. Four counters at once, one in each lane.

const MULTIPLIER_0: i32 = 0xd2511f53;
const MULTIPLIER_1: i32 = 0xcd9e8d57;
const WEYL_0: u32 = 0x9e3779b9; // the golden ratio
const WEYL_1: u32 = 0xbb67ae85; // √3 − 1
const ROUNDS: i32 = 10;

/** Upper halves of the four products a · b. */
// @ts-ignore: decorator
@inline
function upper(a: v128, b: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(a, b);
  const high = i64x2.extmul_high_i32x4_u(a, b);
  return v128.shuffle<i32>(low, high, 1, 3, 5, 7);
}

/** Stores the words of counters (c0, c1, c2, c3) to (c0 + 3, c1, c2, c3), 16 in all. */
export function philox(c0: i32, c1: i32, c2: i32, c3: i32, key: u64, target: usize): void {
  let key0 = <u32>key;
  let key1 = <u32>(key >> 32);
  const m0 = i32x4.splat(MULTIPLIER_0);
  const m1 = i32x4.splat(MULTIPLIER_1);
  let x0 = i32x4.add(i32x4.splat(c0), i32x4(0, 1, 2, 3));
  let x1 = i32x4.splat(c1);
  let x2 = i32x4.splat(c2);
  let x3 = i32x4.splat(c3);
  for (let round = 0; round < ROUNDS; round++) {
    const upper0 = upper(x0, m0);
    const upper1 = upper(x2, m1);
    const lower0 = i32x4.mul(x0, m0);
    const lower1 = i32x4.mul(x2, m1);
    x0 = v128.xor(v128.xor(upper1, x1), i32x4.splat(key0));
    x1 = lower1;
    x2 = v128.xor(v128.xor(upper0, x3), i32x4.splat(key1));
    x3 = lower0;
    key0 += WEYL_0;
    key1 += WEYL_1;
  }
  const low01 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7);
  const low23 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5);
  const high23 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7);
  v128.store(target, v128.shuffle<i32>(low01, low23, 0, 1, 4, 5));
  v128.store(target, v128.shuffle<i32>(low01, low23, 2, 3, 6, 7), 16);
  v128.store(target, v128.shuffle<i32>(high01, high23, 0, 1, 4, 5), 32);
  v128.store(target, v128.shuffle<i32>(high01, high23, 2, 3, 6, 7), 48);
}
