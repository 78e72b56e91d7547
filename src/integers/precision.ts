// What attend may compute in besides float32.

import { IntegersKernel } from "../../assembly/kinds";
import { type Precision, precisionOf } from "../attend/precision";

/**
 * Queries, keys, values and weights of 16 bits, `attend(…, { precision: int16 })`: an error of about 1e-4 of
 * the output, the same bits from both builds.
 */
export const int16: Precision = precisionOf("int16", "integers", IntegersKernel.int16);
