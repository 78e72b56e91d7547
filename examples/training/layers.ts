// Learnt layers on wasm-attention's own: a projection, and pre-norm blocks of an encoder and a decoder.

import {
  type Attention,
  type LayerWeights,
  linear,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
} from "wasm-attention";
import {
  type DecoderForwardOptions,
  type EncoderForwardOptions,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerGradients,
  type TransformerLayer,
  type TransformerRecord,
  type TransformerResult,
  type TransformerTargets,
  transformerBackward,
} from "wasm-attention/blocks";
import { linearBackward } from "wasm-attention/training";
import { gather, type Parameter, parameter } from "./block";
import type { Random } from "./random";
import type { Workspace } from "./workspace";

/** Glorot and Bengio 2010: uniform in ±√(6 / (in + out)). */
function weight(inputs: number, outputs: number, random: Random): Parameter {
  return parameter([inputs, outputs], random, Math.sqrt(6 / (inputs + outputs)));
}

/** x · W + b. */
export class Linear {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"training">;
  readonly #weight: Parameter;
  readonly #bias: Parameter;
  readonly #prepared: PreparedLinear;
  #input: Tensor | undefined;

  constructor(attention: Attention<"training">, inputs: number, outputs: number, random: Random) {
    this.#attention = attention;
    this.#weight = weight(inputs, outputs, random);
    this.#bias = parameter([outputs], random, 0);
    this.parameters = [this.#weight, this.#bias];
    this.#prepared = prepareLinear(attention, this.#weight, {
      order: "in,out",
      bias: this.#bias.data,
    });
  }

  forward(x: Tensor, workspace?: Workspace): Tensor {
    this.#input = x;
    const out = workspace?.make([...x.dims.slice(0, -1), this.#prepared.outputSize]);
    return linear(this.#attention, x, this.#prepared, { out });
  }

  backward(gradient: Tensor, workspace?: Workspace): Tensor {
    const x = this.#input as Tensor;
    const options = { out: { input: workspace?.make(x.dims) } };
    const { inputGradient, weightGradient, biasGradient } = linearBackward(
      this.#attention,
      gradient,
      x,
      this.#prepared,
      options,
    );
    gather(this.#weight, weightGradient);
    gather(this.#bias, biasGradient);
    return inputGradient as Tensor;
  }

  /** After the parameters have moved. */
  update(): void {
    this.#prepared.update(this.#weight, this.#bias.data);
  }

  dispose(): void {
    this.#prepared.dispose();
  }
}

const PROJECTIONS = ["query", "key", "value", "output"] as const;

/** A matrix and its bias, or the factors and addends of a norm. */
interface Pair {
  readonly weight: Parameter;
  readonly bias: Parameter;
}

const pair = (weight: Parameter, bias: Parameter) => ({ weight, order: "in,out" as const, bias });

const matrix = (inputs: number, outputs: number, random: Random) =>
  pair(weight(inputs, outputs, random), parameter([outputs], random, 0));

const norm = (size: number, random: Random): Pair => ({
  weight: parameter([size], random, 0, 1),
  bias: parameter([size], random, 0),
});

const both = ({ weight, bias }: Pair) => [weight, bias];

type Four = Record<keyof LayerWeights, ReturnType<typeof pair>>;

/** The four projections of an attention; weights come before biases. */
function projections(size: number, random: Random): Four {
  const weights = PROJECTIONS.map(() => weight(size, size, random));
  const biases = PROJECTIONS.map(() => parameter([size], random, 0));
  const four = PROJECTIONS.map((name, i) => [name, pair(weights[i], biases[i])]);
  return Object.fromEntries(four) as Four;
}

const parametersOf = (four: Four) => [
  ...PROJECTIONS.map((name) => four[name].weight),
  ...PROJECTIONS.map((name) => four[name].bias),
];

export interface BlockShape {
  readonly size: number;
  readonly heads: number;
  /** Between the two projections of the feed-forward part. */
  readonly hidden: number;
}

type Learnt = Readonly<Record<string, Pair | Four>>;

/** Where the gradients of parameters go: each parameter keeps its own. */
function targetsOf(learnt: Learnt): TransformerTargets {
  const both = ({ weight, bias }: Pair) => ({ weight: weight.gradient, bias: bias.gradient });
  const each = Object.entries(learnt).map(([name, part]) => {
    if ("weight" in part) return [name, both(part)];
    return [name, Object.fromEntries(PROJECTIONS.map((of) => [of, both(part[of])]))];
  });
  return Object.fromEntries(each);
}

/** A layer of wasm-attention/blocks, its parameters, and what its last pass has kept. */
abstract class LearntLayer<Layer extends TransformerLayer> {
  abstract readonly parameters: readonly Parameter[];
  protected readonly layer: Layer;
  readonly #weights: Learnt;
  #record: TransformerRecord | undefined;

  constructor(layer: Layer, weights: Learnt) {
    this.layer = layer;
    this.#weights = weights;
  }

  protected keep(result: TransformerResult): TransformerResult {
    this.#record?.dispose();
    this.#record = result.record;
    return result;
  }

  /** Adds to the parameters' gradients; those of what the layer was given. */
  protected back(gradient: Tensor): TransformerGradients {
    const record = this.#record as TransformerRecord;
    const out = { weights: targetsOf(this.#weights) };
    return transformerBackward(this.layer, gradient, record, { out, accumulate: true });
  }

  /** After the parameters have moved. */
  update(): void {
    this.layer.update(this.#weights);
  }

  dispose(): void {
    this.#record?.dispose();
    this.layer.dispose();
  }
}

/** x + heads(norm(x)), then x + contract(relu(expand(norm(x)))): a pre-norm block. */
export class Block extends LearntLayer<TransformerEncoderLayer> {
  readonly parameters: readonly Parameter[];

  constructor(
    attention: Attention<"blocks" | "training">,
    { size, heads, hidden }: BlockShape,
    random: Random,
  ) {
    const norm1 = norm(size, random);
    const selfAttention = projections(size, random);
    const norm2 = norm(size, random);
    const [linear1, linear2] = [matrix(size, hidden, random), matrix(hidden, size, random)];
    const weights = { selfAttention, linear1, linear2, norm1, norm2 };
    super(new TransformerEncoderLayer(attention, { heads, normFirst: true }, weights), weights);
    this.parameters = [
      ...[both(norm1), parametersOf(selfAttention), both(norm2)],
      ...[both(linear1), both(linear2)],
    ].flat();
  }

  /** With `record: true` for `backward`. */
  forward(x: Tensor, options: EncoderForwardOptions): TransformerResult {
    return this.keep(this.layer.forward(x, options));
  }

  backward(gradient: Tensor): Tensor {
    return this.back(gradient).inputGradient;
  }
}

/** A block that also attends to a memory, between its two parts. */
export class DecoderBlock extends LearntLayer<TransformerDecoderLayer> {
  readonly parameters: readonly Parameter[];

  constructor(
    attention: Attention<"blocks" | "training">,
    { size, heads, hidden }: BlockShape,
    random: Random,
  ) {
    const norm1 = norm(size, random);
    const selfAttention = projections(size, random);
    const norm2 = norm(size, random);
    const crossAttention = projections(size, random);
    const norm3 = norm(size, random);
    const [linear1, linear2] = [matrix(size, hidden, random), matrix(hidden, size, random)];
    const weights = { selfAttention, crossAttention, linear1, linear2, norm1, norm2, norm3 };
    super(new TransformerDecoderLayer(attention, { heads, normFirst: true }, weights), weights);
    this.parameters = [
      ...[both(norm1), parametersOf(selfAttention)],
      ...[both(norm2), parametersOf(crossAttention)],
      ...[both(norm3), both(linear1), both(linear2)],
    ].flat();
  }

  /** With `record: true` for `backward`; without a memory where `options.cross.cache` has it. */
  forward(
    x: Tensor,
    memory: Tensor | undefined,
    options: DecoderForwardOptions,
  ): TransformerResult {
    return this.keep(this.layer.forward(x, memory, options));
  }

  /** Gradients of x and of the memory. */
  backward(gradient: Tensor): { x: Tensor; memory: Tensor } {
    const { inputGradient, memoryGradient } = this.back(gradient);
    return { x: inputGradient, memory: memoryGradient as Tensor };
  }
}
