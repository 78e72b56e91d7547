// safetensors files: what they hold in float32, and what damaged ones are refused for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError } from "wasm-attention";
import { fromPyTorch, pick, readGguf, readSafetensors } from "wasm-attention/weights";

import { engine, randomArray } from "./engines";
import { file, floats, isWhole, safetensors, type Written, written } from "./weight-files";

test("safetensors from bytes, a buffer, a Blob and what gives ranges", async () => {
  const shifted = new Uint8Array(file.length + 1);
  shifted.set(file, 1);
  const asked: [number, number][] = [];
  const ranges = {
    byteLength: file.length,
    read(start: number, end: number) {
      asked.push([start, end]);
      return file.subarray(start, end);
    },
  };
  const sources = [file, shifted.subarray(1), file.slice().buffer, Buffer.from(file)];
  for (const source of sources) await isWhole(await readSafetensors(source));
  await isWhole(await readSafetensors(new Blob([file.slice()])));
  await isWhole(await readSafetensors(ranges));
  assert.deepEqual((await readSafetensors(file)).metadata, new Map([["format", "pt"]]));
  // The header, then each tensor as it was asked for.
  assert.equal(asked.length, 6);
  assert.ok(asked.slice(1).every(([start, end]) => end - start <= 24));
});

test("a header longer than what is read at first", async () => {
  const many = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [`layer.${i}.weight`, { ...written.scalar! }]),
  );
  const opened = await readSafetensors(safetensors(many));
  assert.equal(opened.entries.size, 3000);
  assert.deepEqual((await opened.tensor("layer.2999.weight")).data, Float32Array.of(7));
});

test("each dtype in float32", async () => {
  const cases: [string, Uint8Array, readonly number[]][] = [
    ["F64", new Uint8Array(Float64Array.of(0.1, -1e300).buffer), [Math.fround(0.1), -Infinity]],
    [
      "F16",
      new Uint8Array(Uint16Array.of(0x3c00, 0x8001, 0xfc00).buffer),
      [1, -(2 ** -24), -Infinity],
    ],
    ["BF16", new Uint8Array(Uint16Array.of(0x3f80, 0xc049).buffer), [1, -3.140625]],
    // S.1111.110 is 448, the smallest subnormal 2⁻⁹.
    ["F8_E4M3", Uint8Array.of(0x7e, 0x01, 0xb8, 0x7f, 0x38), [448, 2 ** -9, -1, Number.NaN, 1]],
    ["F8_E5M2", Uint8Array.of(0x7b, 0x01, 0x7c, 0xbc), [57344, 2 ** -16, Infinity, -1]],
    ["F8_E8M0", Uint8Array.of(127, 0, 255), [1, Math.fround(2 ** -127), Number.NaN]],
    ["I64", new Uint8Array(BigInt64Array.of(-5n, 2n ** 40n).buffer), [-5, 2 ** 40]],
    ["U64", new Uint8Array(BigUint64Array.of(2n ** 63n).buffer), [2 ** 63]],
    ["I32", new Uint8Array(Int32Array.of(-7, 16777217).buffer), [-7, 16777216]],
    ["U32", new Uint8Array(Uint32Array.of(4294967295).buffer), [4294967296]],
    ["I16", new Uint8Array(Int16Array.of(-7).buffer), [-7]],
    ["U16", new Uint8Array(Uint16Array.of(65535).buffer), [65535]],
    ["I8", Uint8Array.of(255), [-1]],
    ["U8", Uint8Array.of(255), [255]],
    ["BOOL", Uint8Array.of(1, 0), [1, 0]],
  ];
  for (const [dtype, bytes, values] of cases) {
    const opened = await readSafetensors(
      safetensors({ x: { dtype, shape: [values.length], bytes } }),
    );
    assert.deepEqual((await opened.tensor("x")).data, Float32Array.from(values), dtype);
  }
  const four = { dtype: "F4", shape: [2, 2], bytes: Uint8Array.of(1, 2) };
  const opened = await readSafetensors(safetensors({ x: four }));
  assert.deepEqual(await opened.bytes("x"), four.bytes);
  await assert.rejects(
    opened.tensor("x"),
    /^ArgumentError: tensor: "x" expected numbers that can be/,
  );
});

