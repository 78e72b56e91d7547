// Each of these lines is refused, or the declarations have become `any`.

import { createAttention, tensor } from "wasm-attention";
import { positions, rotate } from "wasm-attention/positions";
import { training } from "wasm-attention/training";

const attention = await createAttention();
const x = tensor(new Float32Array(1), [1, 1]);
attention.attend(x, x, x, { causal: "right" });

await createAttention({ thread: 2 });

attention.memory.used = 0;

tensor([1], [1]);

rotate(attention, x);

rotate(await createAttention({ extensions: [training] }), x);

export const dims: readonly number[] = attention.attend(x, x, x).logSumExp.dims;

attention.attend(x, x, x, { causall: true });

rotate(await createAttention({ extensions: [positions] }), x, { pairing: "third" });
