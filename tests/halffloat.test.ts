// Half floats against the value their bits stand for: every one of them up, and down the nearest.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBfloat16, fromFloat16, toFloat16 } from "wasm-attention";
import { randomArray } from "./engines";

const every = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

/** IEEE 754-2019, 3.4, with 5 bits of exponent and 10 of fraction. */
function numberOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return (
    sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024)
  );
}

test("fromFloat16: all 65,536", () => {
  const values = fromFloat16(every);
  for (const bits of every)
    assert.ok(Object.is(values[bits], numberOf(bits)), `0x${bits.toString(16)}`);
});

test("fromBfloat16: the upper half of a float32", () => {
  const view = new DataView(new ArrayBuffer(4));
  const values = fromBfloat16(every);
  for (const bits of every) {
    view.setUint16(0, bits);
    assert.ok(Object.is(values[bits], view.getFloat32(0)), `0x${bits.toString(16)}`);
  }
});

test("toFloat16 gives back every float16, and NaN as NaN", () => {
  const back = toFloat16(fromFloat16(every));
  for (const bits of every) {
    if (Number.isNaN(numberOf(bits))) assert.ok(Number.isNaN(numberOf(back[bits])));
    else assert.equal(back[bits], bits);
  }
});

test("toFloat16 rounds to the nearest, ties to even, beyond the range to Infinity", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    const [low, high] = [numberOf(bits), bits === 0x7bff ? 65536 : numberOf(bits + 1)];
    const middle = (low + high) / 2;
    const even = bits % 2 ? bits + 1 : bits;
    const step = 2 ** -20 * middle;
    const [below, tie, above] = toFloat16(Float32Array.of(middle - step, middle, middle + step));
    assert.deepEqual([below, tie, above], [bits, even, bits + 1]);
    assert.equal(toFloat16(Float32Array.of(-middle))[0], even | 0x8000);
  }
  assert.deepEqual(
    [...toFloat16(Float32Array.of(1e30, -Infinity, 2 ** -149, -0))],
    [0x7c00, 0xfc00, 0, 0x8000],
  );
  for (const x of randomArray(10000, 1, 1000)) {
    const got = numberOf(toFloat16(Float32Array.of(x))[0]);
    assert.ok(Math.abs(got - x) <= Math.abs(x) * 2 ** -11);
  }
});
