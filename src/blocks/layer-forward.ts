// A transformer layer's forward pass: two or three sublayers f, each x + f(norm(x)) or norm(x + f(x)).
//
// What a sublayer adds is kept apart until the next norm, which adds it in the same pass; the last one's
// residual is added by its product. Everything between x and the output stays in linear memory.

import { checkDropout } from "../check/dropout";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { CachedCall, LayerCache } from "../layer/cached";
import { checkForward, type ForwardCall, forwardSteps } from "../layer/forward";
import type { MultiHeadAttention } from "../layer/multihead";
import type { LayerOptions } from "../layer/options";
import type { PreparedLinear } from "../linear/prepared";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { checkOut, type Tensor } from "../tensor/tensor";
import { type Activation, activateSteps, checkActivate } from "./activate";
import { dropoutSteps } from "./dropout";
import { fusedSteps } from "./fused";
import type { DecoderForwardOptions, TransformerResult } from "./layer-options";
import { type KeptSublayer, type LayerDropout, TransformerRecord } from "./layer-record";
import { checkNorm, normSteps } from "./norm";
import { placeSteps } from "./place";

/** What a layer is made of. */
export interface TransformerParts {
  readonly normFirst: boolean;
  readonly centred: boolean;
  readonly eps: number;
  /** Of scores, where a call gives none. */
  readonly scale: number | undefined;
  readonly activation: Activation;
  readonly self: MultiHeadAttention;
  readonly cross: MultiHeadAttention | undefined;
  readonly linear1: PreparedLinear;
  readonly gate: PreparedLinear | undefined;
  readonly linear2: PreparedLinear;
  /** One of each sublayer. */
  readonly norms: readonly NormParts[];
  /** What goes with it: all but weights that were prepared already. */
  readonly own: readonly { dispose(): void }[];
}

export interface NormParts {
  readonly weight: AllocatedTensor | undefined;
  readonly bias: AllocatedTensor | undefined;
}

/** A pass whose arguments are checked. */
export interface TransformerCall {
  readonly operation: string;
  readonly x: Tensor;
  readonly self: ForwardCall;
  readonly cross: ForwardCall | undefined;
  readonly dropout: LayerDropout | undefined;
  readonly record: boolean;
  readonly out: Tensor | undefined;
}

/** `options` as they were read; those of both attentions are checked here. */
export function checkTransformer(
  operation: string,
  parts: TransformerParts,
  given: { readonly x: Tensor; readonly memory?: Tensor | undefined },
  { cross: crossOptions, out, record = false, dropout: asked, ...options }: DecoderForwardOptions,
): TransformerCall {
  checkDropout(operation, asked);
  const scoreMod = options.scoreMod ?? crossOptions?.scoreMod;
  if (record && scoreMod !== undefined) {
    const expected = "no value with record: true, whose gradients do not go back through it";
    throw new ArgumentError(operation, "scoreMod", expected, describe(scoreMod));
  }
  const dropout = asked && { probability: asked.probability, seed: asked.seed };
  const { scale = parts.scale } = options;
  const own: LayerOptions = { ...options, scale, record, dropout };
  const self = checkForward(operation, parts.self.parts(operation), given.x, own);
  const x = self.given.query;
  const cross =
    parts.cross &&
    checkForward(
      operation,
      parts.cross.parts(operation),
      { query: x, key: given.memory },
      {
        ...crossOptions,
        scale: crossOptions?.scale ?? parts.scale,
        record,
        dropout: dropout && { ...dropout, seed: otherSeed(dropout) },
      },
    );
  const target = checkOut(operation, out, x.dims);
  return { operation, x, self, cross, dropout, record, out: target };
}

/** The two attentions of a layer drop different weights. */
function otherSeed({ seed }: LayerDropout): number {
  return seed < 2 ** 52 ? seed + 2 ** 52 : seed - 2 ** 52;
}

