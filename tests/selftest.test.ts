// An engine that accepts SIMD and computes garbage: every use of one instruction made another one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAttention, DisposedError, selfTest, UnsupportedError } from "wasm-attention";
import { engine, moduleBytes, variants } from "./engines";

const portable = moduleBytes("portable");

/** The second bytes of instructions that an engine might take for each other (0xfd comes first). */
const confused: [name: string, is: number[], becomes: number[]][] = [
  ["add as sub", [0xe4, 1], [0xe5, 1]],
  ["mul as add", [0xe6, 1], [0xe4, 1]],
  ["mul as min", [0xe6, 1], [0xe8, 1]],
  ["div as mul", [0xe7, 1], [0xe6, 1]],
  ["pmax as pmin", [0xeb, 1], [0xea, 1]],
  ["shl as shr", [0xab, 1], [0xac, 1]],
  ["lt as gt", [0x43], [0x44]],
  ["andnot as and", [0x4f], [0x4e]],
];

function damaged(is: number[], becomes: number[]): Buffer {
  const bytes = Buffer.from(portable);
  const from = Buffer.from([0xfd, ...is]);
  let count = 0;
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1), count++) {
    bytes.set(becomes, at + 1);
  }
  assert.ok(count > 0);
  return bytes;
}

const wrong = (operation: string) => (error: Error) =>
  error instanceof UnsupportedError &&
  error.message.startsWith(`${operation}: "WebAssembly"`) &&
  / for -?[\d.]+(e-\d+)? in /.test(error.message);

for (const [name, is, becomes] of confused) {
  test(`createAttention refuses an engine that computes ${name}`, async () => {
    const module = new WebAssembly.Module(damaged(is, becomes) as BufferSource);
    await assert.rejects(createAttention({ module }), wrong("createAttention"));
  });
}

test("createAttention refuses e^x by a coefficient that is not what it was", async () => {
  const bytes = Buffer.from(portable);
  const half = Buffer.from(Float32Array.of(0.4999999403953552).buffer);
  const at = bytes.indexOf(half);
  assert.ok(at > 0);
  bytes.writeFloatLE(0.501, at);
  const module = new WebAssembly.Module(bytes);
  await assert.rejects(createAttention({ module }), wrong("createAttention"));
});

test("selfTest finds what the first answers do not need: the soft cap", async () => {
  const bytes = Buffer.from(portable);
  const coefficient = Buffer.from(Float32Array.of(-3.33332819422e-1).buffer);
  const at = bytes.indexOf(coefficient);
  assert.ok(at > 0);
  bytes.writeFloatLE(-0.3337, at);
  const attention = await createAttention({ module: new WebAssembly.Module(bytes) });
  assert.throws(() => selfTest(attention), wrong("selfTest"));
});

for (const variant of variants) {
  for (const threads of [1, 3]) {
    test(`selfTest, ${variant}, ${threads} threads: all right, and nothing stays`, async () => {
      using attention = await engine(variant, { threads });
      const { used } = attention.memory;
      selfTest(attention);
      assert.equal(attention.memory.used, used);
      assert.equal(attention.threads, threads, attention.threadsFallback);
    });
  }
}

test("selfTest of a disposed engine", async () => {
  const attention = await createAttention();
  attention.dispose();
  assert.throws(() => selfTest(attention), DisposedError);
});
