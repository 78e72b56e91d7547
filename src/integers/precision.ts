// What attend may compute in besides float32.

import { IntegersKernel } from "../../assembly/kinds";
import { type Precision, strategyOf } from "../attend/strategy";
import { moduleOf } from "../instance/modules";

/** Longest rows whose sums of integers are known to fit, see assembly/integers/tile.ts. */
const MOST_NUMBERS = 4096;

const precisionOf = (name: string, kernel: IntegersKernel): Precision =>
  strategyOf("precision", name, {
    change(engine, call) {
      const module = moduleOf(engine, call.operation, "integers");
      if (call.shapes.headSize > MOST_NUMBERS) return call;
      return { ...call, kernel: { module, kernel } };
    },
  });

/**
 * Queries, keys, values and weights of 16 bits, `attend(…, { precision: int16 })`: an error of about 1e-4 of
 * the output, the same bits from both builds.
 */
export const int16: Precision = /* @__PURE__ */ precisionOf("int16", IntegersKernel.int16);

/**
 * Keys and values of 8 bits, queries and weights of 7, `attend(…, { precision: int8 })`: an error of about 2 % of
 * the output, the same bits from both builds. Keys and queries are balanced by what is found in all of a call's,
 * so that a prompt in pieces has the same error and not the same bits. Ask `precisionError` first.
 */
export const int8: Precision = /* @__PURE__ */ precisionOf("int8", IntegersKernel.int8);
