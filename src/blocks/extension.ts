// The blocks capability, for `createAttention({ extensions })`.

import builds from "builds:blocks";
import type { Extension } from "../extension";
import { checkBlocks } from "./selftest";

/** What stands around attention in a transformer: `createAttention({ extensions: [blocks] })`. */
export const blocks: Extension<"blocks"> = {
  name: "blocks",
  builds,
  check: checkBlocks,
};
