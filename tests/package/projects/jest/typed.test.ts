// By ts-jest, which compiles to CommonJS.

import { type Attention, createAttention, type Tensor, tensor } from "wasm-attention";

test("typed", async () => {
  const attention: Attention = await createAttention({ reproducible: true });
  const x: Tensor = tensor(Float32Array.of(1, 0, 0, 1), [2, 2]);
  const { output } = attention.attend(x, x, x, { causal: true });
  expect([...output.data.slice(0, 2)]).toEqual([1, 0]);
  attention.dispose();
});
