// The capability of weights of few bits, for `createAttention({ extensions })`.

import builds from "builds:quantized";
import type { Extension } from "../extension";
import { checkQuantized } from "./selftest";

/** Weights of few bits: `createAttention({ extensions: [quantized] })`. */
export const quantized: Extension<"quantized"> = {
  name: "quantized",
  builds,
  check: checkQuantized,
};
