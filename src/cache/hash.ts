// XXH32 (Collet 2012, "xxHash fast digest algorithm"): tells damaged bytes from whole ones.

const [PRIME1, PRIME2, PRIME3, PRIME4] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f];

const rotateLeft = (x: number, by: number) => (x << by) | (x >>> (32 - by));

/** XXH32 of whole words, seed 0. */
export function xxh32(words: Int32Array): number {
  const { length } = words;
  let hash = 0x165667b1;
  let at = 0;
  if (length >= 4) {
    let [a, b, c, d] = [PRIME1 + PRIME2, PRIME2, 0, -PRIME1];
    const round = (lane: number, word: number) =>
      Math.imul(rotateLeft((lane + Math.imul(word, PRIME2)) | 0, 13), PRIME1);
    for (; at + 4 <= length; at += 4) {
      a = round(a, words[at] as number);
      b = round(b, words[at + 1] as number);
      c = round(c, words[at + 2] as number);
      d = round(d, words[at + 3] as number);
    }
    hash = rotateLeft(a, 1) + rotateLeft(b, 7) + rotateLeft(c, 12) + rotateLeft(d, 18);
  }
  hash = (hash + length * 4) | 0;
  for (; at < length; at++) {
    hash = (hash + Math.imul(words[at] as number, PRIME3)) | 0;
    hash = Math.imul(rotateLeft(hash, 17), PRIME4);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME3);
  return hash ^ (hash >>> 16);
}