/** Streams of a layer's dropouts, see dropout.ts: after each sublayer, and after the activation. */
export const HIDDEN_STREAM = 8;

export function* transformerSteps(
  engine: Engine,
  owner: object,
  parts: TransformerParts,
  call: TransformerCall,
): Steps<TransformerResult> {
  const pass = new Pass(engine, parts, call);
  let done = false;
  try {
    const result = yield* pass.run();
    const { sublayers, tensors } = pass;
    const kept = { sublayers, tensors, dropout: call.dropout };
    done = true;
    return {
      ...result,
      ...(call.record && { record: new TransformerRecord(owner, kept) }),
    } as TransformerResult;
  } finally {
    pass.end(done);
  }
}

/** Before and after the activation. */
type FedForward = Pick<KeptSublayer, "hidden" | "gate"> & { readonly activated: Tensor };

class Pass {
  readonly tensors: AllocatedTensor[] = [];
  readonly sublayers: KeptSublayer[] = [];
  readonly #engine: Engine;
  readonly #parts: TransformerParts;
  readonly #call: TransformerCall;
  /** What has been added up, and what is yet to be added to it. */
  #stream: Tensor;
  #added: Tensor | undefined;
  readonly #cached: CachedCall[] = [];

  constructor(engine: Engine, parts: TransformerParts, call: TransformerCall) {
    this.#engine = engine;
    this.#parts = parts;
    this.#call = call;
    this.#stream = call.x;
  }

