// Keras's MultiHeadAttention as a layer of TensorFlow.js, its projections and its attention in our
// kernels.
//
//   output = attend( query·Wq + bq, key·Wk + bk, value·Wv + bv ) · Wo + bo
//
// The weights are Keras's, in its order: query/kernel [Eq, H, D], query/bias [H, D], key, value
// [Ev, H, Dv], attention_output/kernel [H, Dv, E] and its bias [E].

import {
  cast,
  notEqual,
  reshape,
  type serialization,
  type Tensor,
  tidy,
} from "@tensorflow/tfjs-core";
import { type LayerVariable, layers, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import { batchAxes, checkShapes, foldedDims, type Shape } from "./layer-axes";
import {
  camelCase,
  checkSettings,
  type KerasArguments,
  type LayerSettings,
  type MultiHeadAttentionArgs,
  ofWeights,
} from "./layer-config";
import { linear } from "./linear";
import { attendTensors } from "./scaled-dot-product";

const NAME = "MultiHeadAttention";

type TensorflowShape = (number | null)[];
type Keywords = Record<string, unknown>;
type Projection = "query" | "key" | "value" | "attention_output";

/** What an input is. */
interface Inputs<T> {
  readonly query: T;
  readonly value: T;
  readonly key: T;
  readonly mask: T | undefined;
}

/**
 * Keras's `MultiHeadAttention` as a layer of TensorFlow.js: query [B, L, Eq], value [B, S, Ev] and key
 * [B, S, Ek] → [B, L, E], each input projected to H heads, attended, and projected back. What Keras
 * takes as keywords of the call are inputs (value, key, a mask) and arguments here.
 */
export class MultiHeadAttention extends layers.Layer {
  /** @nocollapse */
  static readonly className: string = NAME;
  #settings: LayerSettings;
  /** A dense layer that is never called: it reads and writes down what Keras says of weights. */
  #weightSettings: ReturnType<typeof layers.dense>;
  #projections: Partial<Record<Projection, { kernel: LayerVariable; bias?: LayerVariable }>> = {};
  #seed: number;
  #calls = 0;

  /**
   * @throws ArgumentError for an argument that is unknown, of the wrong type or out of range.
   */
  constructor(args: MultiHeadAttentionArgs | KerasArguments) {
    const given = camelCase(args);
    const settings = checkSettings(given);
    super(given as unknown as MultiHeadAttentionArgs);
    this.supportsMasking = true;
    this.#settings = settings;
    const chosen = ofWeights.map((name) => [name, given[name]]);
    this.#weightSettings = layers.dense({
      units: 1,
      name: `${this.name}/settings`,
      kernelInitializer: "glorotUniform", // Keras's, where TensorFlow.js has glorotNormal
      ...Object.fromEntries(chosen.filter(([, value]) => value !== undefined)),
    });
    this.#seed = settings.seed ?? Math.floor(Math.random() * 2 ** 32);
  }

  /** Makes the weights, of the sizes of query, value and key. */
  override build(inputShape: TensorflowShape | TensorflowShape[]): void {
    const { query, value, key, mask } = this.#inputs(shapesOf(inputShape));
    const { numHeads, keyDim, valueDim } = this.#settings;
    this.#checkShapes({ query, value, key, mask });
    const features = (argument: string, shape: Shape) => {
      const size = shape.at(-1);
      if (size) return size;
      throw new ArgumentError(NAME, `${argument}.shape`, "a known last axis", describe(shape));
    };
    this.#add("query", [features("query", query), numHeads, keyDim], 1);
    this.#add("key", [features("key", key), numHeads, keyDim], 1);
    this.#add("value", [features("value", value), numHeads, valueDim], 1);
    const outputs = this.#settings.outputShape ?? [features("query", query)];
    this.#add("attention_output", [numHeads, valueDim, ...outputs], 2);
    super.build(inputShape);
  }

  /** A kernel whose first `contracted` axes are multiplied away, and a bias for the others. */
  #add(name: Projection, shape: number[], contracted: number): void {
    const of = this.#weightSettings;
    const add = (kind: "kernel" | "bias", dims: number[]) =>
      this.addWeight(
        `${name}/${kind}`,
        dims,
        "float32",
        of[`${kind}Initializer`],
        of[`${kind}Regularizer`],
        true,
        of[`${kind}Constraint`],
      );
    const kernel = add("kernel", shape);
    const bias = this.#settings.useBias && add("bias", shape.slice(contracted));
    this.#projections[name] = { kernel, ...(bias && { bias }) };
  }

  /**
   * On symbolic tensors: the layer's place in a model. On tensors: `call`.
   *
   * @throws ArgumentError for keywords on symbolic tensors, which a model would not pass on.
   */
  override apply(
    inputs: Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[],
    kwargs?: Keywords | null,
  ): Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[] {
    const first = Array.isArray(inputs) ? inputs[0] : inputs;
    const symbolic = typeof first === "object" && first !== null && "sourceLayer" in first;
    // A model hands down its own keywords; its mask may be that of an earlier layer.
    const known = symbolic ? [] : ["training", "mask"];
    for (const [name, value] of Object.entries(kwargs ?? {})) {
      if (known.includes(name) || value === null || value === undefined) continue;
      const expected =
        "no keyword: value, key and mask are inputs, the rest arguments of the constructor" +
        " (a model of Keras is loaded through fromKeras)";
      throw new ArgumentError(NAME, name, expected, describe(value));
    }
    return super.apply(inputs, kwargs ?? {});
  }

  /**
   * query [B, L, Eq], value [B, S, Ev] and key [B, S, Ek] → [B, L, E], and with
   * `returnAttentionScores` the weights [B, H, L, S] (after dropout) beside it. The value is the query
   * unless given, the key is the value unless given. With `attentionMask` the last input is a mask:
   * [B, S] for the keys, [B, L, S] or [B, H, L, S]; what is not 0 takes part. A query that sees no key
   * gets the bias of the output.
   *
   * @throws ArgumentError for inputs that do not fit, and before `registerAttention`.
   */
  override call(inputs: Tensor | Tensor[], kwargs?: Keywords | null): Tensor | Tensor[] {
    const { query, value, key, mask } = this.#inputs(Array.isArray(inputs) ? inputs : [inputs]);
    const batches = this.#checkShapes({
      query: query.shape,
      value: value.shape,
      key: key.shape,
      mask: mask?.shape,
    });
    for (const [name, x] of Object.entries({ query, key, value })) this.#checkFeatures(name, x);
    const { numHeads, dropout, useCausalMask, returnAttentionScores } = this.#settings;
    const drops = kwargs?.training === true && dropout > 0;
    return tidy(() => {
      const heads = (name: Projection, x: Tensor) =>
        this.#project(name, reshape(x, foldedDims(x.shape, batches)), 1);
      const [mixed, , weights] = attendTensors(
        heads("query", query),
        heads("key", key),
        heads("value", value),
        {
          layout: "BLE",
          heads: numHeads,
          causal: useCausalMask,
          ...(mask && { mask: boolean(mask) }),
          ...(drops && { dropout: { probability: dropout, seed: this.#nextSeed() } }),
        },
        returnAttentionScores,
      );
      const output = this.#project("attention_output", mixed as Tensor, 2);
      const sizes = this.#projections.attention_output?.kernel.shape.slice(2) as number[];
      const whole = reshape(output, [...query.shape.slice(0, -1), ...sizes]);
      return weights ? [whole, weights] : whole;
    });
  }

  #checkFeatures(name: string, { shape }: Tensor): void {
    const [features] = this.#projections[name as Projection]?.kernel.shape ?? [];
    if (shape.at(-1) === features) return;
    throw new ArgumentError(
      NAME,
      `${name}.shape`,
      `[B, …, L, E] with E = ${features}`,
      describe(shape),
    );
  }

  #project(name: Projection, x: Tensor, contracted: number): Tensor {
    const { kernel, bias } = this.#projections[name] as {
      kernel: LayerVariable;
      bias?: LayerVariable;
    };
    const inputs = kernel.shape.slice(0, contracted).reduce((a, b) => (a ?? 1) * (b ?? 1), 1);
    const matrix = reshape(kernel.read(), [inputs as number, -1]);
    return linear(x, matrix, bias && reshape(bias.read(), [-1]));
  }

  /** The generator mixes well: neighbouring seeds drop weights that have nothing in common. */
  #nextSeed(): number {
    return this.#seed + 2 ** 32 * (this.#calls++ % 2 ** 20);
  }

  override computeOutputShape(
    inputShape: TensorflowShape | TensorflowShape[],
  ): TensorflowShape | TensorflowShape[] {
    const { query, value } = this.#inputs(shapesOf(inputShape));
    const { outputShape, returnAttentionScores, numHeads } = this.#settings;
    const output = outputShape ? [...query.slice(0, -1), ...outputShape] : [...query];
    if (!returnAttentionScores) return output;
    return [output, [query[0] ?? null, numHeads, query[1] ?? null, value[1] ?? null]];
  }

  /**
   * No mask goes on from here.
   *
   * @throws ArgumentError for a mask that comes with an input: TensorFlow.js tells `call` of the first
   * input's only, and of those of earlier layers too.
   */
  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | Tensor[] {
    const masks = Array.isArray(mask) ? mask : [mask];
    const given = masks.findIndex((one) => one !== null && one !== undefined);
    if (given >= 0) {
      const expected =
        "no mask from an earlier layer: give it as the last input, with attentionMask: true";
      throw new ArgumentError(NAME, "mask", expected, `one of input ${given}`);
    }
    const none = null as unknown as Tensor;
    return this.#settings.returnAttentionScores ? [none, none] : none;
  }

  override getConfig(): serialization.ConfigDict {
    const { outputShape, attentionAxes, ...settings } = this.#settings;
    const weights = this.#weightSettings.getConfig();
    const ofOurs = Object.fromEntries(ofWeights.map((name) => [name, weights[name] ?? null]));
    return {
      ...settings,
      outputShape: outputShape && [...outputShape],
      attentionAxes: attentionAxes && [...attentionAxes],
      ...ofOurs,
      ...super.getConfig(),
    };
  }

  #inputs<T>(list: readonly T[]): Inputs<T> {
    const { attentionMask } = this.#settings;
    const tensors = attentionMask ? list.slice(0, -1) : list;
    if (tensors.length < 1 || tensors.length > 3) {
      const expected = `query, value and key${attentionMask ? ", and a mask" : ""}`;
      throw new ArgumentError(NAME, "inputs", expected, `${list.length} inputs`);
    }
    const [query, value = query, key = value] = tensors as [T, T?, T?];
    return { query, value, key, mask: attentionMask ? list.at(-1) : undefined };
  }

  /** @returns How many axes are batches. */
  #checkShapes({ query, value, key, mask }: Inputs<Shape>): number {
    const { attentionAxes, useCausalMask, returnAttentionScores } = this.#settings;
    const batches = batchAxes(query.length, attentionAxes);
    checkShapes(query, value, key, batches);
    const two = { useCausalMask, returnAttentionScores, attentionMask: mask !== undefined };
    for (const [name, wanted] of Object.entries(two)) {
      if (!wanted || query.length === 3) continue;
      throw new ArgumentError(NAME, name, "false for more axes than [B, L, E]", "true");
    }
    if (mask && (mask.length < 2 || mask.length > 4)) {
      const expected = "[B, S], [B, L, S] or [B, H, L, S]";
      throw new ArgumentError(NAME, "mask.shape", expected, describe(mask));
    }
    return batches;
  }
}

function shapesOf(shape: TensorflowShape | TensorflowShape[]): TensorflowShape[] {
  return Array.isArray(shape[0]) ? (shape as TensorflowShape[]) : [shape as TensorflowShape];
}

/** [B, S], [B, L, S] or [B, H, L, S] as [B, H|1, L|1, S], in one byte each. */
function boolean(mask: Tensor): Tensor {
  const [batch, ...rest] = mask.shape as [number, ...number[]];
  const whole = reshape(mask, [batch, ...Array<number>(3 - rest.length).fill(1), ...rest]);
  return whole.dtype === "bool" ? whole : notEqual(cast(whole, "float32"), 0);
}
