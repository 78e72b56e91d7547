// Philox-4x32-10 (Salmon et al. 2011) word by word, and the dropout factors that follow from it.

type Words = [number, number, number, number];

export function philox(counter: Words, key: [number, number]): Words {
  let [x0, x1, x2, x3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  const low = (x: bigint) => x & 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const [a, b] = [x0 * 0xd2511f53n, x2 * 0xcd9e8d57n];
    [x0, x1, x2, x3] = [(b >> 32n) ^ x1 ^ k0, low(b), (a >> 32n) ^ x3 ^ k1, low(a)];
    [k0, k1] = [low(k0 + 0x9e3779b9n), low(k1 + 0xbb67ae85n)];
  }
  return [x0, x1, x2, x3].map(Number) as Words;
}

/** The factor of weight (b, h, i, j): 0 where dropped. Of appended keys the seed's top bit is set. */
export function dropoutFactors(probability: number, seed: number, heads: number, appended = false) {
  const key: [number, number] = [
    seed % 2 ** 32,
    Math.floor(seed / 2 ** 32) + (appended ? 2 ** 31 : 0),
  ];
  const known = new Map<string, Words>();
  return (b: number, h: number, i: number, j: number): number => {
    const counter: Words = [j >> 2, i, b * heads + h, 0];
    const name = counter.join();
    const words = known.get(name) ?? philox(counter, key);
    known.set(name, words);
    return words[j & 3] < Math.floor(probability * 2 ** 32) ? 0 : 1 / (1 - probability);
  };
}
