// sin, cos, e^x and ln x in float64, for tables of positions: JavaScript's own differ
// between engines in the last bit, and the standard library's weigh 15 kB in tables.
// Kernels and coefficients of FreeBSD's msun (k_sin.c, k_cos.c, e_exp.c, e_log.c).
//
// Errors: sin and cos 1e-15 absolute for |x| ≤ 2²⁴; e^x and ln x 1e-15 relative.

// π/2 in three parts; with the first two of 29 bits, n·part is exact for |n| < 2²⁴.
const HALF_PI_1: f64 = reinterpret<f64>(0x3ff921fb54000000);
const HALF_PI_2: f64 = reinterpret<f64>(0x3e110b4611000000);
const HALF_PI_3: f64 = reinterpret<f64>(0x3c44c4c6628b80dc);
const TWO_OVER_PI: f64 = 0.6366197723675814;

function sineKernel(r: f64): f64 {
  const z = r * r;
  const p =
    8.33333333332248946124e-3 +
    z *
      (-1.98412698298579493134e-4 +
        z *
          (2.75573137070700676789e-6 +
            z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)));
  return r + r * z * (-1.66666666666666324348e-1 + z * p);
}

function cosineKernel(r: f64): f64 {
  const z = r * r;
  const p =
    4.16666666666666019037e-2 +
    z *
      (-1.38888888888741095749e-3 +
        z *
          (2.48015872894767294178e-5 +
            z *
              (-2.75573143513906633035e-7 +
                z * (2.0875723212981748279e-9 - z * 1.13596475577881948265e-11))));
  return 1 - 0.5 * z + z * z * p;
}

/** sin(x + quarter·π/2). */
function sineOfQuarter(x: f64, quarter: i32): f64 {
  const n = nearest<f64>(x * TWO_OVER_PI);
  const r = x - n * HALF_PI_1 - n * HALF_PI_2 - n * HALF_PI_3;
  const quadrant = <i32>n + quarter;
  const value = quadrant & 1 ? cosineKernel(r) : sineKernel(r);
  return quadrant & 2 ? -value : value;
}

export function sine(x: f64): f64 {
  return sineOfQuarter(x, 0);
}

export function cosine(x: f64): f64 {
  return sineOfQuarter(x, 1);
}

/** e^x for |x| < 700. */
export function exponential(x: f64): f64 {
  const n = nearest<f64>(x * 1.442695040888963387);
  const high = x - n * 6.9314718036912381649e-1;
  const low = n * 1.90821492927058770002e-10;
  const r = high - low;
  const z = r * r;
  const c =
    r -
    z *
      (1.66666666666666019037e-1 +
        z *
          (-2.77777777770155933842e-3 +
            z *
              (6.61375632143793436117e-5 +
                z * (-1.6533902205465251539e-6 + z * 4.13813679705723846039e-8))));
  const y = 1 + ((r * c) / (2 - c) - low + high);
  return y * reinterpret<f64>((<u64>(<i64>n + 1023)) << 52);
}

/** ln x for normal x > 0. */
export function logarithm(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  // x = 2^k · (1 + f) with 1 + f from √½ to √2.
  const k = <i32>((bits + 0x95f6400000000) >> 52) - 1023;
  const f = reinterpret<f64>(bits - ((<u64>(<i64>k)) << 52)) - 1;
  const s = f / (2 + f);
  const z = s * s;
  const r =
    z *
    (6.66666666666673513e-1 +
      z *
        (3.999999999940941908e-1 +
          z *
            (2.857142874366239149e-1 +
              z *
                (2.222219843214978396e-1 +
                  z *
                    (1.818357216161805012e-1 +
                      z * (1.531383769920937332e-1 + z * 1.479819860511658591e-1))))));
  const half = 0.5 * f * f;
  const scale = <f64>k;
  return (
    scale * 6.9314718036912381649e-1 -
    (half - (s * (half + r) + scale * 1.90821492927058770002e-10) - f)
  );
}
