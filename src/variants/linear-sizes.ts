// What linear attention and its gradients are given, checked: sizes, strides, and where a rule forbids it nothing.

import { LinearAttentionFrame as Frame } from "../../build/frames";
import type { Layout } from "../attend/options";
import {
  checkHeads,
  checkInputs,
  checkLayout,
  type Inputs,
  type Strides,
  type View,
  viewOf,
} from "../check/shapes";
import { checkBoolean, numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Staging } from "../run/staging";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import type { Word } from "./module";

/** How a token moves the state S: see `linearAttention`. */
export type UpdateRule = "linear" | "gated" | "delta" | "gated_delta";

/** Options that say what is computed, of `linearAttention` and its gradients. */
export interface LinearRuleOptions {
  /** `"linear"` by default; `"gated"` and `"gated_delta"` need `decay`, `"delta"` and `"gated_delta"` `beta`. */
  updateRule?: UpdateRule | undefined;
  /** `"elu"`: elu(x) + 1 of queries and keys (Katharopoulos et al. 2020); none by default. */
  featureMap?: "elu" | undefined;
  /** Whether the output is divided by φ(q)·Σφ(k) + eps; with a feature map it is, by default. */
  normalize?: boolean | undefined;
  /** Added to the divisor, from 0; 1e-6 by default. */
  eps?: number | undefined;
  /** Factor on the queries; 1/√D, with a feature map 1 by default. */
  scale?: number | undefined;
  /** `false`: every query reads the state after all keys, which only `"linear"` can; `true` by default. */
  causal?: boolean | undefined;
  /**
   * ln of what the state is multiplied by before each token, in the layout of the keys with the values' heads:
   * one number a token and head, or D of them, one for each row of the state.
   */
  decay?: Tensor | undefined;
  /** How much of v − Sᵀk a token adds, in the same layout: one number a token and head, or one a token. */
  beta?: Tensor | undefined;
  /** S before the first token [B, Hv, D, Dv], 0 by default. Normalised it has one column more, Σφ(k). */
  state?: Tensor | undefined;
  /** Tokens of each batch, from 0 to S; those past them are not taken in. */
  keyLengths?: ArrayLike<number> | undefined;
  /** As `attend`'s. */
  layout?: Layout | undefined;
  /** Query heads; for layout `"BLE"` only, where it is required. */
  heads?: number | undefined;
  /** Value heads, for layout `"BLE"` only, `heads` by default. They divide the query heads, or are a multiple. */
  keyValueHeads?: number | undefined;
}

export const ruleFields = {
  updateRule: 1,
  featureMap: 1,
  normalize: 1,
  eps: 1,
  scale: 1,
  causal: 1,
  decay: 1,
  beta: 1,
  state: 1,
  keyLengths: 1,
  layout: 1,
  heads: 1,
  keyValueHeads: 1,
} as const;

/** A call, checked. */
export interface LinearCall {
  readonly operation: string;
  readonly inputs: Inputs;
  readonly decay: Tensor | undefined;
  readonly beta: Tensor | undefined;
  readonly state: Tensor | undefined;
  readonly keyLengths: readonly number[] | undefined;
  readonly outputDims: readonly number[];
  readonly stateDims: readonly number[];
  readonly words: readonly Word[];
  readonly floats: readonly Word[];
  /** Multiply-adds of one pass. */
  readonly cost: number;
}

const RULES: readonly UpdateRule[] = ["linear", "gated", "delta", "gated_delta"];

