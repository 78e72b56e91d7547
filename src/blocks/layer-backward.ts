// A transformer layer backward: its sublayers from the last to the first, each by what the forward pass kept.
//
//   y = s + f(norm(s))   df = dy             ds = dy + norm′(f′(df))
//   y = norm(s), s = x + f(x)   ds = norm′(dy)   dx = ds + f′(ds)

import type { Engine } from "../instance/instance";
import type { MultiHeadAttention } from "../layer/multihead";
import type { LayerRecord } from "../layer/record";
import type { PreparedLinear } from "../linear/prepared";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { add, checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { linearGradients } from "../training/linear";
import { multiHeadGradients } from "../training/multihead";
import type { GradientTargets } from "../training/targets";
import { activateBackwardSteps, checkPass } from "./activate";
import { dropoutSteps } from "./dropout";
import type { NormParts, TransformerParts } from "./layer-check";
import { HIDDEN_STREAM } from "./layer-forward";
import type { TransformerGradients, TransformerWeightGradients } from "./layer-options";
import type { Kept, KeptSublayer } from "./layer-record";
import { checkTargets, type TransformerBackwardOptions } from "./layer-targets";
import { checkBackward, normBackwardSteps } from "./norm-backward";

/** The gradient of a layer's output, and options as they were read. */
export interface TransformerPass {
  readonly outputGradient: Tensor;
  readonly options: TransformerBackwardOptions;
}

type Mutable<T> = { -readonly [Name in keyof T]?: T[Name] };

export function* transformerBackwardSteps(
  engine: Engine,
  operation: string,
  parts: TransformerParts,
  kept: Kept,
  { outputGradient, options }: TransformerPass,
): Steps<TransformerGradients> {
  const gradient = checkTensor(operation, "outputGradient", outputGradient);
  const [first, second] = kept.sublayers as [KeptSublayer, KeptSublayer];
  const input = first.sum.dims;
  checkDimsOf(operation, "outputGradient", gradient, input);
  const memory = parts.cross && second.record?.recordedBy(parts.cross, operation).given.key?.dims;
  const targets = checkTargets(operation, options, parts, { input, memory });
  const pass = new BackwardPass(engine, operation, parts, kept);
  try {
    const inputGradient = yield* pass.run(gradient);
    targets.open();
    // Nothing can fail from here on, and what is added is added once.
    const { memoryGradient } = pass;
    return {
      inputGradient: delivered(targets, "input", inputGradient),
      ...(memoryGradient && { memoryGradient: delivered(targets, "memory", memoryGradient) }),
      weights: deliveredAll(targets, "weights", pass.weights as TransformerWeightGradients),
    };
  } finally {
    pass.release();
  }
}

/** The gradient where it was asked for, or the caller's own. */
function delivered(targets: GradientTargets, name: string, gradient: Tensor): Tensor {
  const to = targets.deliver(name, gradient);
  return to === gradient ? { data: to.data.slice(), dims: to.dims.slice() } : to;
}

/** Gradients by name, some of them of several parts. */
function deliveredAll<Tree extends object>(targets: GradientTargets, of: string, tree: Tree): Tree {
  const each = Object.entries(tree).map(([name, part]: [string, Tensor | object | undefined]) => {
    const whole = `${of}.${name}`;
    if (!part) return [name, part];
    const tensor = "data" in part && "dims" in part;
    return [name, tensor ? delivered(targets, whole, part) : deliveredAll(targets, whole, part)];
  });
  return Object.fromEntries(each);
}

class BackwardPass {
  readonly weights: Mutable<TransformerWeightGradients> = {};
  memoryGradient: Tensor | undefined;
  readonly #engine: Engine;
  readonly #operation: string;
  readonly #parts: TransformerParts;
  readonly #kept: Kept;
  readonly #tensors: AllocatedTensor[] = [];

  constructor(engine: Engine, operation: string, parts: TransformerParts, kept: Kept) {
    this.#engine = engine;
    this.#operation = operation;
    this.#parts = parts;
    this.#kept = kept;
  }

  /** The gradient of x. */
  *run(outputGradient: Tensor): Steps<Tensor> {
    let gradient = outputGradient;
    for (let index = this.#kept.sublayers.length - 1; index >= 0; index--) {
      const kept = this.#kept.sublayers[index] as KeptSublayer;
      if (this.#parts.normFirst) {
        const given = yield* this.#sublayer(index, kept, gradient);
        gradient = yield* this.#norm(index, kept.sum, given, gradient);
      } else {
        const sum = yield* this.#norm(index, kept.sum, gradient);
        const given = yield* this.#sublayer(index, kept, sum);
        // Views are taken after the memory has grown.
        add(sum.data, given.data);
        gradient = sum;
      }
    }
    return gradient;
  }

  release(): void {
    for (const tensor of this.#tensors) tensor.dispose();
  }

  /** From the gradient of what a sublayer adds, that of what it is given. */
  *#sublayer(index: number, kept: KeptSublayer, gradient: Tensor): Steps<Tensor> {
    const dropped = yield* this.#dropped(index, gradient);
    if (!kept.record) return yield* this.#feedForward(kept, dropped);
    const { self, cross } = this.#parts;
    const layer = index ? (cross as MultiHeadAttention) : self;
    const record: LayerRecord = kept.record;
    const pass = { layer, record, outputGradient: dropped };
    const make = (dims: readonly number[]) => this.#make(dims);
    const back = yield* multiHeadGradients(this.#engine, this.#operation, pass, {}, make);
    this.weights[index ? "crossAttention" : "selfAttention"] = back.weights;
    if (index) this.memoryGradient = back.keyGradient;
    return back.queryGradient;
  }

  *#feedForward(kept: KeptSublayer, gradient: Tensor): Steps<Tensor> {
    const { linear1, linear2, gate, activation } = this.#parts;
    const [hidden, activated] = [kept.hidden, kept.activated] as [Tensor, Tensor];
    const ofActivated = yield* this.#linear("linear2", linear2, gradient, activated);
    const outputGradient = yield* this.#dropped(HIDDEN_STREAM, ofActivated);
    const pass = { outputGradient, x: hidden, activation };
    const out = { input: this.#make(hidden.dims), gate: gate && this.#make(hidden.dims) };
    const options = { gate: kept.gate, out };
    const call = checkPass(this.#operation, pass, options);
    const back = yield* activateBackwardSteps(this.#engine, call);
    const given = yield* this.#linear("linear1", linear1, back.inputGradient, kept.input);
    if (gate && back.gateGradient) {
      const gated = yield* this.#linear("gate", gate, back.gateGradient, kept.input);
      add(given.data, gated.data);
    }
    return given;
  }

  *#linear(
    name: "linear1" | "linear2" | "gate",
    weight: PreparedLinear,
    outputGradient: Tensor,
    x: Tensor,
  ): Steps<Tensor> {
    const pass = { outputGradient, x, weight };
    const make = (dims: readonly number[]) => this.#make(dims);
    const steps = linearGradients(this.#engine, this.#operation, pass, {}, make);
    const { inputGradient, weightGradient, biasGradient } = yield* steps;
    this.weights[name] = { weight: weightGradient, ...(biasGradient && { bias: biasGradient }) };
    return inputGradient as Tensor;
  }

  *#norm(index: number, x: Tensor, outputGradient: Tensor, besides?: Tensor): Steps<Tensor> {
    const { centred, eps, norms } = this.#parts;
    const { weight, bias } = norms[index] as NormParts;
    const options = { weight, bias, eps, sumGradient: besides, out: { input: this.#make(x.dims) } };
    const call = checkBackward(this.#operation, centred, { outputGradient, x }, options);
    const back = yield* normBackwardSteps(this.#engine, call);
    this.weights[`norm${index + 1}` as "norm1"] = {
      ...(back.weightGradient && { weight: back.weightGradient }),
      ...(back.biasGradient && { bias: back.biasGradient }),
    };
    return back.inputGradient;
  }

  *#dropped(stream: number, gradient: Tensor): Steps<Tensor> {
    const { dropout } = this.#kept;
    if (!dropout) return gradient;
    const options = { ...dropout, stream, out: this.#make(gradient.dims) };
    return yield* dropoutSteps(this.#engine, this.#operation, gradient, options);
  }

  #make(dims: readonly number[]): AllocatedTensor {
    const made = new AllocatedTensor(this.#engine.arena, dims);
    this.#tensors.push(made);
    return made;
  }
}
