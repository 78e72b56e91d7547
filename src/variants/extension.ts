// The variants capability, for `createAttention({ extensions })`.

import builds from "builds:variants";
import type { Extension } from "../extension";
import { checkVariants } from "./selftest";

/** Other kinds of attention: `createAttention({ extensions: [variants] })`. */
export const variants: Extension<"variants"> = {
  name: "variants",
  builds,
  check: checkVariants,
};
