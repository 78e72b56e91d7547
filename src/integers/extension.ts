// The integers capability, for `createAttention({ extensions })`, and its precisions.

import builds from "builds:integers";
import { IntegersKernel } from "../../assembly/kinds";
import type { Precision } from "../attend/precision";
import type { Extension } from "../extension";
import { checkIntegers } from "./selftest";

/** attend in integers: `createAttention({ extensions: [integers] })`. */
export const integers: Extension<"integers"> = {
  name: "integers",
  builds,
  check: checkIntegers,
};

/**
 * Queries, keys, values and weights of 16 bits, `attend(…, { precision: int16 })`: an error of about 1e-4 of
 * the output, the same bits from both builds.
 */
export const int16: Precision = Object.freeze({
  name: "int16",
  extension: "integers",
  kernel: IntegersKernel.int16,
});
