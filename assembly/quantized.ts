// The quantized module: linear with weights of few bits.

import { QuantizedKernel } from "./kinds";
import { linearItems } from "./linear/linear";
import { QuantizedFrame } from "./quantized/frame";
import { linearRun, linearScratchBytes } from "./quantized/linear";
import { pack } from "./quantized/pack";
import { packedBytes } from "./quantized/panel";
import { LINEAR_DEPTH, QUANTIZED_ROWS } from "./tiles";
import { unpack } from "./quantized/unpack";

export { heapBase, layout, relaxedSimd } from "./module";

export { lowering } from "./simd/bytes";

/** Bytes of a packed weight; only sizes and kinds of its frame need to be there. */
export function packedWeightBytes(frame: usize): f64 {
  return packedBytes(changetype<QuantizedFrame>(frame));
}

/** The protocol of core.ts. */
export function scratchBytes(kernel: i32, frame: usize): f64 {
  if (kernel == QuantizedKernel.linear)
    return linearScratchBytes(changetype<QuantizedFrame>(frame));
  return kernel == QuantizedKernel.unpack ? <f64>(LINEAR_DEPTH << 5) : 64;
}

export function items(kernel: i32, frame: usize): f64 {
  if (kernel != QuantizedKernel.linear) return 1;
  return <f64>linearItems(changetype<QuantizedFrame>(frame), QUANTIZED_ROWS);
}

export function ready(_kernel: i32, _frame: usize, _item: i32): i32 {
  return 0;
}

export function run(kernel: i32, frame: usize, item: i32, thread: i32, _from: i32): i32 {
  if (kernel == QuantizedKernel.linear) linearRun(changetype<QuantizedFrame>(frame), item, thread);
  else if (kernel == QuantizedKernel.pack) pack(changetype<QuantizedFrame>(frame));
  else unpack(changetype<QuantizedFrame>(frame));
  return 0;
}
