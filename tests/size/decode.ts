import { createAttention, linear, prepareLinear } from "wasm-attention";
import { positions, rotate } from "wasm-attention/positions";

const attention = await createAttention({ extensions: [positions] });
const weight = { data: new Float32Array(32 * 32), dims: [32, 32] };
const project = prepareLinear(attention, weight, { order: "out,in" });
const cache = attention.allocate([4, 128, 8]);
for (let at = 0; at < 4; at++) {
  const x = linear(attention, { data: new Float32Array(32), dims: [1, 32] }, project);
  const query = rotate(attention, { data: x.data, dims: [4, 1, 8] }, { positions: at });
  console.log(attention.attend(query, cache, cache, { queryOffset: at, causal: true }).output);
}
