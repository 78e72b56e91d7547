// GGUF files: what they say and hold, every type of ggml's as published, and what damaged ones are refused for.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ArgumentError } from "wasm-attention";
import { readGguf, readSafetensors } from "wasm-attention/weights";
import { dataFile, needsData } from "./models/data";
import { a, file, floats, gguf } from "./weight-files";

test("GGUF: what it says, and tensors of every type with a block", async () => {
  const q8 = new Uint8Array(34).map((_, i) => i);
  q8.set([0, 0x3c], 0);
  const bytes = gguf(
    {
      "general.architecture": "llama",
      "llama.block_count": 5,
      list: ["a", "b"],
      "general.alignment": 64,
    },
    [
      { name: "a", dims: [2, 3], type: 0, bytes: floats([...a]) },
      { name: "q", dims: [1, 32], type: 8, bytes: q8 },
    ],
  );
  for (const source of [bytes, new Blob([bytes])]) {
    const opened = await readGguf(source);
    assert.deepEqual(Object.fromEntries(opened.metadata), {
      "general.architecture": "llama",
      "llama.block_count": 5,
      list: ["a", "b"],
      "general.alignment": 64,
    });
    assert.deepEqual(await opened.tensor("a"), { data: a, dims: [2, 3] });
    const { data, dims } = await opened.tensor("q");
    assert.deepEqual(dims, [1, 32]);
    assert.deepEqual(
      data,
      Float32Array.from({ length: 32 }, (_, i) => i + 2),
    );
    assert.deepEqual(await opened.bytes("q"), q8);
  }
});

const good = { name: "a", dims: [6], type: 0, bytes: floats([...a]) };
const damaged: [string, Uint8Array, RegExp][] = [
  ["nothing", new Uint8Array(0), /a longer file, got its end in the magic/],
  ["another kind", new Uint8Array(64), /a GGUF file/],
  ["version 1", changedWord(gguf({}, [good]), 4, 1), /version 2 or 3, .* got version 1/],
  ["big endian", changedWord(gguf({}, [good]), 4, 3 << 24), /got one in big endian/],
  ["2⁶⁰ tensors", changedWord(gguf({}, [good]), 12, 2 ** 28), /entries of a file of/],
  ["2⁵⁰ values", changedWord(gguf({}, [good]), 20, 2 ** 18), /entries of a file of/],
  ["a text past the end", changedWord(gguf({ a: 1 }, []), 24, 2 ** 30), /a longer file/],
  ["a name twice", gguf({}, [good, good]), /"a" expected each name once/],
  [
    "a type that does not exist",
    gguf({}, [{ ...good, type: 4 }]),
    /"a" expected a type of ggml, got 4/,
  ],
  ["half a block", gguf({}, [{ ...good, type: 8 }]), /whole blocks of 32/],
  ["five axes", gguf({}, [{ ...good, dims: [1, 1, 1, 1, 6] }]), /up to 4 sizes/],
  ["sizes past the end", gguf({}, [{ ...good, dims: [600] }]), /bytes of its own in the file/],
  ["an alignment of 0", gguf({ "general.alignment": 0 }, [good]), /"general.alignment" expected/],
  ["lists in lists", gguf({ deep: nested(20) }, []), /up to 8 lists in lists/],
];

function nested(levels: number): unknown {
  return levels ? [nested(levels - 1)] : 1;
}

function changedWord(bytes: Uint8Array, at: number, value: number): Uint8Array {
  new DataView(bytes.buffer).setUint32(at, value, true);
  return bytes;
}

for (const [name, bytes, message] of damaged) {
  test(`GGUF refused: ${name}`, async () => {
    await assert.rejects(readGguf(bytes), (error: Error) => {
      assert.ok(error instanceof ArgumentError, String(error));
      assert.match(error.message, /^readGguf: /);
      assert.match(error.message, message);
      return true;
    });
  });
}

test("GGUF with 200,000 tensors of nothing", async () => {
  const words = Buffer.concat(Array.from({ length: 200_000 }, (_, i) => entry(`t${i}`)));
  const header = new Uint8Array(BigUint64Array.of(0x3_4655_4747n, 200_000n, 0n).buffer);
  const opened = await readGguf(new Uint8Array(Buffer.concat([header, words, Buffer.alloc(32)])));
  assert.equal(opened.entries.size, 200_000);
  assert.deepEqual(await opened.tensor("t199999"), { data: new Float32Array(0), dims: [0] });
});

