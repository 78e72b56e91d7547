// A text as a vector, without a model: each three letters in a row, and each word, are hashed to one of
// 512 places, where the hash's last bit adds or subtracts one (Weinberger et al. 2009, "Feature
// hashing"). Texts that share words, or pieces of them, lie near each other: it knows spelling, not
// meaning. For meaning, post the vectors of a sentence encoder.

const SIZE = 512;
/** A word says more than each of its pieces. */
const WORD = 3;

export function embed(text) {
  const vector = new Float32Array(SIZE);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    add(vector, word, WORD);
    const framed = `<${word}>`;
    for (let i = 0; i + 3 <= framed.length; i++) add(vector, framed.slice(i, i + 3), 1);
  }
  return normalised(vector);
}

function add(vector, feature, amount) {
  const hash = fnv1a(feature);
  vector[(hash >>> 1) % SIZE] += hash & 1 ? amount : -amount;
}

/** The hash of Fowler, Noll and Vo, 32 bits. */
function fnv1a(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  // Its low bits alone are poor.
  return (hash ^ (hash >>> 15)) >>> 0;
}

export function normalised(vector) {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return length ? vector.map((x) => x / length) : vector;
}
