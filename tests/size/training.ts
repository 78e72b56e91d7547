import { createAttention, MultiHeadAttention } from "wasm-attention";
import { multiHeadBackward, training } from "wasm-attention/training";

const attention = await createAttention({ extensions: [training] });
const matrix = { data: new Float32Array(32 * 32), dims: [32, 32] };
const weights = { wq: matrix, wk: matrix, wv: matrix, dense: matrix };
const layer = MultiHeadAttention.fromMatrices(attention, weights, { heads: 4 });
const x = { data: new Float32Array(8 * 32), dims: [8, 32] };
const { output, record } = layer.forward(x, { record: true });
console.log(multiHeadBackward(layer, output, record).queryGradient);
