// The delta rule (Schlag et al. 2021) on the state of recurrence.ts, and the way back through it. With the error
// w = v − (e S)ᵀk a token makes S ← e S + β k wᵀ; with R the gradient of S, from the last token to the first,
//
//   δ = Rᵀk     dv = β δ     dβ = δ · w     dk = β (R w − (e S) δ)     R ← e (R − β k δᵀ)
//
// so that all but δ, which takes R through once, are recurrences of products that are known: S takes in w by β k,
// and R loses δ by it.

import { madd } from "../simd/lanes";
import { Gate, gatePanel, panelOf, read, Recurrence, take, tokenAt, write } from "./recurrence";

/** How tokens pass. */
export enum Rule {
  plain,
  delta,
  /** Of R, whose columns are those of values: δ. */
  errors,
  /** Of Sᵀ: (e S) δ, and what queries read. */
  queries,
  /** Of Rᵀ: R w. */
  keys,
}

/** Tokens [from, to). */
export function passDelta(r: Recurrence, from: i32, to: i32, rule: i32): void {
  for (let p = 0; p < r.panels; p++) {
    for (let t = from; t < to; t++) {
      if (rule == Rule.delta) {
        takeDelta(r, p, t);
        read(r, p, t);
      } else if (rule == Rule.errors) {
        take(r, p, t);
        const output = tokenAt(r.output, r.outputStep, t, p);
        readSecond(r, p, tokenAt(r.query, r.queryStep, t, 0), output);
        subtract(r, p, t, output);
      } else if (rule == Rule.queries) {
        if (r.gate != Gate.none) gatePanel(r, p, t);
        const second = tokenAt(r.second, r.secondStep, t, 0);
        readSecond(r, p, second, tokenAt(r.beside, r.besideStep, t, p));
        write(r, p, t);
        read(r, p, t);
      } else {
        take(r, p, t);
        read(r, p, t);
        subtract(r, p, t, tokenAt(r.beside, r.besideStep, t, p));
      }
    }
  }
}

/** Sᵀx for the eight columns of a panel. */
// @ts-ignore: decorator
@inline
function readSecond(r: Recurrence, p: i32, x: usize, target: usize): void {
  const panel = panelOf(r, p);
  const bytes = (<usize>r.depth) << 2;
  let o0 = f32x4.splat(0);
  let o1 = o0;
  for (let at: usize = 0; at < bytes; at += 4) {
    const k = v128.load32_splat(x + at);
    const s = panel + (at << 3);
    o0 = madd(k, v128.load(s), o0);
    o1 = madd(k, v128.load(s, 16), o1);
  }
  v128.store(target, o0);
  v128.store(target, o1, 16);
}

/** S − second · columnsᵀ of token t. */
function subtract(r: Recurrence, p: i32, t: i32, columns: usize): void {
  const panel = panelOf(r, p);
  const bytes = (<usize>r.depth) << 2;
  const second = tokenAt(r.second, r.secondStep, t, 0);
  const v0 = f32x4.neg(v128.load(columns));
  const v1 = f32x4.neg(v128.load(columns, 16));
  for (let at: usize = 0; at < bytes; at += 4) {
    const k = v128.load32_splat(second + at);
    const s = panel + (at << 3);
    v128.store(s, madd(k, v0, v128.load(s)));
    v128.store(s, madd(k, v1, v128.load(s, 16)), 16);
  }
}

function takeDelta(r: Recurrence, p: i32, t: i32): void {
  if (r.gate != Gate.none) gatePanel(r, p, t);
  const panel = panelOf(r, p);
  const bytes = (<usize>r.depth) << 2;
  const key = tokenAt(r.key, r.keyStep, t, 0);
  let u0 = f32x4.splat(0);
  let u1 = u0;
  for (let at: usize = 0; at < bytes; at += 4) {
    const k = v128.load32_splat(key + at);
    const s = panel + (at << 3);
    u0 = madd(k, v128.load(s), u0);
    u1 = madd(k, v128.load(s, 16), u1);
  }
  const value = tokenAt(r.value, r.valueStep, t, p);
  const beta = v128.load32_splat(tokenAt(r.beta, r.betaStep, t, 0));
  u0 = f32x4.sub(v128.load(value), u0);
  u1 = f32x4.sub(v128.load(value, 16), u1);
  if (r.beside) {
    const errors = tokenAt(r.beside, r.besideStep, t, p);
    v128.store(errors, u0);
    v128.store(errors, u1, 16);
  }
  u0 = f32x4.mul(u0, beta);
  u1 = f32x4.mul(u1, beta);
  for (let at: usize = 0; at < bytes; at += 4) {
    const k = v128.load32_splat(key + at);
    const s = panel + (at << 3);
    v128.store(s, madd(k, u0, v128.load(s)));
    v128.store(s, madd(k, u1, v128.load(s, 16)), 16);
  }
}
