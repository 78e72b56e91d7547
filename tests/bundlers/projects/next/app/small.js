import { createAttention, tensor } from "wasm-attention";
import { positions, rotate } from "wasm-attention/positions";

export async function attendSmall(options) {
  const attention = await createAttention({ ...options, extensions: [positions] });
  const given = tensor(new Float32Array([1, 0, 0, 1]), [1, 1, 2, 2]);
  const x = rotate(attention, given, { frequencies: new Float32Array(1) });
  const { output } = attention.attend(x, x, x, { scale: Math.log(3) });
  const { threads, variant } = attention;
  attention.dispose();
  return { output: Array.from(output.data), threads, variant };
}
