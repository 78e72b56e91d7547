// The page computes.

import { computed } from "./compute.js";

computed.then((result) => {
  globalThis.result = result;
});
