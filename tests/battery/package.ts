// What the battery is handed: the entries of the package under test, in one object.

import type * as main from "wasm-attention";
import type * as blocks from "wasm-attention/blocks";
import type * as cache from "wasm-attention/cache";
import type * as integers from "wasm-attention/integers";
import type * as positions from "wasm-attention/positions";
import type * as quantized from "wasm-attention/quantized";
import type * as shards from "wasm-attention/shards";
import type * as training from "wasm-attention/training";
import type * as variants from "wasm-attention/variants";
import type * as weights from "wasm-attention/weights";

export type Package = typeof main &
  typeof blocks &
  typeof cache &
  typeof integers &
  typeof positions &
  typeof quantized &
  typeof shards &
  typeof training &
  typeof variants &
  typeof weights;
export type Whole = main.Attention<
  "blocks" | "cache" | "positions" | "training" | "variants" | "quantized" | "integers"
>;
