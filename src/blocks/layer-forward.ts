// A transformer layer's forward pass: two or three sublayers f, each x + f(norm(x)) or norm(x + f(x)).
//
// What a sublayer adds is kept apart until the next norm, which adds it in the same pass; the last one's
// residual is added by its product. Everything between x and the output stays in linear memory.

import type { Engine } from "../instance/instance";
import type { CachedCall, LayerCache } from "../layer/cached";
import { type ForwardCall, forwardSteps } from "../layer/forward";
import type { MultiHeadAttention } from "../layer/multihead";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import type { Tensor } from "../tensor/tensor";
import { activateSteps, checkActivate } from "./activate";
import { dropoutSteps } from "./dropout";
import { fusedSteps } from "./fused";
import type { NormParts, TransformerCall, TransformerParts } from "./layer-check";
import type { TransformerResult } from "./layer-options";
import { type KeptSublayer, TransformerRecord } from "./layer-record";
import { checkNorm, normSteps } from "./norm";
import { placeSteps } from "./place";

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
    if (call.record) {
      const kept = { sublayers, tensors, dropout: call.dropout };
      result.record = new TransformerRecord(owner, kept);
    }
    done = true;
    return result as TransformerResult;
  } finally {
    pass.end(done);
  }
}

interface Passed {
  readonly output: Tensor;
  weights?: Tensor;
  crossWeights?: Tensor;
  record?: TransformerRecord;
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

  *run(): Steps<Passed> {
    const { x, self, cross } = this.#call;
    this.#stream = yield* this.#placed("x", x);
    const weights = yield* this.#attention(0, this.#parts.self, self);
    const crossWeights =
      cross && (yield* this.#attention(1, this.#parts.cross as MultiHeadAttention, cross));
    const result: Passed = { output: yield* this.#feedForward(cross ? 2 : 1) };
    if (weights) result.weights = weights;
    if (crossWeights) result.crossWeights = crossWeights;
    return result;
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
    // This pass's own: a spread costs more than a small attention.
    call.given = { query: input, key: memory, value: memory };
    call.cache &&= this.#lasting(call.cache);
    call.out = target;
    const result = yield* forwardSteps(this.#engine, layer, layer.parts(operation), call);
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
    const residual = this.#added && this.#stream;
    const options = { weight, bias, eps, residual, out };
    const call = checkNorm(operation, centred, this.#added ?? this.#stream, options);
    call.sumOut = residual && this.#make(residual.dims);
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