/** Of a tensor of float32 without numbers. */
function entry(name: string): Buffer {
  const bytes = Buffer.alloc(8 + name.length + 4 + 8 + 4 + 8);
  bytes.writeBigUInt64LE(BigInt(name.length));
  bytes.write(name, 8);
  bytes.writeUInt32LE(1, 8 + name.length);
  return bytes;
}

// A file of 2⁴⁰ bytes whose header has a text, or a list, of most of them.
const endless: [string, readonly bigint[]][] = [
  ["a text", [2n ** 39n]],
  ["a list", [1n, 0x4_0000_0009n, 2n ** 37n]],
];

for (const [name, words] of endless) {
  test(`GGUF refused before it is read: ${name} of half a terabyte`, async () => {
    let most = 0;
    const source = {
      byteLength: 2 ** 40,
      read(start: number, end: number) {
        most = Math.max(most, end - start);
        const bytes = new Uint8Array(end - start);
        const header = BigUint64Array.of(0x3_4655_4747n, 0n, 1n, ...words);
        if (start === 0) bytes.set(new Uint8Array(header.buffer));
        if (name === "a list") bytes.copyWithin(33, 32).fill(0x78, 32, 33);
        return bytes;
      },
    };
    const message = /a header of up to 100 MB, got its end in /;
    await assert.rejects(readGguf(source), { name: "ArgumentError", message });
    assert.ok(most <= 2 ** 16, `${most} bytes at a time`);
  });
}

test("every beginning and every changed byte of a file is read or refused, quickly", async () => {
  const files: [typeof readGguf, Uint8Array][] = [
    [readSafetensors, file],
    // Without what fills it up behind the last tensor.
    [readGguf, gguf({ name: "x", list: [1, 2] }, [good]).slice(0, -8)],
  ];
  for (const [read, bytes] of files) {
    for (let end = 0; end < bytes.length; end++) {
      await assert.rejects(
        read(bytes.subarray(0, end)).then((opened) => opened.tensor("a")),
        ArgumentError,
        `${end} bytes`,
      );
    }
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff, 0x22, 0x7d]) {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          const opened = await read(changed);
          for (const name of opened.entries.keys()) await opened.tensor(name);
        } catch (error) {
          assert.ok(error instanceof ArgumentError, `byte ${at} as ${value}: ${error}`);
        }
      }
    }
  }
});

interface Case {
  readonly name: string;
  readonly ggml_type: number;
  readonly rows: number;
  readonly row: number;
  readonly bytes: string;
  readonly values: readonly (number | string)[];
}

test("every type with blocks as ggml reads it", needsData, async () => {
  const { cases } = JSON.parse(readFileSync(dataFile("weights/blocks.json"), "utf8")) as {
    cases: Case[];
  };
  assert.equal(cases.length, 21);
  for (const { name, ggml_type: type, rows, row, bytes, values } of cases) {
    const tensor = {
      name,
      dims: [rows, row],
      type,
      bytes: new Uint8Array(Buffer.from(bytes, "hex")),
    };
    const opened = await readGguf(gguf({}, [tensor]));
    const { data } = await opened.tensor(name);
    const known = values.map((value) => Math.fround(Number(value)));
    // JSON knows one zero only.
    const shown = Array.from(data, (x) => x + 0);
    assert.deepEqual(shown, known, name);
  }
});

test("files of others that lie", needsData, async () => {
  const bytes = (name: string) => readFileSync(dataFile(`weights/weight-inspect-${name}`));
  await assert.rejects(readGguf(bytes("tiny.gguf")), ArgumentError);
  const none = await readGguf(bytes("empty.gguf"));
  assert.equal(none.entries.size, 0);
  // Five bytes behind its only tensor: the reference refuses that too.
  const behind = /tensors up to the end of the file, 32856, got 5 bytes of none/;
  await assert.rejects(readSafetensors(bytes("tiny.safetensors")), behind);
});
