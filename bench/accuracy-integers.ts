// Errors of attend in integers against float64, on inputs that are hard for few bits.

import { createAttention } from "wasm-attention";
import { int8, int16, integers } from "wasm-attention/integers";
import { exact, hardInputs } from "../tests/hard-inputs";
import { Errors } from "./errors";

/** Rows of input, precision, relative error, that of the worst row, cosine: the same in both builds. */
export async function integerErrors(): Promise<string[][]> {
  using attention = await createAttention({ extensions: [integers] });
  return Object.entries(hardInputs()).flatMap(([name, [q, k, v]]) => {
    const want = exact([q, k, v]);
    return [int16, int8].map((precision) => {
      const { data } = attention.attend(q, k, v, { precision }).output;
      const errors = new Errors();
      errors.add(data, want, v.dims[1]);
      const [error, row] = [errors.relative, errors.worstRow].map((x) => x.toExponential(1));
      return [name, precision.name, error, row, errors.cosine.toFixed(7)];
    });
  });
}
