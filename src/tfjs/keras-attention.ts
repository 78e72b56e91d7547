// Keras's Attention and AdditiveAttention as layers of TensorFlow.js: one head, no projections.
//
//   output = dropout(softmax(scores)) · value · query mask
//   Attention            scores = s·(query·keyᵀ), or w·Σ_d tanh(s·(query + key)); weights scale [], concat_score_weight []
//   AdditiveAttention    scores = Σ_d s[d]·tanh(query + key); weight scale [D]
//
// Each s is 1 without use_scale. The weights are Keras's, in its order.

import {
  dropout,
  matMul,
  mul,
  ones,
  reshape,
  type serialization,
  type Tensor,
  tidy,
  where,
  zerosLike,
} from "@tensorflow/tfjs-core";
import type { SymbolicTensor } from "@tensorflow/tfjs-layers";
import { initializers, type LayerVariable, layers } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import { additiveTensors } from "./additive";
import {
  type AdditiveAttentionArgs,
  type AttentionArgs,
  type AttentionSettings,
  type ClassOfLayer,
  checkAttentionSettings,
  checkScoreMode,
  type KerasAdditiveArguments,
  type KerasAttentionArguments,
} from "./keras-attention-config";
import {
  type AttentionInputs,
  attentionInputs,
  checkAttentionShapes,
  checkAttentionTypes,
} from "./keras-attention-inputs";
import { camelCase, type Given, isTraining, layerName, seedsFrom } from "./layer-arguments";
import { isSymbolic, type Shape } from "./layer-axes";
import { booleanOf } from "./layer-mask";
import { attendTensors } from "./scaled-dot-product";

type TensorflowShape = (number | null)[];
type Keywords = Record<string, unknown>;

/** Scores by a tanh: what is added within it, and v in front of it. */
interface Additive {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly scoreWeight?: Tensor | undefined;
}

/** What both have in common; which scores are computed is the class's. */
abstract class SingleHead extends layers.Layer {
  #settings: AttentionSettings;
  #of: ClassOfLayer;
  #nextSeed: () => number;

  protected constructor(of: ClassOfLayer, given: Given) {
    const settings = checkAttentionSettings(of, given);
    super(given as AttentionArgs);
    this.supportsMasking = true;
    this.#of = of;
    this.#settings = settings;
    this.#nextSeed = seedsFrom(settings.seed);
  }

