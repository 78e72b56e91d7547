// Activations of four lanes, and their derivatives. NaN stays NaN.
//
//   relu        max(x, 0)
//   gelu        x·Φ(x), Φ the normal distribution: max(x, 0) − a·Q(a), a = |x|, Q(a) = ½·erfc(a/√2)
//   geluTanh    x·σ(2u), u = √(2/π)·(x + 0.044715·x³): ½·x·(1 + tanh u) (Hendrycks & Gimpel 2016)
//   silu        x·σ(x)
//
// Q(a) = e^(−a²/2)·R(t) with t = 1/(1 + 0.3·a), R the minimax polynomial of degree 8 for a ≤ 14
// (relative error 5.8e-8; with its roundings 3.8e-7), where Q is below the least float32. So gelu errs
// by 1 ulp where x > 0, and before −6 by 2e-6 of itself. σ(v) = 1/(1 + e) or e/(1 + e) with
// e = e^(−|v|), to 3 ulp: nothing cancels, and no exponential overflows.
//
// Sixteen elements are worked on at once: first their exponentials, then what is made of them.

import { ActivationKind } from "../kinds";
import { exp, expSixteen } from "../simd/exp";
import { madd } from "../simd/lanes";

const constants = memory.data<f32>([
  0.3, 14.0, -0.5, 0.3989422804, 0.7978845608, 0.044715, 0.134145, 1.0, 0.00000716929344,
  0.11948768, 0.121920392, 0.0946833417, 0.14253594, -0.0765070319, 0.228660524, -0.169166312,
  0.0383783281,
  // Where x·σ is −0 before x·0 can be NaN, and derivatives are 0 or 1.
  120.0, 30.0,
]);

// @ts-ignore: decorator
@inline
function constant(index: usize): v128 {
  return v128.load32_splat(constants + (index << 2));
}

/** Of the sixteen floats at x the exponentials that an activation is made of, to e; none where it is of none. */
export function exponentials(kind: i32, x: usize, e: usize): void {
  switch (kind) {
    case ActivationKind.gelu:
      for (let at: usize = 0; at < 64; at += 16) {
        const a = magnitude(v128.load(x + at));
        v128.store(e + at, f32x4.mul(f32x4.mul(a, a), constant(2)));
      }
      break;
    case ActivationKind.geluTanh:
      for (let at: usize = 0; at < 64; at += 16)
        v128.store(e + at, f32x4.neg(f32x4.abs(doubled(v128.load(x + at)))));
      break;
    case ActivationKind.silu:
      for (let at: usize = 0; at < 64; at += 16)
        v128.store(e + at, f32x4.neg(f32x4.abs(v128.load(x + at))));
      break;
    default:
      return;
  }
  expSixteen(e, f32x4.splat(0));
}

/** f of the sixteen floats at x, to y, with their exponentials at e; y may be either. */
export function activateSixteen(kind: i32, x: usize, e: usize, y: usize): void {
  switch (kind) {
    case ActivationKind.relu:
      for (let at: usize = 0; at < 64; at += 16) v128.store(y + at, relu(v128.load(x + at)));
      break;
    case ActivationKind.gelu:
      geluSixteen(x, e, y);
      break;
    case ActivationKind.geluTanh:
    case ActivationKind.silu:
      for (let at: usize = 0; at < 64; at += 16)
        v128.store(y + at, gated(v128.load(x + at), v128.load(e + at)));
      break;
    default:
      memory.copy(y, x, 64);
  }
}

/** Four vectors side by side, so that a constant is loaded once for all and no step waits for the one before. */
function geluSixteen(x: usize, e: usize, y: usize): void {
  const one = constant(7);
  let c = constant(0);
  const t0 = f32x4.div(one, madd(magnitude(v128.load(x)), c, one));
  const t1 = f32x4.div(one, madd(magnitude(v128.load(x, 16)), c, one));
  const t2 = f32x4.div(one, madd(magnitude(v128.load(x, 32)), c, one));
  const t3 = f32x4.div(one, madd(magnitude(v128.load(x, 48)), c, one));
  let p0 = constant(16);
  c = constant(15);
  let p1 = madd(p0, t1, c);
  let p2 = madd(p0, t2, c);
  let p3 = madd(p0, t3, c);
  p0 = madd(p0, t0, c);
  c = constant(14);
  p0 = madd(p0, t0, c);
  p1 = madd(p1, t1, c);
  p2 = madd(p2, t2, c);
  p3 = madd(p3, t3, c);
  c = constant(13);
  p0 = madd(p0, t0, c);
  p1 = madd(p1, t1, c);
  p2 = madd(p2, t2, c);
  p3 = madd(p3, t3, c);
  c = constant(12);
  p0 = madd(p0, t0, c);
  p1 = madd(p1, t1, c);
  p2 = madd(p2, t2, c);
  p3 = madd(p3, t3, c);
  c = constant(11);
  p0 = madd(p0, t0, c);
  p1 = madd(p1, t1, c);
  p2 = madd(p2, t2, c);
  p3 = madd(p3, t3, c);
  c = constant(10);
  p0 = madd(p0, t0, c);
  p1 = madd(p1, t1, c);
  p2 = madd(p2, t2, c);
  p3 = madd(p3, t3, c);
  c = constant(9);
  p0 = madd(p0, t0, c);
  p1 = madd(p1, t1, c);
  p2 = madd(p2, t2, c);
  p3 = madd(p3, t3, c);
  c = constant(8);
  p0 = madd(p0, t0, c);
  p1 = madd(p1, t1, c);
  p2 = madd(p2, t2, c);
  p3 = madd(p3, t3, c);
  v128.store(y, geluOf(v128.load(x), v128.load(e), p0));
  v128.store(y, geluOf(v128.load(x, 16), v128.load(e, 16), p1), 16);
  v128.store(y, geluOf(v128.load(x, 32), v128.load(e, 32), p2), 32);
  v128.store(y, geluOf(v128.load(x, 48), v128.load(e, 48), p3), 48);
}

