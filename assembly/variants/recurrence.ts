// A state S [depth × columns] that takes in one key and value after another, and what is read from it:
//
//   S ← S · e            rows of S by e[d], columns by e[c] or all of it by e, where it is gated
//   S ← S + k vᵀ         for each of the writers
//   o ← Sᵀ q             for each of the readers
//
// or by the delta rule, see delta.ts. S is packed [columns/8][depth][8]: a panel
// of eight columns stays in the level-1 cache while some tokens pass. An element of S and of o is summed in
// one order, token after token and row after row: how a sequence is cut changes no bit. Two tokens at a time
// share each load and store of S, which is why this needs fewer instructions than products of whole chunks.

import { madd } from "../simd/lanes";

/** Tokens that pass one panel after another. */
export const TOKENS: i32 = 32;
/** Columns of a state that pass through all tokens together. */
export const PART_COLUMNS: i32 = 64;

/** What S is multiplied by before a token. */
export enum Gate {
  none,
  rows,
  columns,
  /** By one number, four times at the row's beginning. */
  whole,
}

/** Where token 0 lies; a step leads to the next one, backwards too. All in bytes. */
@unmanaged
export class Recurrence {
  state: usize = 0;
  /** Which head's state of all batches, and its columns from which on. */
  head: i32 = 0;
  first: i32 = 0;
  depth: i32 = 0;
  panels: i32 = 0;
  gate: i32 = 0;
  readers: i32 = 0;
  writers: i32 = 0;
  query: usize = 0;
  queryStep: usize = 0;
  queryReader: usize = 0;
  key: usize = 0;
  keyStep: usize = 0;
  keyWriter: usize = 0;
  value: usize = 0;
  valueStep: usize = 0;
  valueWriter: usize = 0;
  decay: usize = 0;
  decayStep: usize = 0;
  output: usize = 0;
  outputStep: usize = 0;
  outputReader: usize = 0;
  beta: usize = 0;
  betaStep: usize = 0;
  /** Of the delta rule, see delta.ts: what a token is taken in or read by besides, [depth]. */
  second: usize = 0;
  secondStep: usize = 0;
  /** And columns that come of it, or 0. */
  beside: usize = 0;
  besideStep: usize = 0;
}

/** Tokens [from, to) are taken in and read. */
export function takeAndRead(r: Recurrence, from: i32, to: i32): void {
  for (let p = 0; p < r.panels; p++) {
    if (r.readers != 1 || r.writers != 1) {
      for (let t = from; t < to; t++) {
        take(r, p, t);
        read(r, p, t);
      }
      continue;
    }
    let t = from;
    if (r.gate == Gate.none) {
      for (; t + 2 <= to; t += 2) two(r, p, t, Gate.none);
    } else {
      for (; t + 4 <= to; t += 4) {
        twoGated(r, p, t);
        twoGated(r, p, t + 2);
      }
      if (t + 2 <= to) {
        twoGated(r, p, t);
        t += 2;
      }
    }
    if (t < to) {
      take(r, p, t);
      read(r, p, t);
    }
  }
}

/** Taken in only. */
export function takeAll(r: Recurrence, from: i32, to: i32): void {
  for (let p = 0; p < r.panels; p++) for (let t = from; t < to; t++) take(r, p, t);
}

/** Read only. */
export function readAll(r: Recurrence, from: i32, to: i32): void {
  for (let p = 0; p < r.panels; p++) for (let t = from; t < to; t++) read(r, p, t);
}

// @ts-ignore: decorator
@inline
export function panelOf(r: Recurrence, p: i32): usize {
  return r.state + ((<usize>p * <usize>r.depth) << 5);
}

/** The address of a token's numbers, of panel p where they are columns. */
// @ts-ignore: decorator
@inline
export function tokenAt(base: usize, step: usize, t: i32, p: i32): usize {
  return base + <usize>t * step + ((<usize>p) << 5);
}

/** Called from more than one place, so that each loop stays a function of its own: inlined, V8 11 spilled its sums. */
// @ts-ignore: decorator
@inline
function twoGated(r: Recurrence, p: i32, t: i32): void {
  if (r.gate == Gate.rows) twoByRows(r, p, t);
  else if (r.gate == Gate.columns) twoByColumns(r, p, t);
  else twoByWhole(r, p, t);
}

function twoByRows(r: Recurrence, p: i32, t: i32): void {
  two(r, p, t, Gate.rows);
}

function twoByColumns(r: Recurrence, p: i32, t: i32): void {
  two(r, p, t, Gate.columns);
}

function twoByWhole(r: Recurrence, p: i32, t: i32): void {
  two(r, p, t, Gate.whole);
}