export function checkLinear(
  operation: string,
  query: unknown,
  key: unknown,
  value: unknown,
  options: LinearRuleOptions,
): LinearCall {
  const layout = checkLayout(operation, options.layout);
  const inputs = checkInputs(operation, query, key, value, layout);
  const { updateRule = "linear", featureMap, causal = true, eps = 1e-6 } = options;
  if (!RULES.includes(updateRule)) {
    const expected = RULES.map((rule) => `"${rule}"`).join(", ");
    throw new ArgumentError(operation, "updateRule", `one of ${expected}`, describe(updateRule));
  }
  if (featureMap !== undefined && featureMap !== "elu")
    throw new ArgumentError(operation, "featureMap", '"elu"', describe(featureMap));
  for (const name of ["normalize", "causal"] as const) checkBoolean(operation, name, options[name]);
  if (!causal && updateRule !== "linear") {
    const expected = 'true, or updateRule "linear"';
    throw new ArgumentError(operation, "causal", expected, `false with "${updateRule}"`);
  }
  const normalised = options.normalize ?? featureMap !== undefined;
  const views = viewsOf(operation, inputs, layout, options);
  const { q, k, v } = views;
  if (causal && q.rows !== k.rows) {
    const expected = `as many rows as the key, ${k.rows}, or causal: false`;
    throw new ArgumentError(operation, "query.dims", expected, describe(inputs.query.dims));
  }
  const gated = updateRule === "gated" || updateRule === "gated_delta";
  const delta = updateRule === "delta" || updateRule === "gated_delta";
  const decay = besides(operation, "decay", options.decay, gated, updateRule);
  const beta = besides(operation, "beta", options.beta, delta, updateRule);
  const split = layout === "BLE" ? v.heads : 1;
  const g = decay && viewOf(operation, "decay", layout, decay.dims, split);
  if (g && (g.heads !== v.heads || ![1, k.size].includes(g.size) || !sameRows(g, v)))
    refuseBeside(operation, "decay", "1 or D", decay as Tensor);
  const shared = beta && layout === "BLE" && beta.dims.at(-1) === 1;
  const w = beta && viewOf(operation, "beta", layout, beta.dims, shared ? 1 : split);
  if (w && (![1, v.heads].includes(w.heads) || w.size !== 1 || !sameRows(w, v)))
    refuseBeside(operation, "beta", "1", beta as Tensor);

  const heads = Math.max(q.heads, v.heads);
  const columns = v.size + (normalised ? 1 : 0);
  const stateDims = [...v.batchDims, ...v.headDims, k.size, columns];
  const state =
    options.state === undefined ? undefined : checkTensor(operation, "state", options.state);
  if (state) checkDimsOf(operation, "state", state, stateDims);
  const outputDims = dimsOf(layout, q, heads, v.size);
  const o = viewOf(operation, "query", layout, outputDims, layout === "BLE" ? heads : 1);
  return {
    operation,
    inputs,
    decay,
    beta,
    state,
    keyLengths: lengthsOf(operation, options.keyLengths, k),
    outputDims,
    stateDims,
    words: [
      [Frame.batch, q.batch],
      [Frame.heads, heads],
      [Frame.queryHeads, q.heads],
      [Frame.keyHeads, k.heads],
      [Frame.valueHeads, v.heads],
      [Frame.queries, q.rows],
      [Frame.keys, k.rows],
      [Frame.headSize, k.size],
      [Frame.valueSize, v.size],
      ...strideWords(Frame.queryBatch, q.strides),
      ...strideWords(Frame.keyBatch, k.strides),
      ...strideWords(Frame.valueBatch, v.strides),
      ...(g ? strideWords(Frame.decayBatch, g.strides) : []),
      ...(w ? strideWords(Frame.betaBatch, sharedBy(w)) : []),
      ...strideWords(Frame.outputBatch, o.strides),
      [Frame.featureMap, featureMap ? 1 : 0],
      [Frame.normalised, normalised ? 1 : 0],
      [Frame.delta, delta ? 1 : 0],
      [Frame.causal, causal ? 1 : 0],
      [Frame.decaySize, g?.size ?? 0],
    ],
    floats: [
      [Frame.scale, scaleOf(operation, options.scale, featureMap ? 1 : 1 / Math.sqrt(k.size))],
      [Frame.epsilon, positive(operation, "eps", eps)],
    ],
    cost: q.batch * (v.heads * k.rows + heads * q.rows) * k.size * columns,
  };
}

/** Notes what the call reads. */
export function stageLinear(staging: Staging, call: LinearCall): void {
  const { inputs, decay, beta, state, keyLengths } = call;
  staging.tensor(Frame.query, "query", inputs.query);
  staging.tensor(Frame.key, "key", inputs.key);
  staging.tensor(Frame.value, "value", inputs.value);
  if (decay) staging.tensor(Frame.decay, "decay", decay);
  if (beta) staging.tensor(Frame.beta, "beta", beta);
  if (state) staging.tensor(Frame.state, "state", state);
  if (keyLengths)
    staging.data(Frame.keyLengths, "keyLengths", keyLengths as number[], keyLengths.length);
}

