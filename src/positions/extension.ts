// The positions capability, for `createAttention({ extensions })`.

import builds from "builds:positions";
import type { Extension } from "../extension";
import { rotationOfLayer } from "./layer";
import { checkPositions } from "./selftest";

/** Rotary embeddings and tables of positions: `createAttention({ extensions: [positions] })`. */
export const positions: Extension<"positions"> = {
  name: "positions",
  builds,
  check: checkPositions,
  rotation: rotationOfLayer,
};
