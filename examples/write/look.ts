// What pieces of a text look at: the text is read once more up to them, which gives the same bits as when it
// was written.

import type { Writer } from "./writer";

/**
 * The weights of each head of each layer over the pieces before `to`, the mean over those from `from` on:
 * [layers · heads][to].
 */
export function look(
  writer: Writer,
  ids: readonly number[],
  { from, to }: { readonly from: number; readonly to: number },
): Float32Array[] {
  const text = writer.begin();
  if (from > 0) text.append([ids.slice(0, from)]);
  const { weights } = text.append([ids.slice(from, to)], { weights: true });
  text.dispose();
  return weights.flatMap(({ data, dims: [, heads, rows, keys] }) =>
    Array.from({ length: heads }, (_, head) => {
      const mean = new Float32Array(keys);
      for (let row = 0; row < rows; row++) {
        const at = (head * rows + row) * keys;
        for (let key = 0; key < keys; key++) mean[key] += data[at + key] / rows;
      }
      return mean;
    }),
  );
}