  *run(): Steps<{ output: Tensor; weights?: Tensor; crossWeights?: Tensor }> {
    const { x, self, cross } = this.#call;
    this.#stream = yield* this.#placed("x", x);
    const weights = yield* this.#attention(0, this.#parts.self, self);
    const crossWeights =
      cross && (yield* this.#attention(1, this.#parts.cross as MultiHeadAttention, cross));
    const output = yield* this.#feedForward(cross ? 2 : 1);
    return { output, ...(weights && { weights }), ...(crossWeights && { crossWeights }) };
  }

  /** Takes back what a pass that failed has appended to a cache, and gives memory back. */
  end(done: boolean): void {
    for (const cached of this.#cached) {
      if (!done) cached.undo();
      cached.done();
    }
    if (done && this.#call.record) return;
    for (const { record } of this.sublayers) record?.dispose();
    for (const tensor of this.tensors) tensor.dispose();
  }

  *#attention(
    index: number,
    layer: MultiHeadAttention,
    call: ForwardCall,
  ): Steps<Tensor | undefined> {
    const { operation, dropout } = this.#call;
    const input = yield* this.#before(index);
    const target = this.#make(this.#stream.dims);
    const source = index ? call.given.key : input;
    const memory = source && (yield* this.#placed("memory", source));
    const given = { query: input, key: memory, value: memory };
    const cache = call.cache && this.#lasting(call.cache);
    const options = { ...call.options, out: target };
    const placed = { ...call, given, cache, options };
    const result = yield* forwardSteps(this.#engine, layer, layer.parts(operation), placed);
    const kept = { input, sum: this.#stream, record: result.record };
    this.sublayers.push(kept);
    if (dropout) {
      const dropping = { ...dropout, stream: index, out: target };
      yield* dropoutSteps(this.#engine, operation, target, dropping);
    }
    this.#added = target;
    const sum = yield* this.#after(index);
    if (sum) this.sublayers[index] = { ...kept, sum };
    return result.weights;
  }

  *#feedForward(index: number): Steps<Tensor> {
    const { operation, dropout, out } = this.#call;
    const { linear2, normFirst } = this.#parts;
    const input = yield* this.#before(index);
    const kept = { input, sum: this.#stream, ...(yield* this.#hidden(input)) };
    this.sublayers.push(kept);
    const residual = this.#stream;
    // Written by the last step alone: it may be x.
    const target = normFirst ? out : this.#make(residual.dims);
    const given = { x: kept.activated, prepared: linear2 };
    if (!dropout) {
      const options = { residual, out: target };
      const sum = yield* fusedSteps(this.#engine, operation, given, options);
      if (normFirst) return sum;
      this.#stream = sum;
    } else {
      const own = this.#make(residual.dims);
      yield* fusedSteps(this.#engine, operation, given, { out: own });
      const options = { ...dropout, stream: index, residual, out: target };
      const sum = yield* dropoutSteps(this.#engine, operation, own, options);
      if (normFirst) return sum;
      this.#stream = sum;
    }
    this.sublayers[index] = { ...kept, sum: this.#stream };
    return yield* this.#normed(index, out);
  }

  /** activation(linear1(x)), with a gate linear1(x) · activation(gate(x)). */
  *#hidden(x: Tensor): Steps<FedForward> {
    const { linear1, gate, activation } = this.#parts;
    const { operation, record, dropout } = this.#call;
    const dims = [...x.dims.slice(0, -1), linear1.outputSize];
    const activated = this.#make(dims);
    let kept: Pick<KeptSublayer, "hidden" | "gate"> = {};
    if (record) {
      const hidden = this.#make(dims);
      yield* linear1.apply(this.#engine, operation, x, { out: hidden });
      const gated = gate && this.#make(dims);
      if (gate && gated) yield* gate.apply(this.#engine, operation, x, { out: gated });
      const options = { gate: gated, out: activated };
      yield* activateSteps(this.#engine, checkActivate(operation, hidden, activation, options));
      kept = { hidden, gate: gated };
    } else {
      const given = { x, prepared: linear1 };
      yield* fusedSteps(this.#engine, operation, given, { activation, gate, out: activated });
    }
    if (dropout) {
      const options = { ...dropout, stream: HIDDEN_STREAM, out: activated };
      yield* dropoutSteps(this.#engine, operation, activated, options);
    }
    return { ...kept, activated };
  }

  /** What a sublayer is given. */
  *#before(index: number): Steps<Tensor> {
    if (!this.#parts.normFirst) return this.#stream;
    return yield* this.#normed(index, this.#make(this.#stream.dims));
  }

  /** Where norms come after: what was normalised. */
  *#after(index: number): Steps<Tensor | undefined> {
    if (this.#parts.normFirst) return undefined;
    const output = yield* this.#normed(index, this.#make(this.#stream.dims));
    const sum = this.#stream;
    this.#stream = output;
    return sum;
  }

  /** The norm of the stream and what is to be added, which are one thereafter. */
  *#normed(index: number, out: Tensor | undefined): Steps<Tensor> {
    const { operation } = this.#call;
    const { centred, eps, norms } = this.#parts;
    const { weight, bias } = norms[index] as NormParts;
    const [x, residual] = this.#added ? [this.#added, this.#stream] : [this.#stream, undefined];
    const options = { weight, bias, eps, residual, out };
    const sumOut = residual && this.#make(residual.dims);
    const call = { ...checkNorm(operation, centred, x, options), sumOut };
    const { output, sum } = yield* normSteps(this.#engine, call);
    this.#stream = sum ?? this.#stream;
    this.#added = undefined;
    return output;
  }

  /** A cache whose appended rows can be taken back until the whole pass is done. */
  #lasting(cache: LayerCache): LayerCache {
    return {
      ...cache,
      add: (operation, projected, options) => {
        const added = cache.add(operation, projected, options);
        this.#cached.push(added);
        return { call: added.call, undo: () => undefined, done: () => undefined };
      },
    };
  }

  /** In linear memory, where more than one step reads it. */
  #placed(argument: string, x: Tensor): Steps<Tensor> {
    const make = (dims: readonly number[]) => this.#make(dims);
    return placeSteps(this.#engine, this.#call.operation, { argument, x }, make);
  }

  #make(dims: readonly number[]): AllocatedTensor {
    const made = new AllocatedTensor(this.#engine.arena, dims);
    this.tensors.push(made);
    return made;
  }
}
