import * as main from "wasm-attention";
import * as positions from "wasm-attention/positions";
import * as training from "wasm-attention/training";

console.log(main, positions, training);
