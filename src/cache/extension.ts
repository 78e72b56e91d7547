// The cache capability, for `createAttention({ extensions })`.

import builds from "builds:cache";
import type { Extension } from "../extension";
import { checkCache } from "./selftest";

/** Key and value caches: `createAttention({ extensions: [cache] })`. */
export const cache: Extension<"cache"> = {
  name: "cache",
  builds,
  check: checkCache,
};
