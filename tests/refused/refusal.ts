// A call that must be refused, with the whole message.

import { type Tensor, tensor } from "wasm-attention";
import type { Whole } from "../engines";

export type Call = (attention: Whole) => unknown;
export type Refusal = readonly [message: string, call: Call];

export const zeros = (...dims: number[]): Tensor =>
  tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);

/** [B, H, L, D] of every call that has no reason for another. */
export const q: Tensor = zeros(1, 2, 4, 8);

/** Arguments of no type at all. */
export const [none, list] = [undefined as never, [] as never];
