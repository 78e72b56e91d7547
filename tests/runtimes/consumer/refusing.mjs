// The default bundle, whose modules are bytes, where bytes may not be compiled: what it says, and that
// it does with a module of the platform's making.

import module from "wasm-attention/portable.wasm";
import { createAttention } from "./browser/index.js";

export default {
  async fetch() {
    const refused = await createAttention().catch(({ name, message }) => ({ name, message }));
    const { variant } = await createAttention({ module });
    return Response.json({ refused, variant });
  },
};
