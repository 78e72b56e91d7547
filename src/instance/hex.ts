// The modules inside the bundle, see scripts/builds.mjs.

/** Bytes from lower-case hexadecimal digits, in lines. */
export function fromHex(lines: string): Uint8Array<ArrayBuffer> {
  const digits = lines.replaceAll("\n", "");
  const bytes = new Uint8Array(digits.length / 2);
  // "0" to "9" are 0x30 to 0x39, "a" to "f" 0x61 to 0x66.
  const value = (code: number) => (code & 15) + (code >> 6) * 9;
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (value(digits.charCodeAt(2 * i)) << 4) | value(digits.charCodeAt(2 * i + 1));
  }
  return bytes;
}
