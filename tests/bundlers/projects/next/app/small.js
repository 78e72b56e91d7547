import { createAttention, tensor } from "wasm-attention";

export async function attendSmall(options) {
  const attention = await createAttention(options);
  const x = tensor(new Float32Array([1, 0, 0, 1]), [1, 1, 2, 2]);
  const { output } = attention.attend(x, x, x, { scale: Math.log(3) });
  const { threads, variant } = attention;
  attention.dispose();
  return { output: Array.from(output.data), threads, variant };
}
