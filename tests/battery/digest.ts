// SHA-256 over the bytes of results, by a library, since not every engine has a platform's.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const NAN = 0x7fc00000;

/** Digest of the elements' bits, little-endian. Which NaN it is, no engine promises: all count as one. */
export function digestOf(arrays: readonly Float32Array[]): string {
  const hash = sha256.create();
  for (const array of arrays) {
    const words = new Uint32Array(array.slice().buffer);
    for (let i = 0; i < words.length; i++) if (Number.isNaN(array[i])) words[i] = NAN;
    hash.update(new Uint8Array(words.buffer));
  }
  return bytesToHex(hash.digest());
}

export function digestOfTexts(texts: readonly string[]): string {
  const hash = sha256.create();
  for (const text of texts) hash.update(new TextEncoder().encode(`${text}\n`));
  return bytesToHex(hash.digest());
}
