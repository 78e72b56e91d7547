// What the multi-head layer asks of this extension, see layer/rotation.ts.

import type { Attention } from "../attend/attention";
import { renamed } from "../check/renamed";
import { checkRowPositions, type Rotary, readRotary } from "../check/rotary";
import type { MakeRotation } from "../layer/rotation";
import { type RotateOptions, rotate } from "./rotary";

export const rotationOfLayer: MakeRotation = (
  operation,
  attention,
  { rotary, positions },
  { query, headSize },
) => {
  const on = attention as Attention<"positions">;
  const [rows = 0, batch = 1] = query.dims.slice(0, -1).reverse();
  const at = checkRowPositions(operation, positions, [batch, rows], () => 0);
  const zeros = { data: new Float32Array(2 * headSize), dims: [2, headSize] };
  const read = readRotary(operation, rotary as Rotary, (given) => rotate(on, zeros, given));
  // What is wrong is said before anything is projected.
  const ends = at.reduce(([least, most], p) => [Math.min(least, p), Math.max(most, p)], [0, 0]);
  renamed(operation, "", () => rotate(on, zeros, { ...read, positions: ends }));
  return (operation, x, back = false) => {
    const options: RotateOptions = {
      ...read,
      layout: "BLE",
      heads: (x.dims.at(-1) as number) / headSize,
      positions: back ? at.map((position) => -position) : at,
      out: x,
    };
    renamed(operation, "", () => rotate(on, x, options));
  };
};
