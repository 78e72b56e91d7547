// The layer's sizes: heads, matrices and inputs that have to fit each other.

import { reader } from "../check/names";
import { checkCount } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { PreparedLinear } from "../linear/prepared";
import { checkTensor, type Tensor } from "../tensor/tensor";
import type { BiasKeyValue } from "./appended";
import type { LayerConfig, LayerInputs } from "./options";
import type { LayerWeights, Projection } from "./projections";

/** A matrix, in the order it was prepared in, and its bias. */
export type Update = Pick<Projection, "weight" | "bias"> & {
  /** That it was prepared in, if given. */
  readonly order?: Projection["order"] | undefined;
};

/** What `update` takes. */
export type LayerUpdate = { readonly [Name in keyof LayerWeights]?: Update | undefined } & {
  /** A bias key and value, where the layer has them. */
  readonly biasKeyValue?: BiasKeyValue | undefined;
};

export function checkHeadCounts(
  operation: string,
  config: LayerConfig,
): { heads: number; keyValueHeads: number } {
  checkCount(operation, "heads", config.heads);
  const { heads, keyValueHeads = heads } = config;
  checkCount(operation, "keyValueHeads", keyValueHeads);
  if (heads % keyValueHeads) {
    const expected = `a divisor of heads = ${heads}`;
    throw new ArgumentError(operation, "keyValueHeads", expected, describe(keyValueHeads));
  }
  return { heads, keyValueHeads };
}

/** Whether the matrices fit the heads and each other. */
export function checkSizes(
  operation: string,
  { query, key, value, output }: Record<keyof LayerWeights, PreparedLinear>,
  heads: number,
  keyValueHeads: number,
): void {
  const size = query.outputSize / heads;
  const expect = (argument: string, expected: string, got: number, fits: boolean) => {
    if (!fits) throw new ArgumentError(operation, argument, expected, `${got}`);
  };
  expect(
    "heads",
    `a divisor of the query's H·D = ${query.outputSize} outputs`,
    heads,
    Number.isInteger(size),
  );
  const fits = key.outputSize === keyValueHeads * size;
  const meant = key.outputSize / size;
  if (Number.isInteger(meant) && heads % meant === 0) {
    const found = `${meant}, since the key's Hkv·D = ${key.outputSize} outputs and D = ${size}`;
    expect("keyValueHeads", found, keyValueHeads, fits);
  }
  const wanted = `a weight to Hkv·D = ${keyValueHeads * size} outputs`;
  expect("key", wanted, key.outputSize, fits);
  expect(
    "keyValueHeads",
    `a divisor of the value's Hkv·Dv = ${value.outputSize} outputs`,
    keyValueHeads,
    value.outputSize % keyValueHeads === 0,
  );
  const mixed = (value.outputSize / keyValueHeads) * heads;
  expect(
    "output",
    `a weight from H·Dv = ${mixed} inputs`,
    output.inputSize,
    output.inputSize === mixed,
  );
}

/** What a layer attends with; no keys where they are in a cache already. */
export interface Given {
  readonly query: Tensor;
  readonly key: Tensor | undefined;
  readonly value: Tensor | undefined;
}

/** The key is the query unless given or, with `cross`, none; the value is the key unless given. */
export function checkGiven(
  operation: string,
  projections: Record<keyof LayerWeights, PreparedLinear>,
  inputs: Tensor | LayerInputs,
  cross = false,
): {
  given: Given;
  /** Which were given besides the query. */
  asked: { readonly key: boolean; readonly value: boolean };
} {
  const read = readInputs(operation, inputs);
  const check = (name: "query" | "key" | "value", given: Tensor) => {
    const x = checkTensor(operation, name, given);
    const { dims } = x;
    const size = projections[name].inputSize;
    if ((dims.length !== 2 && dims.length !== 3) || dims.at(-1) !== size) {
      const axes = name === "query" ? "L" : "S";
      throw new ArgumentError(
        operation,
        `${name}.dims`,
        `[B, ${axes}, ${size}] or [${axes}, ${size}]`,
        describe(dims),
      );
    }
    return x;
  };
  const { query, key = cross ? undefined : query, value = key } = read;
  if (value && !key) {
    const expected = "no value without a key";
    throw new ArgumentError(operation, "value", expected, describe(value));
  }
  return {
    given: {
      query: check("query", query),
      key: key && check("key", key),
      value: value && check("value", value),
    },
    asked: { key: read.key !== undefined, value: read.value !== undefined },
  };
}

const readTensors = reader<LayerInputs>(
  { query: 1, key: 1, value: 1 },
  "a tensor { data, dims }, or { query, key?, value? } of them",
);

/** A tensor stands for all three. */
function readInputs(operation: string, inputs: Tensor | LayerInputs): LayerInputs {
  const object = typeof inputs === "object" && inputs !== null;
  if (object && ("data" in inputs || "dims" in inputs)) return { query: inputs as Tensor };
  return readTensors(operation, inputs, "inputs");
}
