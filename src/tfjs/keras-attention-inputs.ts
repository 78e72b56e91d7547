// The inputs of Keras's Attention and AdditiveAttention: query [B, L, D], value [B, S, Dv], key [B, S, D] and,
// where the layer was told so, masks [B, L] and [B, S].

import type { DataType } from "@tensorflow/tfjs-core";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import { isSymbolic, type Shape } from "./layer-axes";
import { checkTensor, checkType } from "./values";

/** What an input is. */
export interface AttentionInputs<T> {
  readonly query: T;
  readonly value: T;
  readonly key: T;
  readonly queryMask: T | undefined;
  readonly valueMask: T | undefined;
}

interface Masked {
  readonly queryMask: boolean;
  readonly valueMask: boolean;
}

/** @throws ArgumentError for too few inputs, and too many. */
export function attentionInputs<T>(
  operation: string,
  list: readonly T[],
  { queryMask, valueMask }: Masked,
): AttentionInputs<T> {
  const masks = Number(queryMask) + Number(valueMask);
  const tensors = list.slice(0, list.length - masks);
  if (tensors.length < 2 || tensors.length > 3) {
    const more = masks ? ` and ${masks === 1 ? "a mask" : "two masks"}` : "";
    const expected = `query, value and, unless it is the value, key${more}${
      masks < 2 ? " (masks are further inputs, with queryMask and valueMask: true)" : ""
    }`;
    throw new ArgumentError(operation, "inputs", expected, `${list.length} inputs`);
  }
  const [query, value, key = value] = tensors as [T, T, T?];
  return {
    ...{ query, value, key },
    queryMask: queryMask ? list[tensors.length] : undefined,
    valueMask: valueMask ? list.at(-1) : undefined,
  };
}

/** @throws ArgumentError unless all are tensors, or symbolic ones, of the right type. */
export function checkAttentionTypes(operation: string, inputs: AttentionInputs<unknown>): void {
  for (const [name, x] of Object.entries(inputs)) {
    const isMask = name.endsWith("Mask");
    if (isMask && x === undefined) continue;
    const types: DataType[] = isMask ? ["bool", "int32", "float32"] : ["float32"];
    if (isSymbolic(x)) checkType(operation, name, x, types);
    else checkTensor(operation, name, x, types);
  }
}

type Shaped = { readonly shape: Shape } | Shape;
const shapeOf = (x: Shaped): Shape => ("shape" in x ? x.shape : x);

/** @throws ArgumentError unless they fit each other. */
export function checkAttentionShapes(operation: string, inputs: AttentionInputs<Shaped>): void {
  // A name fits every size, and what is not known yet fits all.
  const check = (argument: string, x: Shaped, expected: readonly (number | string | null)[]) => {
    const shape = shapeOf(x);
    const fits = (size: number | string | null, axis: number) =>
      typeof size === "string" || size === null || shape[axis] === null || shape[axis] === size;
    if (shape.length === expected.length && expected.every(fits)) return shape;
    const sizes = expected.map((size) => size ?? "?");
    throw new ArgumentError(
      operation,
      `${argument}.shape`,
      `[${sizes.join(", ")}]`,
      describe(shape),
    );
  };
  const [batch = null, queries = null, size = null] = check("query", inputs.query, ["B", "L", "D"]);
  const [, keys = null] = check("value", inputs.value, [batch, "S", "Dv"]);
  check("key", inputs.key, [batch, keys, size]);
  if (inputs.queryMask) check("queryMask", inputs.queryMask, [batch, queries]);
  if (inputs.valueMask) check("valueMask", inputs.valueMask, [batch, keys]);
}
