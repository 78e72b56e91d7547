// By ts-jest, which compiles to CommonJS.

import { type Attention, createAttention, type Tensor, tensor } from "wasm-attention";
import { positions, rotate } from "wasm-attention/positions";

test("typed", async () => {
  const attention: Attention<"positions"> = await createAttention({
    reproducible: true,
    extensions: [positions],
  });
  const x: Tensor = tensor(Float32Array.of(1, 0, 0, 1), [2, 2]);
  const { output } = attention.attend(x, x, x, { causal: true });
  expect(rotate(attention, x).data).toHaveLength(4);
  expect([...output.data.slice(0, 2)]).toEqual([1, 0]);
  attention.dispose();
});
