import { createAttention } from "wasm-attention";
import { blocks, TransformerEncoderLayer } from "wasm-attention/blocks";

const attention = await createAttention({ extensions: [blocks] });
const weight = { data: new Float32Array(32 * 32), dims: [32, 32] };
const matrix = { weight, order: "in,out" } as const;
const layer = new TransformerEncoderLayer(
  attention,
  { heads: 4 },
  {
    selfAttention: { query: matrix, key: matrix, value: matrix, output: matrix },
    linear1: matrix,
    linear2: matrix,
    norm1: {},
    norm2: {},
  },
);
console.log(layer.forward({ data: new Float32Array(8 * 32), dims: [8, 32] }).output);
