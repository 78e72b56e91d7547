// A user's CommonJS module, where Node loads ES modules by `require`.

import attentions = require("wasm-attention");

export async function variant(): Promise<attentions.Variant> {
  const attention = await attentions.createAttention();
  return attention.variant;
}
