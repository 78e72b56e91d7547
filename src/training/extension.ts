// The training capability, for `createAttention({ extensions })`.

import builds from "builds:training";
import type { Extension } from "../extension";
import { checkTraining } from "./selftest";

/** Gradients: `createAttention({ extensions: [training] })`. */
export const training: Extension<"training"> = {
  name: "training",
  builds,
  check: checkTraining,
};
