// What attend may compute in besides float32.

import { IntegersKernel } from "../../assembly/kinds";
import { type Precision, precisionOf } from "../attend/precision";

/**
 * Queries, keys, values and weights of 16 bits, `attend(…, { precision: int16 })`: an error of about 1e-4 of
 * the output, the same bits from both builds.
 */
export const int16: Precision = precisionOf("int16", "integers", IntegersKernel.int16);

/**
 * Keys and values of 8 bits, queries and weights of 7, `attend(…, { precision: int8 })`: an error of about 2 % of
 * the output, the same bits from both builds. Keys and queries are balanced by what is found in all of a call's,
 * so that a prompt in pieces has the same error and not the same bits. Ask `precisionError` first.
 */
export const int8: Precision = precisionOf("int8", "integers", IntegersKernel.int8);