test("a layer out of a file, by the beginning of its names", async () => {
  const attention = await engine("portable");
  const names = ["q_proj", "k_proj", "v_proj", "out_proj"];
  const matrices = names.map((_, i) => randomArray(16, i));
  const layer = names.map((name, i): [string, Written] => [
    `model.layers.1.self_attn.${name}.weight`,
    { dtype: "F32", shape: [4, 4], bytes: floats([...(matrices[i] as Float32Array)]) },
  ]);
  const opened = await readSafetensors(safetensors({ ...written, ...Object.fromEntries(layer) }));
  const weights = await pick(opened, "model.layers.1.self_attn.");
  assert.deepEqual(
    [...weights.keys()],
    names.map((name) => `${name}.weight`),
  );
  using ours = fromPyTorch(attention, weights, { heads: 2 });
  const x = { data: randomArray(12, 9), dims: [3, 4] };
  const given = names.map((name, i) => [
    `${name}.weight`,
    { data: matrices[i] as Float32Array, dims: [4, 4] },
  ]);
  using theirs = fromPyTorch(attention, Object.fromEntries(given), { heads: 2 });
  assert.deepEqual(ours.forward(x).output, theirs.forward(x).output);
  await assert.rejects(
    pick(opened, "model.layers.7."),
    /"prefix" expected the beginning .* "block\.a"/,
  );
  await assert.rejects(pick(readSafetensors(file) as never), /after await, got a Promise/);
  await assert.rejects(
    opened.tensor("block.c"),
    /"block\.c" expected the name of a tensor in the file/,
  );
  await assert.rejects(opened.tensor(3 as never), /"name" expected the name of a tensor .* got 3/);
});

const entryText = JSON.stringify({ dtype: "F32", shape: [1], data_offsets: [0, 4] });

const refusals: [string, Uint8Array, RegExp][] = [
  ["nothing", new Uint8Array(0), /no file of this kind/],
  ["a length past the end", Uint8Array.of(255, 0, 0, 0, 0, 0, 0, 0, 123), /a header of 2 to/],
  [
    "a length of 2⁶³",
    Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 128, 123, 125),
    /a header of 2 to 2 bytes/,
  ],
  ["no JSON", safetensors("{,}"), /a header in JSON/],
  ["no UTF-8", safetensors(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /a header in JSON/],
  ["a list", safetensors("[]"), /a header that is an object/],
  ["a name twice", twice(), /each name once, got 1 more than once/],
  ["an unknown dtype", one({ dtype: "F31" }), /"x" expected a dtype of F64, .* got "F31"/],
  ["a dtype of everything", one({ dtype: "constructor" }), /got "constructor"/],
  ["no entry", safetensors('{"x":3}'), /"x" expected a dtype of/],
  ["sizes of 2⁵³", one({ shape: [2 ** 30, 2 ** 30] }), /as many bytes as F32 of \[1073741824, /],
  ["half a number", one({ shape: [0.5] }), /as many bytes/],
  ["a size below 0", one({ shape: [-1] }), /as many bytes/],
  ["sizes that are none", one({ shape: "1" }), /as many bytes/],
  ["more bytes than sizes", one({ data_offsets: [0, 8] }, 8), /as many bytes/],
  ["offsets before the start", one({ data_offsets: [-4, 0] }), /as many bytes/],
  [
    "offsets past the end",
    one({ data_offsets: [4, 8] }),
    /"x" expected bytes of its own in the file/,
  ],
  ["bytes of no tensor", one({}, 8), /tensors up to the end of the file, .* 4 bytes of none/],
  ["two in one place", overlapping(), /"y" expected bytes of its own/],
  [
    "metadata that is no text",
    safetensors('{"__metadata__":{"a":1}}'),
    /"__metadata__.a" expected a text/,
  ],
  [
    "metadata in one text",
    safetensors('{"__metadata__":"pt"}'),
    /"__metadata__" expected an object of texts, got "pt"/,
  ],
  [
    "a name twice, once in other letters",
    safetensors(`{"x":${entryText},"\\u0078":${entryText}}`, floats([1])),
    /each name once, got 1 more than once/,
  ],
  ["an index of a list", new TextEncoder().encode('{"weight_map":["x"]}'), /with a weight_map/],
];

const huge: [string, () => Uint8Array, RegExp][] = [
  [
    "9 MB of brackets",
    () => {
      const bytes = new Uint8Array(9_000_008).fill(0x5b);
      new DataView(bytes.buffer).setBigUint64(0, 9_000_000n, true);
      bytes.set(new TextEncoder().encode('{"a":'), 8);
      return bytes;
    },
    /a header in JSON, got RangeError: more than 8 levels/,
  ],
  [
    "100 MB and a byte of spaces",
    () => {
      const bytes = new Uint8Array(100_000_009).fill(0x20);
      new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true);
      return bytes;
    },
    /a header of 2 to 100000000 bytes, got 100000001/,
  ],
];

