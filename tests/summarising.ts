// For tests of the summarising example: an encoder without a model, and texts without a writer.

import { wordsOf } from "../examples/summarise/text";
import { seeded } from "../examples/training/random";

/** An embedding by the words alone, so that nothing has to be loaded: their hashes, summed up. */
export const encoder = {
  encode: (texts: readonly string[]) =>
    texts.map((text) => {
      const sum = new Float32Array(512).fill(0.01);
      for (const word of wordsOf(text)) {
        const { uniform } = seeded(1 + [...word].reduce((a, c) => a * 31 + c.charCodeAt(0), 7));
        for (let k = 0; k < sum.length; k++) sum[k] += uniform() - 0.5;
      }
      const length = Math.hypot(...sum);
      return sum.map((x) => x / length);
    }),
};

/** Sentences of a few words each, some of them often. */
export function written(count: number, seed = 3): string {
  const { below } = seeded(seed);
  const words = "whale ship sea white man old boat harpoon captain night wind deep".split(" ");
  return Array.from({ length: count }, () =>
    Array.from({ length: 3 + below(9) }, () => words[below(1 + below(words.length))]).join(" "),
  )
    .map((sentence) => `${sentence[0].toUpperCase()}${sentence.slice(1)}.`)
    .join(" ");
}