/** x·Φ(x) of x, e and R. */
// @ts-ignore: decorator
@inline
function geluOf(x: v128, e: v128, r: v128): v128 {
  return f32x4.sub(relu(x), f32x4.mul(magnitude(x), f32x4.mul(e, r)));
}

/** f′ likewise. */
export function slopesSixteen(kind: i32, x: usize, e: usize, y: usize): void {
  switch (kind) {
    case ActivationKind.relu:
      for (let at: usize = 0; at < 64; at += 16) v128.store(y + at, reluSlope(v128.load(x + at)));
      break;
    case ActivationKind.gelu:
      for (let at: usize = 0; at < 64; at += 16)
        v128.store(y + at, geluSlope(v128.load(x + at), v128.load(e + at)));
      break;
    case ActivationKind.geluTanh:
      for (let at: usize = 0; at < 64; at += 16)
        v128.store(y + at, geluTanhSlope(v128.load(x + at), v128.load(e + at)));
      break;
    case ActivationKind.silu:
      for (let at: usize = 0; at < 64; at += 16)
        v128.store(y + at, slopeOfSilu(v128.load(x + at), v128.load(e + at)));
      break;
    default:
      for (let at: usize = 0; at < 64; at += 16) v128.store(y + at, constant(7));
  }
}

// @ts-ignore: decorator
@inline
export function silu(x: v128): v128 {
  return gated(x, exp(f32x4.neg(f32x4.abs(x))));
}

// @ts-ignore: decorator
@inline
export function siluSlope(x: v128): v128 {
  return slopeOfSilu(x, exp(f32x4.neg(f32x4.abs(x))));
}

// @ts-ignore: decorator
@inline
function relu(x: v128): v128 {
  return f32x4.pmax(x, f32x4.splat(0));
}

// @ts-ignore: decorator
@inline
function reluSlope(x: v128): v128 {
  const seen = v128.and(constant(7), f32x4.gt(x, f32x4.splat(0)));
  return v128.bitselect(seen, x, f32x4.eq(x, x));
}

/** a */
// @ts-ignore: decorator
@inline
function magnitude(x: v128): v128 {
  return f32x4.pmin(f32x4.abs(x), constant(1));
}

/** Φ(x) + x·φ(x) */
// @ts-ignore: decorator
@inline
function geluSlope(x: v128, e: v128): v128 {
  const a = magnitude(x);
  const q = f32x4.mul(e, ratio(a));
  const slope = f32x4.mul(f32x4.mul(a, e), constant(3));
  const right = f32x4.add(f32x4.sub(constant(7), q), slope);
  return v128.bitselect(f32x4.sub(q, slope), right, f32x4.lt(x, f32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
function geluTanhSlope(x: v128, e: v128): v128 {
  const near = bounded(x, constant(18));
  const factor = madd(f32x4.mul(near, near), constant(6), constant(7));
  const u = f32x4.mul(constant(4), factor);
  return slope(near, doubled(near), f32x4.add(u, u), e);
}

// @ts-ignore: decorator
@inline
function slopeOfSilu(x: v128, e: v128): v128 {
  const near = bounded(x, constant(17));
  return slope(near, near, constant(7), e);
}

/** Q(a)·e^(a²/2), for a from 0 to 14. */
// @ts-ignore: decorator
@inline
function ratio(a: v128): v128 {
  const one = constant(7);
  const t = f32x4.div(one, madd(a, constant(0), one));
  let p = constant(16);
  p = madd(p, t, constant(15));
  p = madd(p, t, constant(14));
  p = madd(p, t, constant(13));
  p = madd(p, t, constant(12));
  p = madd(p, t, constant(11));
  p = madd(p, t, constant(10));
  p = madd(p, t, constant(9));
  return madd(p, t, constant(8));
}

/** 2u, for the tanh form of gelu. */
// @ts-ignore: decorator
@inline
function doubled(x: v128): v128 {
  const inner = f32x4.mul(x, madd(f32x4.mul(x, x), constant(5), constant(7)));
  const u = f32x4.mul(inner, constant(4));
  return f32x4.add(u, u);
}

/** x·σ(v), v of the sign of x. */
// @ts-ignore: decorator
@inline
function gated(x: v128, e: v128): v128 {
  const below = f32x4.lt(x, f32x4.splat(0));
  const near = f32x4.pmax(x, f32x4.neg(constant(17)));
  const top = v128.bitselect(f32x4.mul(near, e), x, below);
  return f32x4.div(top, f32x4.add(e, constant(7)));
}

/** σ + x·σ·(1 − σ)·v′, with σ = σ(v). */
// @ts-ignore: decorator
@inline
function slope(x: v128, v: v128, inner: v128, e: v128): v128 {
  const one = constant(7);
  const whole = f32x4.add(e, one);
  const large = f32x4.div(one, whole);
  const small = f32x4.div(e, whole);
  const sigma = v128.bitselect(small, large, f32x4.lt(v, f32x4.splat(0)));
  return madd(f32x4.mul(f32x4.mul(x, large), small), inner, sigma);
}

/** x between −limit and limit; NaN stays. */
// @ts-ignore: decorator
@inline
function bounded(x: v128, limit: v128): v128 {
  return f32x4.pmax(f32x4.pmin(x, limit), f32x4.neg(limit));
}