// @ts-ignore: decorator
@inline
function two(r: Recurrence, p: i32, t: i32, gate: i32): void {
  let s = panelOf(r, p);
  const end = s + ((<usize>r.depth) << 5);
  let k0 = tokenAt(r.key, r.keyStep, t, 0);
  let k1 = k0 + r.keyStep;
  let q0 = tokenAt(r.query, r.queryStep, t, 0);
  let q1 = q0 + r.queryStep;
  let e0 = tokenAt(r.decay, r.decayStep, t, gate == Gate.columns ? p : 0);
  let e1 = e0 + r.decayStep;
  const value = tokenAt(r.value, r.valueStep, t, p);
  const v00 = v128.load(value);
  const v01 = v128.load(value, 16);
  const v10 = v128.load(value + r.valueStep);
  const v11 = v128.load(value + r.valueStep, 16);
  const whole0 = gate == Gate.whole ? v128.load(e0) : v00;
  const whole1 = gate == Gate.whole ? v128.load(e1) : v00;
  let o00 = f32x4.splat(0);
  let o01 = o00;
  let o10 = o00;
  let o11 = o00;
  for (; s < end; s += 32) {
    let a = v128.load(s);
    let b = v128.load(s, 16);
    if (gate == Gate.rows) {
      const e = v128.load32_splat(e0);
      a = f32x4.mul(a, e);
      b = f32x4.mul(b, e);
    } else if (gate == Gate.columns) {
      a = f32x4.mul(a, v128.load(e0));
      b = f32x4.mul(b, v128.load(e0, 16));
    } else if (gate == Gate.whole) {
      a = f32x4.mul(a, whole0);
      b = f32x4.mul(b, whole0);
    }
    let k = v128.load32_splat(k0);
    a = madd(k, v00, a);
    b = madd(k, v01, b);
    let q = v128.load32_splat(q0);
    o00 = madd(q, a, o00);
    o01 = madd(q, b, o01);
    if (gate == Gate.rows) {
      const e = v128.load32_splat(e1);
      a = f32x4.mul(a, e);
      b = f32x4.mul(b, e);
    } else if (gate == Gate.columns) {
      a = f32x4.mul(a, v128.load(e1));
      b = f32x4.mul(b, v128.load(e1, 16));
    } else if (gate == Gate.whole) {
      a = f32x4.mul(a, whole1);
      b = f32x4.mul(b, whole1);
    }
    k = v128.load32_splat(k1);
    a = madd(k, v10, a);
    b = madd(k, v11, b);
    q = v128.load32_splat(q1);
    o10 = madd(q, a, o10);
    o11 = madd(q, b, o11);
    v128.store(s, a);
    v128.store(s, b, 16);
    k0 += 4;
    k1 += 4;
    q0 += 4;
    q1 += 4;
    if (gate == Gate.rows) {
      e0 += 4;
      e1 += 4;
    }
  }
  const output = tokenAt(r.output, r.outputStep, t, p);
  v128.store(output, o00);
  v128.store(output, o01, 16);
  v128.store(output + r.outputStep, o10);
  v128.store(output + r.outputStep, o11, 16);
}

export function take(r: Recurrence, p: i32, t: i32): void {
  if (r.gate != Gate.none) gatePanel(r, p, t);
  write(r, p, t);
}

/** S + k vᵀ of token t. */
export function write(r: Recurrence, p: i32, t: i32): void {
  const panel = panelOf(r, p);
  const bytes = (<usize>r.depth) << 2;
  for (let w = 0; w < r.writers; w++) {
    const value = tokenAt(r.value, r.valueStep, t, p) + <usize>w * r.valueWriter;
    const v0 = v128.load(value);
    const v1 = v128.load(value, 16);
    const key = tokenAt(r.key, r.keyStep, t, 0) + <usize>w * r.keyWriter;
    for (let at: usize = 0; at < bytes; at += 4) {
      const k = v128.load32_splat(key + at);
      const s = panel + (at << 3);
      v128.store(s, madd(k, v0, v128.load(s)));
      v128.store(s, madd(k, v1, v128.load(s, 16)), 16);
    }
  }
}

/** S · e of token t. */
export function gateAll(r: Recurrence, t: i32): void {
  for (let p = 0; p < r.panels; p++) gatePanel(r, p, t);
}

export function gatePanel(r: Recurrence, p: i32, t: i32): void {
  const panel = panelOf(r, p);
  const rows = r.gate == Gate.rows;
  const columns = r.gate == Gate.columns;
  const decay = tokenAt(r.decay, r.decayStep, t, columns ? p : 0);
  const bytes = (<usize>r.depth) << 2;
  for (let at: usize = 0; at < bytes; at += 4) {
    const s = panel + (at << 3);
    const e = rows ? v128.load32_splat(decay + at) : v128.load(decay);
    v128.store(s, f32x4.mul(v128.load(s), e));
    const f = columns ? v128.load(decay, 16) : e;
    v128.store(s, f32x4.mul(v128.load(s, 16), f), 16);
  }
}

export function read(r: Recurrence, p: i32, t: i32): void {
  const panel = panelOf(r, p);
  const bytes = (<usize>r.depth) << 2;
  for (let i = 0; i < r.readers; i++) {
    const query = tokenAt(r.query, r.queryStep, t, 0) + <usize>i * r.queryReader;
    let o0 = f32x4.splat(0);
    let o1 = o0;
    for (let at: usize = 0; at < bytes; at += 4) {
      const q = v128.load32_splat(query + at);
      const s = panel + (at << 3);
      o0 = madd(q, v128.load(s), o0);
      o1 = madd(q, v128.load(s, 16), o1);
    }
    const output = tokenAt(r.output, r.outputStep, t, p) + <usize>i * r.outputReader;
    v128.store(output, o0);
    v128.store(output, o1, 16);
  }
}