  protected get operation(): string {
    return layerName(this.#of.name, this.name);
  }

  protected get usesScale(): boolean {
    return this.#settings.useScale;
  }

  /** The query of products, or what is added within a tanh. */
  protected abstract scored(query: Tensor, key: Tensor): { readonly product: Tensor } | Additive;

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
    checkAttentionTypes(this.operation, this.#inputs(list));
    // A model hands down its own keywords; its mask, one tensor, may be that of an earlier layer.
    const isKnown = (name: string, value: unknown) =>
      !symbolic && (name === "training" || (name === "mask" && !Array.isArray(value)));
    for (const [name, value] of Object.entries(kwargs ?? {})) {
      if (isKnown(name, value) || value === null || value === undefined) continue;
      const expected =
        "no keyword: masks are inputs, with queryMask and valueMask: true, the rest arguments of the" +
        " constructor (a model of Keras is loaded through fromKeras)";
      throw new ArgumentError(this.operation, name, expected, describe(value));
    }
    return super.apply(inputs, kwargs ?? {});
  }

  /**
   * query [B, L, D], value [B, S, Dv] and key [B, S, D] → [B, L, Dv], and with `returnAttentionScores` the
   * weights [B, L, S] (after dropout) beside it. The key is the value unless given. With `queryMask` and
   * `valueMask` the last inputs are masks [B, L] and [B, S], in this order; what is not 0 takes part. A query
   * that sees no key gets 0.
   *
   * @throws ArgumentError for inputs that do not fit, before `build` and before `registerAttention`;
   * DisposedError after the engine's `dispose`.
   */
  override call(inputs: Tensor | Tensor[], kwargs?: Keywords | null): Tensor | Tensor[] {
    const { operation } = this;
    const given = this.#inputs(Array.isArray(inputs) ? inputs : [inputs]);
    checkAttentionTypes(operation, given);
    checkAttentionShapes(operation, given);
    if (!this.built) {
      const expected = "build(shapes) beforehand, or apply(inputs), which builds";
      throw new ArgumentError(operation, "weights", expected, "none");
    }
    const { returnAttentionScores } = this.#settings;
    const drops = isTraining(operation, kwargs?.training) && this.#settings.dropout > 0;
    return tidy(() => {
      const { query, value } = given;
      const [mixed, weights] = this.#attend(given, drops);
      const [batch, length] = query.shape as [number, number];
      const { queryMask } = given;
      const output = queryMask
        ? mul(mixed, reshape(booleanOf(queryMask), [batch, length, 1]))
        : mixed;
      const keys = value.shape[1] as number;
      return returnAttentionScores
        ? [output, reshape(weights as Tensor, [batch, length, keys])]
        : output;
    });
  }

  /** → output and, where they are returned, weights. */
  #attend({ query, value, key, valueMask }: AttentionInputs<Tensor>, drops: boolean): Tensor[] {
    const { operation } = this;
    const { useCausalMask: causal, returnAttentionScores, dropout: share } = this.#settings;
    const [batch, keys] = value.shape as [number, number];
    const mask = valueMask && { mask: reshape(booleanOf(valueMask), [batch, 1, 1, keys]) };
    const scored = this.scored(query, key);
    if ("product" in scored) {
      const options = {
        layout: "BLE" as const,
        ...{ heads: 1, scale: 1, causal, ...mask },
        ...(drops && { dropout: { probability: share, seed: this.#nextSeed() } }),
      };
      const tensors = [scored.product, key, value] as const;
      const [output, , weights] = attendTensors(operation, tensors, options, returnAttentionScores);
      return [output, weights] as Tensor[];
    }
    const { scoreWeight } = scored;
    const options = { scoreWeight, ...mask, causal, weights: drops || returnAttentionScores };
    const tensors = [scored.query, scored.key, value] as const;
    const [output, weights] = additiveTensors(operation, tensors, options);
    if (!drops) return [output, weights] as Tensor[];
    const rows = reshape(weights as Tensor, [batch, -1, keys]);
    const left = dropout(rows, share, undefined, this.#nextSeed());
    if (!mask) return [matMul(left, value), left];
    // 0 times what a masked value holds is not always 0.
    const seen = where(reshape(mask.mask, [batch, keys, 1]), value, zerosLike(value));
    return [matMul(left, seen), left];
  }

  #inputs<T>(list: readonly T[]): AttentionInputs<T> {
    return attentionInputs(this.operation, list, this.#settings);
  }

  override computeOutputShape(
    inputShape: TensorflowShape | TensorflowShape[],
  ): TensorflowShape | TensorflowShape[] {
    const { query, value } = this.shapesOf(inputShape);
    const output = [...query.slice(0, -1), value.at(-1) as number | null];
    const scores = [...query.slice(0, -1), value[1] as number | null];
    return this.#settings.returnAttentionScores ? [output, scores] : output;
  }

  /** @throws ArgumentError unless they fit each other. */
  protected shapesOf(inputShape: TensorflowShape | TensorflowShape[]): AttentionInputs<Shape> {
    const shapes = Array.isArray(inputShape[0]) ? inputShape : [inputShape];
    const inputs = this.#inputs(shapes as TensorflowShape[]);
    checkAttentionShapes(this.operation, inputs);
    return inputs;
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
        "no mask from an earlier layer: give it as an input, with queryMask or valueMask: true";
      throw new ArgumentError(this.operation, "mask", expected, `one of input ${given}`);
    }
    const none = null as unknown as Tensor;
    return this.#settings.returnAttentionScores ? [none, none] : none;
  }

  override getConfig(): serialization.ConfigDict {
    return { ...this.#settings, ...super.getConfig() };
  }
}

/**
 * Keras's `Attention` as a layer of TensorFlow.js (Luong et al. 2015): query [B, L, D], value [B, S, Dv] and
 * key [B, S, D] → [B, L, Dv], without projections. Its masks, keywords of the call in Keras, are inputs, and
 * its other keywords arguments here. `scoreMode: "concat"` asks for the extension `variants`.
 */
export class Attention extends SingleHead {
  /** @nocollapse */
  static readonly className: string = "Attention";
  #scoreMode: "dot" | "concat";
  #scale: LayerVariable | undefined;
  #scoreWeight: LayerVariable | undefined;

  /** @throws ArgumentError for an argument that is unknown, of the wrong type or out of range. */
  constructor(args: AttentionArgs | KerasAttentionArguments = {}) {
    const name = "Attention";
    const { scoreMode, ...given } = camelCase(name, args, "{ useScale?, scoreMode?, … }");
    const checked = checkScoreMode(layerName(name, given.name), { scoreMode });
    super({ name, useScale: false, besides: ["scoreMode"] }, given);
    this.#scoreMode = checked;
  }

  /** Makes the weights. */
  override build(inputShape: TensorflowShape | TensorflowShape[]): void {
    this.shapesOf(inputShape);
    const add = (name: string) => this.addWeight(name, [], "float32", initializers.ones());
    if (this.usesScale) this.#scale = add("scale");
    if (this.#scoreMode === "concat") this.#scoreWeight = add("concat_score_weight");
    super.build(inputShape);
  }

  protected override scored(query: Tensor, key: Tensor) {
    const scale = this.#scale?.read();
    const scaled = (x: Tensor) => (scale ? mul(x, scale) : x) as Tensor;
    if (this.#scoreMode === "dot") return { product: scaled(query) };
    const factor = (this.#scoreWeight as LayerVariable).read();
    const scoreWeight = mul(ones([query.shape[2] as number]), factor) as Tensor;
    return { query: scaled(query), key: scaled(key), scoreWeight };
  }

  override getConfig(): serialization.ConfigDict {
    return { scoreMode: this.#scoreMode, ...super.getConfig() };
  }
}

/**
 * Keras's `AdditiveAttention` as a layer of TensorFlow.js (Bahdanau et al. 2015): scores by a tanh of query +
 * key, no tensor [B, L, S, D] in memory. Inputs, masks and arguments as of `Attention`; `useScale` is true by
 * default. It asks for the extension `variants`.
 */
export class AdditiveAttention extends SingleHead {
  /** @nocollapse */
  static readonly className: string = "AdditiveAttention";
  #scale: LayerVariable | undefined;

  /** @throws ArgumentError for an argument that is unknown, of the wrong type or out of range. */
  constructor(args: AdditiveAttentionArgs | KerasAdditiveArguments = {}) {
    const name = "AdditiveAttention";
    super(
      { name, useScale: true, besides: [] },
      camelCase(name, args, "{ useScale?, dropout?, … }"),
    );
  }

  /** Makes the weight. */
  override build(inputShape: TensorflowShape | TensorflowShape[]): void {
    const { query } = this.shapesOf(inputShape);
    const [, , size] = query;
    if (this.usesScale) {
      if (!size) {
        const expected = "a known last axis";
        throw new ArgumentError(this.operation, "query.shape", expected, describe(query));
      }
      // Keras's Glorot of one axis, where TensorFlow.js counts its root as fan.
      const bound = Math.sqrt(3 / size);
      const uniform = initializers.randomUniform({ minval: -bound, maxval: bound });
      this.#scale = this.addWeight("scale", [size], "float32", uniform);
    }
    super.build(inputShape);
  }

  protected override scored(query: Tensor, key: Tensor) {
    return { query, key, scoreWeight: this.#scale?.read() };
  }
}
