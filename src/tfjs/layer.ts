// Keras's MultiHeadAttention as a layer of TensorFlow.js, its projections and its attention in our
// kernels.
//
//   output = attend( query·Wq + bq, key·Wk + bk, value·Wv + bv ) · Wo + bo
//
// The weights are Keras's, in its order: query/kernel [Eq, H, D], query/bias [H, D], key, value
// [Ev, H, Dv], attention_output/kernel [H, Dv, E] and its bias [E].

import { reshape, type serialization, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { type LayerVariable, layers, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import { isTraining, seedsFrom } from "./layer-arguments";
import {
  batchAxes,
  checkKey,
  checkShapes,
  checkTypes,
  foldedDims,
  type Inputs,
  inputsOf,
  isSymbolic,
  type Shape,
} from "./layer-axes";
import {
  camelCase,
  checkSettings,
  type KerasArguments,
  type LayerSettings,
  type MultiHeadAttentionArgs,
  ofWeights,
  operationOf,
} from "./layer-config";
import { foldMask, maskShape, type ScoreAxes } from "./layer-mask";
import { multiply } from "./linear";
import { attendTensors } from "./scaled-dot-product";

const NAME = "MultiHeadAttention";

type TensorflowShape = (number | null)[];
type Keywords = Record<string, unknown>;
type Projection = "query" | "key" | "value" | "attention_output";

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
  #nextSeed: () => number;

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
    this.#nextSeed = seedsFrom(settings.seed);
  }

  /** Makes the weights, of the sizes of query, value and key. */
  override build(inputShape: TensorflowShape | TensorflowShape[]): void {
    const { query, value, key, mask } = this.#inputs(shapesOf(inputShape));
    const { numHeads, keyDim, valueDim } = this.#settings;
    const axes = this.#axes({ query, value, key, mask });
    if (mask) maskShape(this.#operation, this.#maskForm, mask, axes);
    const features = (argument: string, shape: Shape) => {
      const size = shape.at(-1);
      if (size) return size;
      throw new ArgumentError(
        this.#operation,
        `${argument}.shape`,
        "a known last axis",
        describe(shape),
      );
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
    const list: readonly unknown[] = Array.isArray(inputs) ? inputs : [inputs];
    const symbolic = list.some(isSymbolic);
    if (symbolic) checkTypes(this.#operation, inputsOf(this.#operation, list, this.#masked));
    // A model hands down its own keywords; its mask may be that of an earlier layer.
    const known = symbolic ? [] : ["training", "mask"];
    for (const [name, value] of Object.entries(kwargs ?? {})) {
      if (known.includes(name) || value === null || value === undefined) continue;
      const expected =
        "no keyword: value, key and mask are inputs, the rest arguments of the constructor" +
        " (a model of Keras is loaded through fromKeras)";
      throw new ArgumentError(this.#operation, name, expected, describe(value));
    }
    return super.apply(inputs, kwargs ?? {});
  }

  /**
   * query [B, L, Eq], value [B, S, Ev] and key [B, S, Ek] → [B, L, E], and with
   * `returnAttentionScores` the weights [B, H, L, S] (after dropout) beside it. The value is the query
   * unless given, the key is the value unless given. With `attentionMask` the last input is a mask,
   * broadcast over the weights: [B, S] for the keys, [L, S], [B, L, S] or [B, H, L, S]; what is not 0
   * takes part. A query that sees no key gets the bias of the output.
   *
   * Inputs of more axes are [B, …free, …attended, E], weights [B, …free, H, …L, …S]; with
   * `useCausalMask` what comes before is what lies before in the order of the elements.
   *
   * @throws ArgumentError for inputs that do not fit, before `build` and before `registerAttention`;
   * DisposedError after the engine's `dispose`.
   */
  override call(inputs: Tensor | Tensor[], kwargs?: Keywords | null): Tensor | Tensor[] {
    const operation = this.#operation;
    const list = Array.isArray(inputs) ? inputs : [inputs];
    const { query, value, key, mask } = inputsOf(operation, list, this.#masked);
    checkTypes(operation, { query, value, key, mask });
    if (!this.built) {
      const expected = "build(shapes) beforehand, or apply(inputs), which builds";
      throw new ArgumentError(operation, "weights", expected, "none");
    }
    const shapes = { query: query.shape, value: value.shape, key: key.shape, mask: mask?.shape };
    const axes = this.#axes(shapes);
    for (const [name, x] of Object.entries({ query, key, value })) this.#checkFeatures(name, x);
    const { numHeads, dropout, useCausalMask, returnAttentionScores } = this.#settings;
    if (this.#settings.attentionMask === null) checkKey(operation, { query, value, key, mask });
    const drops = isTraining(operation, kwargs?.training) && dropout > 0;
    const seen = mask && maskShape(operation, this.#maskForm, mask.shape, axes);
    const batches = axes.batches.length;
    return tidy(() => {
      const heads = (name: Projection, x: Tensor) =>
        this.#project(name, reshape(x, foldedDims(x.shape, batches)), 1);
      const [mixed, , weights] = attendTensors(
        operation,
        [heads("query", query), heads("key", key), heads("value", value)],
        {
          layout: "BLE",
          heads: numHeads,
          causal: useCausalMask,
          ...(mask && { mask: foldMask(mask, seen as number[], axes) }),
          ...(drops && { dropout: { probability: dropout, seed: this.#nextSeed() } }),
        },
        returnAttentionScores,
      );
      const output = this.#project("attention_output", mixed as Tensor, 2);
      const sizes = this.#projections.attention_output?.kernel.shape.slice(2) as number[];
      const whole = reshape(output, [...query.shape.slice(0, -1), ...sizes]);
      return weights ? [whole, reshape(weights, scoresShape(axes) as number[])] : whole;
    });
  }

  get #operation(): string {
    return operationOf(this.name);
  }

  get #masked(): boolean {
    return Boolean(this.#settings.attentionMask);
  }

  get #maskForm() {
    return this.#settings.attentionMask || true;
  }

  #checkFeatures(name: string, { shape }: Tensor): void {
    const [features] = this.#projections[name as Projection]?.kernel.shape ?? [];
    if (shape.at(-1) === features) return;
    const expected = `[B, …, L, E] with E = ${features}`;
    throw new ArgumentError(this.#operation, `${name}.shape`, expected, describe(shape));
  }

  #project(name: Projection, x: Tensor, contracted: number): Tensor {
    const { kernel, bias } = this.#projections[name] as {
      kernel: LayerVariable;
      bias?: LayerVariable;
    };
    const inputs = kernel.shape.slice(0, contracted).reduce((a, b) => (a ?? 1) * (b ?? 1), 1);
    const matrix = reshape(kernel.read(), [inputs as number, -1]);
    return multiply(this.#operation, x, matrix, bias && reshape(bias.read(), [-1]));
  }

  override computeOutputShape(
    inputShape: TensorflowShape | TensorflowShape[],
  ): TensorflowShape | TensorflowShape[] {
    const inputs = this.#inputs(shapesOf(inputShape));
    const { outputShape, returnAttentionScores } = this.#settings;
    const { query } = inputs;
    const output = outputShape ? [...query.slice(0, -1), ...outputShape] : [...query];
    return returnAttentionScores ? [output, scoresShape(this.#axes(inputs))] : output;
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
      throw new ArgumentError(this.#operation, "mask", expected, `one of input ${given}`);
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

  #inputs(list: readonly TensorflowShape[]): Inputs<TensorflowShape> {
    return inputsOf(this.#operation, list, this.#masked);
  }

  /** The axes of the scores. */
  #axes({ query, value, key, mask }: Inputs<Shape>): ScoreAxes {
    const batches = batchAxes(this.#operation, query.length, this.#settings.attentionAxes);
    checkShapes(this.#operation, { query, value, key, mask }, batches);
    return {
      batches: query.slice(0, batches),
      heads: this.#settings.numHeads,
      queries: query.slice(batches, -1),
      keys: value.slice(batches, -1),
    };
  }
}

function scoresShape({ batches, heads, queries, keys }: ScoreAxes): TensorflowShape {
  return [...batches, heads, ...queries, ...keys];
}

function shapesOf(shape: TensorflowShape | TensorflowShape[]): TensorflowShape[] {
  return Array.isArray(shape[0]) ? (shape as TensorflowShape[]) : [shape as TensorflowShape];
}
