// Keys and values that every query sees besides its own: PyTorch's bias_k and bias_v, and the
// zeros of add_zero_attn. They are attended to separately and merged, so that masks, lengths, causal and
// windows go on speaking of the inputs' own keys. Their columns of weights and scores come last.

import { Sequence } from "../../build/frames";
import { type AttendCall, callAttend, checkAttendOf } from "../attend/forward";
import { mergeSteps } from "../attend/merge";
import type { AttendOptions, AttendResult } from "../attend/options";
import { dropoutOfAppended } from "../check/dropout";
import { reader } from "../check/names";
import { checkBoolean } from "../check/values";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkTensor, checkVector, type Tensor } from "../tensor/tensor";

/** A key and a value that every query sees besides the inputs' own. */
export interface BiasKeyValue {
  /** Hkv·D numbers. */
  readonly key: Tensor;
  /** Hkv·Dv numbers. */
  readonly value: Tensor;
}

/** What is appended to a layer's keys and values. */
export interface AppendedConfig {
  /** PyTorch's `bias_k` and `bias_v`: a key and a value, Hkv·D and Hkv·Dv, that every query sees. */
  biasKeyValue?: BiasKeyValue | undefined;
  /** PyTorch's `add_zero_attn`: every query also sees a key and a value of zeros. */
  addZeroAttention?: boolean | undefined;
}

/** What a layer's configuration takes as `appended`, from `appendedKeys`. */
export interface AppendedKeys {
  /** As they were given. */
  readonly config: AppendedConfig;
  /** @internal For projections of these sizes. */
  rows(operation: string, keySize: number, valueSize: number): AppendedRows | undefined;
}

const NAME = "appendedKeys";
const readAppended = reader<AppendedConfig>({ biasKeyValue: 1, addZeroAttention: 1 });
const readBias = reader<BiasKeyValue>({ key: 1, value: 1 });

/**
 * Keys and values that every query of a layer sees besides its own, for `appended` in the layer's
 * configuration: a value of its own, so that who has none does not load how.
 *
 * @throws ArgumentError; the layer's constructor, if a bias is not of the size its projection has.
 */
export function appendedKeys(config: AppendedConfig): AppendedKeys {
  const { biasKeyValue, addZeroAttention } = readAppended(NAME, config, "config");
  checkBoolean(NAME, "addZeroAttention", addZeroAttention);
  const bias =
    biasKeyValue === undefined ? undefined : readBias(NAME, biasKeyValue, "biasKeyValue");
  const count = (bias ? 1 : 0) + (addZeroAttention ? 1 : 0);
  return Object.freeze({
    config: Object.freeze({ biasKeyValue: bias, addZeroAttention }),
    rows: (operation: string, keySize: number, valueSize: number) =>
      count ? rowsOf(operation, bias, count, keySize, valueSize) : undefined,
  });
}

/** [1, n, Hkv·D] and [1, n, Hkv·Dv], the same for every batch; first the bias, then the zeros. */
export class AppendedRows {
  readonly key: Tensor;
  readonly value: Tensor;
  /** Dims of the bias as they were given, where there is one. */
  readonly biasDims: Record<"key" | "value", readonly number[]> | undefined;

  constructor(key: Tensor, value: Tensor, biasDims: AppendedRows["biasDims"]) {
    this.key = key;
    this.value = value;
    this.biasDims = biasDims;
  }

  /** With another bias of the same size. @throws ArgumentError for one of another, or if there was none. */
  updated(operation: string, biasKeyValue: BiasKeyValue): AppendedRows {
    const [, count, keySize] = this.key.dims as [number, number, number];
    const bias = readBias(operation, biasKeyValue, "biasKeyValue");
    return rowsOf(operation, bias, count, keySize, this.value.dims[2] as number);
  }

  wanted(options: AttendOptions) {
    return wantedOfParts(options);
  }

  call(call: AttendCall): AttendCall {
    return appendedCall(call, this);
  }

  attend(engine: Engine, call: AttendCall, options: AttendOptions): Steps<AttendResult> {
    return attendAppended(engine, call, this, options);
  }
}

function rowsOf(
  operation: string,
  bias: BiasKeyValue | undefined,
  count: number,
  keySize: number,
  valueSize: number,
): AppendedRows {
  const rows = (name: "key" | "value", size: number) => {
    const data = new Float32Array(count * size);
    const dims = [1, count, size];
    if (!bias) return { rows: { data, dims }, biasDims: [] };
    const argument = `biasKeyValue.${name}`;
    const given = checkTensor(operation, argument, bias[name]);
    data.set(checkVector(operation, argument, given, size).data);
    return { rows: { data, dims }, biasDims: given.dims.slice() };
  };
  const [key, value] = [rows("key", keySize), rows("value", valueSize)];
  const biasDims = bias && { key: key.biasDims, value: value.biasDims };
  return new AppendedRows(key.rows, value.rows, biasDims);
}

/** What each part has to give for the whole. */
function wantedOfParts({ weights, scores }: AttendOptions) {
  const eachHead = weights === "mean" || scores === "probabilities";
  return { weights: eachHead || weights, logSumExp: true, scores };
}

/** The same call over the appended keys, with what holds of them too. */
function appendedCall(call: AttendCall, appended: AppendedRows): AttendCall {
  const { operation, inputs, shapes, checked, options } = call;
  const { query } = inputs;
  const { heads, keyValueHeads } = shapes;
  const { scale, softcap } = checked.scoring;
  const { sequences } = checked.visibility;
  const queryLengths = sequences.filter((_, index) => index % Sequence.words === Sequence.queries);
  const { weights, logSumExp, scores } = options;
  const made = checkAttendOf(
    operation,
    { query, key: batched(appended.key, query), value: batched(appended.value, query) },
    "BLE",
    { heads, keyValueHeads, scale, softcap, queryLengths, weights, logSumExp, scores },
  );
  return { ...made, checked: { ...made.checked, dropout: dropoutOfAppended(checked.dropout) } };
}

/** `call` is of the inputs' own keys; the options are those of the layer. */
function* attendAppended(
  engine: Engine,
  call: AttendCall,
  appended: AppendedRows,
  options: AttendOptions,
): Steps<AttendResult> {
  const { operation } = call;
  const { layout, heads, scores, out } = options;
  const wanted = wantedOfParts(options);
  const parts = [
    yield* callAttend(engine, call),
    yield* callAttend(engine, appendedCall(call, appended)),
  ].map(stated);

  const { output, logSumExp } = yield* mergeSteps(engine, operation, parts, {
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
    const { output: weights } = yield* mergeSteps(
      engine,
      operation,
      parts.map(({ logSumExp }, index) => ({
        output: beside(columns.map((part, other) => (other === index ? part : zeros(part)))),
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
