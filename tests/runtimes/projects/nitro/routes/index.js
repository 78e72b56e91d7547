import { createAttention, tensor } from "wasm-attention";

export default defineEventHandler(async () => {
  const attention = await createAttention();
  const x = tensor(Float32Array.of(1, 0, 0, 1), [1, 1, 2, 2]);
  const { output } = attention.attend(x, x, x, { scale: Math.log(3) });
  return { output: Array.from(output.data), threads: attention.threads };
});
