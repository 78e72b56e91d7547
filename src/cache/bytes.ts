// A sequence as bytes, little-endian:
//
//   0   "WASMKVC1"                       8   XXH32 of all that follows it
//   12  NumbersKind, or 16: float16     16   key and value heads Hkv
//   20  head size D                     24   value size Dv
//   28  tokens                          32   tokens [sinks, evicted) that are missing: sinks
//   36  evicted                         40   position of the next token
//   44  XXH32 of the rotary embeddings   48   0 up to 64
//   64  rows of keys [Hkv][n], rows of values [Hkv][n] of the n tokens that are there, as
//       assembly/cache/numbers.ts stores them, or as half floats, and zeros up to a multiple of 4 bytes

import { kindOf, lengthOf } from "../arrays";
import { ArgumentError, describe } from "../errors";
import { fromFloat16, toFloat16 } from "../tensor/halffloat";
import { xxh32 } from "./hash";
import { nameOf, storedSizes } from "./numbers";
import type { Snapshot } from "./read";
import { rotaryDigest } from "./rotary";
import type { CacheSizes } from "./state";

const MAGIC = "WASMKVC1";
const HEADER = 64;
const HASHED_FROM = 12;
/** In the place of a NumbersKind. */
const FLOAT16 = 16;

/** Words of the header. */
enum At {
  checksum = 2,
  numbers,
  keyValueHeads,
  headSize,
  valueSize,
  length,
  sinks,
  evicted,
  position,
  rotary,
}

/** @throws ArgumentError for a number that no half float can be, where rows are plain. */
export function encode(
  operation: string,
  sizes: CacheSizes,
  snapshot: Snapshot,
): Uint8Array<ArrayBuffer> {
  const { key, value, rows, length, sinks, evicted, position } = snapshot;
  const stored = rows === "stored";
  const floats = key.data.length + value.data.length;
  const bytes = new Uint8Array(HEADER + rowBytes(floats, stored));
  const words = new Int32Array(bytes.buffer);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  words[At.numbers] = stored ? sizes.numbers : FLOAT16;
  words[At.keyValueHeads] = sizes.keyValueHeads;
  words[At.headSize] = sizes.headSize;
  words[At.valueSize] = sizes.valueSize;
  words[At.length] = length;
  words[At.sinks] = sinks;
  words[At.evicted] = evicted;
  words[At.position] = position;
  words[At.rotary] = rotaryDigest(sizes.rotary);
  const target = new (stored ? Float32Array : Uint16Array)(bytes.buffer, HEADER, floats);
  let at = 0;
  for (const { data } of [key, value]) {
    target.set(stored ? data : halvesOf(operation, data), at);
    at += data.length;
  }
  words[At.checksum] = xxh32(words.subarray(HASHED_FROM / 4));
  return bytes;
}

const rowBytes = (floats: number, stored: boolean) => (stored ? floats : Math.ceil(floats / 2)) * 4;

function halvesOf(operation: string, data: Float32Array): Uint16Array {
  const halves = toFloat16(data);
  for (const [i, half] of halves.entries()) {
    if ((half & 0x7fff) !== INFINITE || Math.abs(data[i] as number) === Infinity) continue;
    const expected = "numbers up to 65504, for half floats";
    throw new ArgumentError(operation, "numbers", expected, describe(data[i]));
  }
  return halves;
}

/** Bits of a half float. */
const INFINITE = 0x7c00;

/** @throws ArgumentError for bytes that are none of ours, damaged, or of a cache of other sizes. */
export function decode(operation: string, sizes: CacheSizes, given: unknown): Snapshot {
  const refuse = (expected: string, received: string): never => {
    throw new ArgumentError(operation, "bytes", expected, received);
  };
  if (kindOf(given) !== "Uint8Array") refuse("a Uint8Array, from export()", describe(given));
  const length = lengthOf(given as Uint8Array);
  if (length < HEADER) refuse(`the bytes of a sequence, ${HEADER} or more`, `${length}`);
  // Nobody else writes to the copy.
  const bytes = new Uint8Array(length);
  bytes.set(given as Uint8Array);
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC) refuse(`bytes that begin with "${MAGIC}"`, describe(magic));
  const whole = new Int32Array(bytes.buffer, 0, length >> 2);
  const word = (at: At) => whole[at] as number;
  if (length % 4 || word(At.checksum) !== xxh32(whole.subarray(HASHED_FROM / 4))) {
    refuse("the bytes as they were exported", "damaged ones: the checksum is another");
  }
  const { numbers, keyValueHeads, headSize, valueSize } = sizes;
  const rows = word(At.numbers) === FLOAT16 ? "plain" : "stored";
  if (rows === "stored" && word(At.numbers) !== numbers) {
    const found = nameOf(word(At.numbers));
    refuse(`a sequence of "${nameOf(numbers)}", as the cache has`, `one of "${found}"`);
  }
  const wanted = {
    keyValueHeads,
    headSize,
    valueSize,
    rotary: rotaryDigest(sizes.rotary),
  };
  for (const [name, value] of Object.entries(wanted)) {
    const found = word(At[name as keyof typeof wanted]);
    if (found === value) continue;
    if (name === "rotary") refuse("keys with the rotary embeddings of the cache", "other keys");
    refuse(`a sequence with ${name} = ${value}, as the cache has`, `${name} = ${found}`);
  }
  const [tokens, sinks, evicted] = [word(At.length), word(At.sinks), word(At.evicted)];
  const count = tokens - (evicted - sinks);
  const row = rows === "stored" ? storedSizes(sizes) : sizes;
  const floats = keyValueHeads * count * (row.headSize + row.valueSize);
  const fits = tokens >= 0 && sinks >= 0 && sinks <= evicted && evicted <= tokens;
  const wantedBytes = HEADER + rowBytes(floats, rows === "stored");
  if (!fits || length !== wantedBytes) {
    refuse(`${wantedBytes} bytes for ${tokens} tokens`, `${length}`);
  }
  const keys = keyValueHeads * count * row.headSize;
  const data =
    rows === "stored"
      ? new Float32Array(bytes.buffer, HEADER)
      : fromFloat16(new Uint16Array(bytes.buffer, HEADER, floats));
  const dims = [1, keyValueHeads, count];
  return {
    key: { data: data.subarray(0, keys), dims: [...dims, row.headSize] },
    value: { data: data.subarray(keys), dims: [...dims, row.valueSize] },
    rows,
    length: tokens,
    position: word(At.position),
    sinks,
    evicted,
  };
}
