// Keys and values that every query sees besides its own: PyTorch's bias_k and bias_v, and the
// zeros of add_zero_attn. They are attended to apart and merged, so that masks, lengths, causal and
// windows go on speaking of the inputs' own keys. Their columns of weights and scores come last.

import { attend } from "./attend";
import { checkBoolean, checkOptions } from "./checks";
import { AppendedDropout } from "./dropout";
import type { Engine } from "./engine/load";
import type { Steps } from "./engine/work";
import { ArgumentError, describe } from "./errors";
import { mergeStates } from "./merge";
import type { AttendOptions, AttendResult } from "./options";
import { checkTensor, checkVector, elementsOf, type Tensor } from "./tensor";

/** A key and a value that every query sees besides the inputs' own. */
export interface BiasKeyValue {
  /** Hkv·D numbers. */
  readonly key: Tensor;
  /** Hkv·Dv numbers. */
  readonly value: Tensor;
}

/** Keys and values that every query of a layer sees besides its own. */
export interface AppendedConfig {
  /** PyTorch's `bias_k` and `bias_v`: a key and a value, Hkv·D and Hkv·Dv, that every query sees. */
  biasKeyValue?: BiasKeyValue | undefined;
  /** PyTorch's `add_zero_attn`: every query also sees a key and a value of zeros. */
  addZeroAttention?: boolean | undefined;
}

/** [1, n, Hkv·D] and [1, n, Hkv·Dv], the same for every batch; first the bias, then the zeros. */
export interface AppendedRows {
  readonly key: Tensor;
  readonly value: Tensor;
  /** Dims of the bias as they were given, where there is one. */
  readonly biasDims?: Record<"key" | "value", readonly number[]> | undefined;
}

const NAME = "MultiHeadAttention";

/** @throws ArgumentError if a bias is not of the size its projection has. */
export function checkAppended(
  config: AppendedConfig,
  keySize: number,
  valueSize: number,
): AppendedRows | undefined {
  const { biasKeyValue, addZeroAttention } = config;
  checkBoolean(NAME, "addZeroAttention", addZeroAttention);
  const count = (biasKeyValue === undefined ? 0 : 1) + (addZeroAttention ? 1 : 0);
  return count === 0 ? undefined : rowsOf(biasKeyValue, count, keySize, valueSize);
}

/** Another bias of the same size. @throws ArgumentError as checkAppended, or if there was none. */
export function updateAppended(
  rows: AppendedRows | undefined,
  biasKeyValue: BiasKeyValue,
): AppendedRows {
  if (!rows?.biasDims) {
    const expected = "no value for a layer without one";
    throw new ArgumentError(NAME, "biasKeyValue", expected, describe(biasKeyValue));
  }
  const [, count, keySize] = rows.key.dims as [number, number, number];
  return rowsOf(biasKeyValue, count, keySize, rows.value.dims[2] as number);
}

function rowsOf(
  bias: BiasKeyValue | undefined,
  count: number,
  keySize: number,
  valueSize: number,
): AppendedRows {
  if (bias !== undefined) checkOptions(NAME, bias, "biasKeyValue");
  const rows = (name: "key" | "value", size: number) => {
    const data = new Float32Array(count * size);
    const dims = [1, count, size];
    if (!bias) return { rows: { data, dims }, biasDims: [] };
    const argument = `biasKeyValue.${name}`;
    const given = checkTensor(NAME, argument, bias[name]);
    data.set(checkVector(NAME, argument, given, size));
    return { rows: { data, dims }, biasDims: given.dims.slice() };
  };
  const [key, value] = [rows("key", keySize), rows("value", valueSize)];
  const biasDims = bias && { key: key.biasDims, value: value.biasDims };
  return { key: key.rows, value: value.rows, biasDims };
}

/** What holds of the appended keys too. */
export function sharedOptions(options: Omit<AttendOptions, "out">) {
  const { layout, heads, keyValueHeads, scale, softcap, queryLengths, dropout } = options;
  const apart = dropout && new AppendedDropout(dropout);
  return { layout, heads, keyValueHeads, scale, softcap, queryLengths, dropout: apart };
}

export function* attendAppended(
  engine: Engine,
  query: Tensor,
  own: { key: Tensor; value: Tensor },
  appended: AppendedRows,
  options: AttendOptions,
): Steps<AttendResult> {
  const { layout, heads, scores, out } = options;
  const eachHead = options.weights === "mean" || scores === "probabilities";
  const wanted = { weights: eachHead || options.weights, logSumExp: true, scores };
  const parts = [
    yield* attend(engine, query, own.key, own.value, { ...options, ...wanted, out: undefined }),
    yield* attend(engine, query, batched(appended.key, query), batched(appended.value, query), {
      ...sharedOptions(options),
      ...wanted,
    }),
  ].map(stated);

  const { output, logSumExp } = yield* mergeStates(engine, parts, { layout, heads, out });
  const result: AttendResult = { output };
  if (options.logSumExp) result.logSumExp = logSumExp;
  if (scores) result.scores = beside(parts.map((part) => part.scores));
  if (wanted.weights) {
    const columns = parts.map((part) => part.weights);
    // A part's weights are an output over disjoint keys too: 0 in the other's columns.
    const { output: weights } = yield* mergeStates(
      engine,
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
export function batched({ data, dims: [, count = 0, size = 0] }: Tensor, query: Tensor): Tensor {
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

/** [..., H, L, S] → [..., L, S], rounded as the kernel's mean is. */
function meanOverHeads({ data, dims }: Tensor): Tensor {
  const [heads, queries, keys] = dims.slice(-3) as [number, number, number];
  const plane = queries * keys;
  const mean = new Float32Array(data.length / heads);
  const share = Math.fround(1 / heads);
  for (let index = 0; index < mean.length; index++) {
    const first = Math.floor(index / plane) * heads * plane + (index % plane);
    let sum = 0;
    for (let head = 0; head < heads; head++) {
      sum = Math.fround(sum + Math.fround((data[first + head * plane] as number) * share));
    }
    mean[index] = sum;
  }
  return { data: mean, dims: [...dims.slice(0, -3), queries, keys] };
}
