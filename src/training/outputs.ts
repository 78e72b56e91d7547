// Where the gradients of query, key and value go.

import type { AttendCall } from "../attend/forward";
import type { Inputs } from "../check/shapes";
import type { Output, Staging } from "../run/staging";
import type { Tensor } from "../tensor/tensor";

/** Results as the inputs lie, by strides too: three, or of inputs in one tensor one of all. */
export function stageGradients(
  staging: Staging,
  { inputs, fused }: AttendCall,
  [query, key, value]: readonly [query: number, key: number, value: number],
  out: { readonly [Name in keyof Inputs]: Tensor | undefined },
  added: boolean,
): Output[] {
  const target = (name: keyof Inputs, slot: number) =>
    staging.output(slot, inputs[name].dims, out[name], fused ? "out" : `out.${name}`, added);
  const first = target("query", query);
  if (!fused) return [first, target("key", key), target("value", value)];
  staging.within(key, first.region, fused[0]);
  staging.within(value, first.region, fused[1]);
  return [first];
}
