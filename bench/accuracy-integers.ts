// Errors of attend in integers against float64, on inputs that are hard for few bits.

import { createAttention } from "wasm-attention";
import { int8, int16, integers } from "wasm-attention/integers";
import { exact, hardInputs } from "../tests/hard-inputs";

/** Rows of input, precision, relative error, that of the worst row, cosine: the same in both builds. */
export async function integerErrors(): Promise<string[][]> {
  using attention = await createAttention({ extensions: [integers] });
  return Object.entries(hardInputs()).flatMap(([name, [q, k, v]]) => {
    const want = exact([q, k, v]);
    return [int16, int8].map((precision) => {
      const { data } = attention.attend(q, k, v, { precision }).output;
      const { relative, worst, cosine } = compared(data, want, v.dims[1]);
      const [error, row] = [relative, worst].map((x) => x.toExponential(1));
      return [name, precision.name, error, row, cosine.toFixed(7)];
    });
  });
}

function compared(got: Float32Array, want: Float64Array, columns: number) {
  let [error, own, other, product, worst] = [0, 0, 0, 0, 0];
  for (let row = 0; row < want.length; row += columns) {
    let [difference, norm] = [0, 0];
    for (let i = row; i < row + columns; i++) {
      difference += (got[i] - want[i]) ** 2;
      norm += want[i] ** 2;
      other += got[i] ** 2;
      product += got[i] * want[i];
    }
    error += difference;
    own += norm;
    worst = Math.max(worst, Math.sqrt(difference / norm));
  }
  return { relative: Math.sqrt(error / own), worst, cosine: product / Math.sqrt(own * other) };
}
