import { createAttention, MultiHeadAttention } from "wasm-attention";

const attention = await createAttention();
const matrix = { data: new Float32Array(32 * 32), dims: [32, 32] };
const weights = { wq: matrix, wk: matrix, wv: matrix, dense: matrix };
const layer = MultiHeadAttention.fromMatrices(attention, weights, { heads: 4 });
console.log(layer.forward({ data: new Float32Array(8 * 32), dims: [8, 32] }).output);
