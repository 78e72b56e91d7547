// The same with the default bundle, whose modules are bytes.

import module from "wasm-attention/portable.wasm?module";
import { createAttention } from "./node_modules/wasm-attention/dist/browser/index.js";

addEventListener("fetch", (event) => {
  const answer = async () => {
    const refused = await createAttention().catch(({ name, message }) => ({ name, message }));
    const { variant } = await createAttention({ module });
    return Response.json({ refused, variant });
  };
  event.respondWith(answer());
});
