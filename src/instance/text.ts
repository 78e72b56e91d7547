// The modules inside the bundle: one text of printable letters for all builds of a module, made by
// scripts/variants.mjs. Most bytes are one letter, rare ones two; of what differs between builds only
// where it is: a multiply-add, a byte with those of both builds, and the limits of its memory.

import type { Builds, Bytes } from "./builds";

/** The builds of a text, as bytes. */
export function builds(text: string): Builds {
  return {
    portable: (threads) => decode(text, false, threads),
    relaxed: (threads) => decode(text, true, threads),
  };
}

function decode(lines: string, relaxed: boolean, threads?: boolean): Bytes {
  const text = lines.replaceAll("\n", "");
  const bytes: number[] = [];
  let at = 0;
  /** Letters from ! on, without $, <, \ and `. */
  const digit = () => {
    const code = text.charCodeAt(at++);
    return code - 33 - +(code > 36) - +(code > 60) - +(code > 92) - +(code > 96);
  };
  const byte = (first: number) => (first < 85 ? first : first * 85 - 7140 + digit());
  while (at < text.length) {
    const first = digit();
    if (first < 87) bytes.push(byte(first));
    else if (first === 87) {
      const local = byte(digit());
      // relaxed_madd and nops, or local.set, mul, local.get, add.
      bytes.push(
        ...(relaxed
          ? [0xfd, 0x85, 2, 1, 1, 1, 1, 1, 1, 1]
          : [0x21, local, 0xfd, 0xe6, 1, 0x20, local, 0xfd, 0xe4, 1]),
      );
    } else if (first === 88) {
      const [portable, own] = [byte(digit()), byte(digit())];
      bytes.push(relaxed ? own : portable);
    } else bytes.push(...(threads ? [3, 1, 0x80, 0x80, 4] : [0, 0x81, 0x80, 0x80, 0]));
  }
  return Uint8Array.from(bytes);
}