function one(changed: object, bytes = 4): Uint8Array {
  const entry = { dtype: "F32", shape: [1], data_offsets: [0, 4], ...changed };
  return safetensors(JSON.stringify({ x: entry }), new Uint8Array(bytes));
}

function twice(): Uint8Array {
  const entry = JSON.stringify({ dtype: "F32", shape: [1], data_offsets: [0, 4] });
  return safetensors(`{"x":${entry},"x":${entry}}`, floats([1]));
}

function overlapping(): Uint8Array {
  const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const other = { dtype: "F32", shape: [1], data_offsets: [4, 8] };
  return safetensors(JSON.stringify({ x: entry, y: other }), floats([1, 2]));
}

for (const [name, bytes, message] of refusals) {
  test(`safetensors refused: ${name}`, async () => {
    await assert.rejects(readSafetensors(bytes), (error: Error) => {
      assert.ok(error instanceof ArgumentError);
      assert.match(error.message, /^readSafetensors: /);
      assert.match(error.message, message);
      return true;
    });
  });
}

for (const [name, make, message] of huge) {
  test(`safetensors refused before anything is made of them: ${name}`, async () => {
    const bytes = make();
    await assert.rejects(readSafetensors(bytes), { name: "ArgumentError", message });
  });
}

test("names that mean something to JavaScript are names", async () => {
  const entry = { ...written.scalar! };
  const names = ["__proto__", "constructor", "toString"];
  const opened = await readSafetensors(
    safetensors(Object.fromEntries(names.map((n) => [n, entry]))),
  );
  for (const name of opened.entries.keys()) assert.equal((await opened.tensor(name)).data[0], 7);
  const hostile = `{"__proto__":${JSON.stringify({ dtype: "F32", shape: [1], data_offsets: [0, 4] })}}`;
  const found = await readSafetensors(safetensors(hostile, floats([3])));
  assert.deepEqual([...found.entries.keys()], ["__proto__"]);
  assert.equal((await found.tensor("__proto__")).data[0], 3);
});

test("options and sources that are none", async () => {
  await assert.rejects(
    readSafetensors(file, { sharded: 1 } as never),
    /"sharded" expected the name "shard"/,
  );
  await assert.rejects(readSafetensors(3 as never), /"source" expected bytes, a Blob, a URL or/);
  await assert.rejects(
    readGguf("nowhere.gguf"),
    /"source" expected bytes, a Blob, a URL or .* got "nowhere/,
  );
  const wrong: [() => unknown, RegExp][] = [
    [() => new Uint8Array(3), /"source" expected/],
    [() => undefined, /"source" expected a Uint8Array from read, got undefined/],
    [() => "{}", /"source" expected a Uint8Array from read, got "{}"/],
    [() => new Float32Array(3), /"source" expected a Uint8Array from read, got Float32Array of 3/],
  ];
  for (const [read, message] of wrong) {
    const source = { byteLength: file.length, read } as never;
    await assert.rejects(readSafetensors(source), { name: "ArgumentError", message });
  }
  const opened = await readSafetensors(file);
  for (const range of [undefined, null, 3, { start: 0, end: 1 }]) {
    const refused = {
      name: "ArgumentError",
      message: /^slice: "from, to" expected a range within 0 to 2, got undefined to undefined/,
    };
    await assert.rejects(opened.slice("block.a", range as never), refused);
  }
});