interface Views {
  readonly q: View;
  readonly k: View;
  readonly v: View;
}

function viewsOf(
  operation: string,
  { query, key, value }: Inputs,
  layout: Layout,
  options: LinearRuleOptions,
): Views {
  const [queryHeads, valueHeads] = checkHeads(operation, layout, options);
  const refuse = (argument: string, expected: string, { dims }: Tensor): never => {
    throw new ArgumentError(operation, `${argument}.dims`, expected, describe(dims));
  };
  const q = viewOf(operation, "query", layout, query.dims, queryHeads);
  const given = key.dims.at(-1) as number;
  // Keys may have fewer heads than values: as many as their rows hold.
  const keyHeads = layout === "BLE" && given % q.size === 0 ? Math.max(given / q.size, 1) : 1;
  const k = viewOf(operation, "key", layout, key.dims, keyHeads);
  const v = viewOf(operation, "value", layout, value.dims, valueHeads);
  for (const [argument, tensor] of [["key", key] as const, ["value", value] as const])
    if (tensor.dims.length !== query.dims.length)
      refuse(argument, `the query's rank, ${query.dims.length}`, tensor);
  if (k.batch !== q.batch) refuse("key", `B = ${q.batch}`, key);
  if (v.batch !== q.batch) refuse("value", `B = ${q.batch}`, value);
  if (k.size !== q.size) refuse("key", `D = ${q.size}`, key);
  if (v.rows !== k.rows) refuse("value", `S = ${k.rows}`, value);
  if (v.heads % k.heads) refuse("key", `heads that divide those of the value, ${v.heads}`, key);
  if (q.heads % v.heads && v.heads % q.heads)
    refuse("value", `heads that divide those of the query, ${q.heads}, or a multiple`, value);
  return { q, k, v };
}

/** What one rule needs and another may not have. */
function besides(
  operation: string,
  argument: "decay" | "beta",
  given: unknown,
  needed: boolean,
  rule: UpdateRule,
): Tensor | undefined {
  if (given === undefined && !needed) return undefined;
  if (needed) return checkTensor(operation, argument, given);
  throw new ArgumentError(operation, argument, `no value with "${rule}"`, describe(given));
}

const sameRows = (a: View, b: View) => a.batch === b.batch && a.rows === b.rows;

function refuseBeside(operation: string, argument: string, sizes: string, { dims }: Tensor): never {
  const expected = `the axes of the value, the last of ${sizes} for each head`;
  throw new ArgumentError(operation, `${argument}.dims`, expected, describe(dims));
}

/** One that all heads share stands still from head to head. */
function sharedBy({ heads, strides }: View): Strides {
  return heads === 1 ? { ...strides, head: 0 } : strides;
}

function strideWords(slot: Frame, { batch, head, row }: Strides): Word[] {
  return [
    [slot, batch],
    [slot + 1, head],
    [slot + 2, row],
  ];
}

function dimsOf(layout: Layout, q: View, heads: number, size: number): readonly number[] {
  if (layout === "BLE") return [...q.batchDims, q.rows, heads * size];
  const axes = q.headDims.length ? [heads] : [];
  const rows = layout === "BHLD" ? [...axes, q.rows] : [q.rows, ...axes];
  return [...q.batchDims, ...rows, size];
}

function lengthsOf(
  operation: string,
  given: ArrayLike<number> | undefined,
  { batch, rows }: View,
): readonly number[] | undefined {
  if (given === undefined) return undefined;
  const lengths = numbersOf(given, [batch]);
  if (lengths?.every((length) => Number.isInteger(length) && length >= 0 && length <= rows))
    return lengths;
  const expected = `an integer from 0 to ${rows} for each of ${batch} batches`;
  throw new ArgumentError(operation, "keyLengths", expected, describe(given));
}

function scaleOf(operation: string, given: unknown, usual: number): number {
  if (given === undefined) return usual;
  if (typeof given === "number" && Number.isFinite(Math.fround(given))) return given;
  throw new ArgumentError(operation, "scale", "a finite number", describe(given));
}

function positive(operation: string, argument: string, given: unknown): number {
  if (typeof given === "number" && Number.isFinite(Math.fround(given)) && given >= 0) return given;
  throw new ArgumentError(operation, argument, "a finite number from 0", describe(given));
}
