// The engine that both networks learn on.

import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { training } from "wasm-attention/training";
import { variants } from "wasm-attention/variants";

export const createEngine = () =>
  createAttention({
    reproducible: true,
    extensions: [blocks, positions, training, cache, variants],
  });
