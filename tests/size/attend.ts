import { createAttention } from "wasm-attention";

const attention = await createAttention();
const x = { data: new Float32Array(2 * 8 * 16), dims: [2, 8, 16] };
console.log(attention.attend(x, x, x, { causal: true }).output);
