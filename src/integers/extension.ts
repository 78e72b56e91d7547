// The integers capability, for `createAttention({ extensions })`.

import builds from "builds:integers";
import type { Extension } from "../extension";
import { checkIntegers } from "./selftest";

/** attend in integers: `createAttention({ extensions: [integers] })`. */
export const integers: Extension<"integers"> = {
  name: "integers",
  builds,
  check: checkIntegers,
};
