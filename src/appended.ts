// Keys and values that every query sees besides its own: PyTorch's bias_k and bias_v, and the
// zeros of add_zero_attn. They are attended to apart and merged, so that masks, lengths, causal and
// windows go on speaking of the inputs' own keys. Their columns of weights and scores come last.

import { Sequence } from "../assembly/frame";
import { type AttendCall, callAttend, checkAttend } from "./attend";
import { checkBoolean } from "./checks";
import type { Engine } from "./engine/load";
import type { Steps } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import { mergeStates } from "./merge";
import { reader } from "./option-names";
import type { AttendOptions, AttendResult } from "./options";
import { checkData, checkTensor, elementsOf, type Tensor } from "./tensor";

/** Keys and values that every query of a layer sees besides its own. */
export interface AppendedConfig {
  /** PyTorch's `bias_k` and `bias_v`: a key and a value, Hkv·D and Hkv·Dv, that every query sees. */
  biasKeyValue?:
    | {
        /** Hkv·D numbers. */
        readonly key: Tensor;
        /** Hkv·Dv numbers. */
        readonly value: Tensor;
      }
    | undefined;
  /** PyTorch's `add_zero_attn`: every query also sees a key and a value of zeros. */
  addZeroAttention?: boolean | undefined;
}

/** [1, n, Hkv·D] and [1, n, Hkv·Dv], the same for every batch. */
export interface AppendedRows {
  readonly key: Tensor;
  readonly value: Tensor;
}

const readBias = reader<NonNullable<AppendedConfig["biasKeyValue"]>>(
  { key: 1, value: 1 },
  "{ key, value }",
);

/** @throws ArgumentError if a bias is not of the size its projection has. */
export function checkAppended(
  operation: string,
  config: AppendedConfig,
  keySize: number,
  valueSize: number,
): AppendedRows | undefined {
  const { biasKeyValue: given, addZeroAttention } = config;
  checkBoolean(operation, "addZeroAttention", addZeroAttention);
  const biasKeyValue = given && readBias(operation, given, "biasKeyValue");
  const count = (biasKeyValue ? 1 : 0) + (addZeroAttention ? 1 : 0);
  if (count === 0) return undefined;
  const rows = (name: "key" | "value", size: number): Tensor => {
    const data = new Float32Array(count * size);
    if (biasKeyValue) {
      const argument = `biasKeyValue.${name}`;
      const bias = checkTensor(operation, argument, biasKeyValue[name]).data;
      checkData(operation, argument, bias, [size]);
      data.set(bias);
    }
    return { data, dims: [1, count, size] };
  };
  return { key: rows("key", keySize), value: rows("value", valueSize) };
}

/** What each part has to give for the whole. */
export function wantedOfParts({ weights, scores }: AttendOptions) {
  const eachHead = weights === "mean" || scores === "probabilities";
  return { weights: eachHead || weights, logSumExp: true, scores };
}

/** What cannot be merged. */
export function refuseDropout(operation: string, { dropout }: AttendOptions): void {
  if (dropout === undefined) return;
  const expected = "no value with biasKeyValue or addZeroAttention";
  throw new ArgumentError(operation, "dropout", expected, describe(dropout));
}

/** `call` is of the inputs' own keys; its options are those of the layer, as they were read. */
export function* attendAppended(
  engine: Engine,
  call: AttendCall,
  appended: AppendedRows,
  options: AttendOptions,
): Steps<AttendResult> {
  const { operation, inputs, placed } = call;
  const { layout, heads, keyValueHeads, scale, softcap, out, scores } = options;
  const { query } = inputs;
  const { sequences } = placed.visibility;
  const queryLengths = sequences.filter((_, index) => index % Sequence.count === Sequence.queries);
  const wanted = wantedOfParts(options);
  const shared = { layout, heads, keyValueHeads, scale, softcap, queryLengths, ...wanted };
  const parts = [
    yield* callAttend(engine, call),
    yield* callAttend(
      engine,
      checkAttend(
        operation,
        query,
        batched(appended.key, query),
        batched(appended.value, query),
        shared,
      ),
    ),
  ].map(stated);

  const { output, logSumExp } = yield* mergeStates(engine, operation, parts, {
    layout,
    heads,
    out,
  });
  const result: AttendResult = { output };
  if (options.logSumExp) result.logSumExp = logSumExp;
  if (scores) result.scores = beside(parts.map((part) => part.scores));
  if (wanted.weights) {
    const columns = parts.map((part) => part.weights);
    // A part's weights are an output over disjoint keys too: 0 in the other's columns.
    const { output: weights } = yield* mergeStates(
      engine,
      operation,
      parts.map(({ logSumExp }, index) => ({
        output: beside(columns.map((own, other) => (other === index ? own : zeros(own)))),
        logSumExp,
      })),
      {},
    );
    if (options.weights === "mean") result.weights = meanOverHeads(weights);
    else if (options.weights) result.weights = weights;
    if (scores === "probabilities") result.scores = weights;
  }
  return result;
}

/** The same rows for each batch of the query. */
function batched({ data, dims: [, count = 0, size = 0] }: Tensor, query: Tensor): Tensor {
  if (query.dims.length === 2) return { data, dims: [count, size] };
  const batch = query.dims[0] as number;
  const repeated = new Float32Array(batch * data.length);
  for (let b = 0; b < batch; b++) repeated.set(data, b * data.length);
  return { data: repeated, dims: [batch, count, size] };
}

type Stated = Required<AttendResult>;
const stated = (result: AttendResult) => result as Stated;

const zeros = ({ data, dims }: Tensor): Tensor => ({ data: new Float32Array(data.length), dims });

/** [..., m] and [..., n] as [..., m + n]. */
function beside(tensors: readonly Tensor[]): Tensor {
  const widths = tensors.map(({ dims }) => dims.at(-1) as number);
  const width = widths.reduce((sum, size) => sum + size, 0);
  const leading = (tensors[0] as Tensor).dims.slice(0, -1);
  const data = new Float32Array(elementsOf(leading) * width);
  for (let row = 0; row < elementsOf(leading); row++) {
    let at = row * width;
    for (const [index, { data: from }] of tensors.entries()) {
      const size = widths[index] as number;
      data.set(from.subarray(row * size, (row + 1) * size), at);
      at += size;
    }
  }
  return { data, dims: [...leading, width] };
}

/** [..., H, L, S] → [..., L, S]. */
function meanOverHeads({ data, dims }: Tensor): Tensor {
  const [heads, queries, keys] = dims.slice(-3) as [number, number, number];
  const plane = queries * keys;
  const mean = new Float32Array(data.length / heads);
  for (let index = 0; index < mean.length; index++) {
    const first = Math.floor(index / plane) * heads * plane + (index % plane);
    let sum = 0;
    for (let head = 0; head < heads; head++) sum += data[first + head * plane] as number;
    mean[index] = sum / heads;
  }
  return { data: mean, dims: [...dims.slice(0, -3), queries, keys] };
}
