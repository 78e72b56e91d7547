// The encoder's weights in few bits.

import { type Attention, linear, type Tensor } from "wasm-attention";
import { quantizeLayer } from "wasm-attention/compress";
import { prepareQuantized } from "wasm-attention/quantized";
import type { Making } from "./encoder";

export function fewBits(attention: Attention<"quantized">, numbers: "int8" | "int4"): Making {
  return {
    product({ weight, order, bias }) {
      const prepared = prepareQuantized(attention, weight, { numbers, order, bias });
      const product = (x: Tensor) => linear(attention, x, prepared);
      return Object.assign(product, { dispose: () => prepared.dispose() });
    },
    heads(layer) {
      const made = quantizeLayer(layer, { numbers });
      layer.dispose();
      return made;
    },
  };
}
