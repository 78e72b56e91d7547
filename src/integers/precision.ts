// What attend may compute in besides float32.

import { IntegersKernel } from "../../assembly/kinds";
import { type Precision, strategyOf } from "../attend/strategy";
import { moduleOf } from "../instance/modules";

/** Longest rows whose sums of integers are known to fit, see assembly/integers/tile.ts. */
const MOST_NUMBERS = 4096;

/**
 * Queries, keys, values and weights of 16 bits, `attend(…, { precision: int16 })`: an error of about 1e-4 of
 * the output, the same bits from both builds.
 */
export const int16: Precision = /* @__PURE__ */ strategyOf("precision", "int16", {
  change(engine, call) {
    const module = moduleOf(engine, call.operation, "integers");
    if (call.shapes.headSize > MOST_NUMBERS) return call;
    return { ...call, kernel: { module, kernel: IntegersKernel.int16 } };
  },
});
