// Each of these lines is refused, or the declarations have become `any`.

import { createAttention, tensor } from "wasm-attention";

const attention = await createAttention();
const x = tensor(new Float32Array(1), [1, 1]);
attention.attend(x, x, x, { causal: "right" });

await createAttention({ thread: 2 });

attention.memory.used = 0;

tensor([1], [1]);
