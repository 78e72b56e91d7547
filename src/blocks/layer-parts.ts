// A transformer layer's parts: made of weights, updated in place, given back.

import { type Attention, checkAttention } from "../attend/attention";
import { checkBoolean, checkCount } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Composition } from "../layer/composed";
import { MultiHeadAttention } from "../layer/multihead";
import { readUpdate as readLinear, readProjection, readWeights } from "../layer/options";
import type { Projection } from "../layer/projections";
import type { Update } from "../layer/sizes";
import { prepareMatrix } from "../linear/linear";
import { PreparedLinear } from "../linear/prepared";
import type { Packing } from "../linear/product";
import { AllocatedTensor } from "../tensor/allocated";
import { checkVector, set, type Tensor } from "../tensor/tensor";
import { checkActivation } from "./activate";
import { checkNumber } from "./axes";
import type { NormParts, TransformerParts } from "./layer-check";
import {
  type DecoderLayerWeights,
  type EncoderLayerWeights,
  type NormWeights,
  readNorm,
  type TransformerConfig,
  type TransformerUpdate,
} from "./layer-options";

const PROJECTIONS = ["query", "key", "value", "output"] as const;
const NORMS = ["norm1", "norm2", "norm3"] as const;

/** `config` and `weights` as they were read; nothing stays allocated if it throws. */
export function makeParts(
  operation: string,
  attention: Attention,
  config: TransformerConfig,
  weights: EncoderLayerWeights & Partial<DecoderLayerWeights>,
  decoder: boolean,
): TransformerParts {
  const engine = checkAttention(operation, attention).running(operation);
  const { heads, keyValueHeads, norm = "layerNorm", normFirst = false } = config;
  const { activation = "relu", crossHeads = heads, eps: given = 1e-5 } = config;
  if (decoder) checkCount(operation, "crossHeads", crossHeads);
  else if (config.crossHeads !== undefined) {
    throw new ArgumentError(
      operation,
      "crossHeads",
      "no value in an encoder",
      describe(crossHeads),
    );
  }
  checkActivation(operation, activation);
  checkBoolean(operation, "normFirst", normFirst);
  if (norm !== "layerNorm" && norm !== "rmsNorm") {
    throw new ArgumentError(operation, "norm", '"layerNorm" or "rmsNorm"', describe(norm));
  }
  const eps = checkNumber(operation, "eps", given, [0, Infinity]);
  const scale =
    config.scale === undefined
      ? undefined
      : checkNumber(operation, "scale", config.scale, [-Infinity, Infinity]);
  const made: { dispose(): void }[] = [];
  const keep = <Part extends { dispose(): void }>(part: Part): Part => {
    made.push(part);
    return part;
  };
  try {
    const attend = (name: "selfAttention" | "crossAttention", counts: TransformerConfig) => {
      const read = readWeights(operation, weights[name], name);
      return keep(new MultiHeadAttention(attention, counts, read, operation));
    };
    const linear = (name: string, given: Projection | PreparedLinear) => {
      const ready = PreparedLinear.from(given);
      if (ready) {
        ready.block(engine, operation, name);
        return ready;
      }
      const read = readProjection(operation, given, name);
      return keep(prepareMatrix(engine, operation, read.weight, read, `${name}.`));
    };
    const self = attend("selfAttention", { heads, keyValueHeads });
    const cross = decoder ? attend("crossAttention", { heads: crossHeads }) : undefined;
    const linear1 = linear("linear1", weights.linear1);
    const gate = weights.gate === undefined ? undefined : linear("gate", weights.gate);
    const linear2 = linear("linear2", weights.linear2);
    const size = self.parts(operation).projections.query.inputSize;
    checkSizes(operation, { size, self, cross, linear1, gate, linear2 });
    const norms = NORMS.slice(0, decoder ? 3 : 2).map((name) => {
      const read = readNorm(operation, weights[name], name);
      const vector = (part: "weight" | "bias") => {
        if (read[part] === undefined) return undefined;
        const given = checkVector(operation, `${name}.${part}`, read[part], size);
        const own = keep(new AllocatedTensor(engine.arena, [size]));
        set(own.data, given.data);
        return own;
      };
      return { weight: vector("weight"), bias: vector("bias") };
    });
    const form = { normFirst, centred: norm === "layerNorm", eps, scale, activation };
    return { ...form, self, cross, linear1, gate, linear2, norms, own: made };
  } catch (error) {
    for (const part of made) part.dispose();
    throw error;
  }
}

interface Sizes extends Pick<TransformerParts, "self" | "cross" | "linear1" | "gate" | "linear2"> {
  readonly size: number;
}

function checkSizes(operation: string, { size, self, cross, linear1, gate, linear2 }: Sizes): void {
  const hidden = linear1.outputSize;
  const expect = (
    argument: string,
    got: PreparedLinear,
    [ins, outs]: readonly [number, number],
  ) => {
    if (got.inputSize === ins && got.outputSize === outs) return;
    const expected = `a weight from ${ins} to ${outs}`;
    const received = `one from ${got.inputSize} to ${got.outputSize}`;
    throw new ArgumentError(operation, argument, expected, received);
  };
  const own = self.parts(operation).projections;
  for (const name of ["key", "value"] as const) {
    expect(`selfAttention.${name}`, own[name], [size, own[name].outputSize]);
  }
  expect("selfAttention.output", own.output, [own.output.inputSize, size]);
  if (cross) {
    const { query, key, value, output } = cross.parts(operation).projections;
    expect("crossAttention.query", query, [size, query.outputSize]);
    expect("crossAttention.value", value, [key.inputSize, value.outputSize]);
    expect("crossAttention.output", output, [output.inputSize, size]);
  }
  expect("linear1", linear1, [size, hidden]);
  if (gate) expect("gate", gate, [size, hidden]);
  expect("linear2", linear2, [hidden, size]);
}

/** What a layer was made of. */
export function composition(
  operation: string,
  attention: Attention<"blocks">,
  parts: TransformerParts,
): Composition {
  const { self, cross, linear1, gate, linear2, norms } = parts;
  const { activation, normFirst, centred, eps, scale } = parts;
  const selfAttention = self.parts(operation);
  const crossAttention = cross?.parts(operation);
  const { heads, keyValueHeads } = selfAttention;
  const crossHeads = crossAttention?.heads;
  const norm = centred ? "layerNorm" : "rmsNorm";
  return {
    attention,
    config: { heads, keyValueHeads, crossHeads, activation, norm, normFirst, eps, scale },
    attentions: { selfAttention, ...(crossAttention && { crossAttention }) },
    linears: { linear1, ...(gate && { gate }), linear2 },
    norms: Object.fromEntries(norms.map((each, index) => [NORMS[index] as string, each])),
  };
}

/** Other parameters in place: all of them are checked before any is changed. */
export function updateParts(
  operation: string,
  parts: TransformerParts,
  given: TransformerUpdate,
): void {
  const packings: Packing[] = [];
  const pack = (name: string, prepared: PreparedLinear | undefined, update: Update | undefined) => {
    if (update === undefined) return;
    if (!prepared) throw noSuch(operation, name, update);
    const { weight, bias, order } = readLinear(operation, update, name);
    packings.push(prepared.updating(operation, `${name}.`, weight, bias, order));
  };
  for (const [name, layer] of [
    ["selfAttention", parts.self],
    ["crossAttention", parts.cross],
  ] as const) {
    const update = given[name];
    if (update === undefined) continue;
    if (!layer) throw noSuch(operation, name, update);
    const { projections } = layer.parts(operation);
    for (const each of PROJECTIONS) pack(`${name}.${each}`, projections[each], update[each]);
  }
  pack("linear1", parts.linear1, given.linear1);
  pack("gate", parts.gate, given.gate);
  pack("linear2", parts.linear2, given.linear2);
  const moves = NORMS.flatMap((name, index) =>
    normMoves(operation, name, parts.norms[index], given[name]),
  );
  // The one that needs the most memory comes first: where it finds it, so do the others.
  packings.sort((a, b) => b.bytes - a.bytes);
  for (const packing of packings) packing.pack();
  for (const [own, other] of moves) set(own.data, other.data);
}

function normMoves(
  operation: string,
  name: string,
  norm: NormParts | undefined,
  given: NormWeights | undefined,
): (readonly [own: Tensor, other: Tensor])[] {
  if (given === undefined) return [];
  if (!norm) throw noSuch(operation, name, given);
  const read = readNorm(operation, given, name);
  return (["weight", "bias"] as const).flatMap((part) => {
    const own = norm[part];
    if (read[part] === undefined) return [];
    if (!own) throw noSuch(operation, `${name}.${part}`, read[part]);
    const size = own.dims[0] as number;
    return [[own, checkVector(operation, `${name}.${part}`, read[part], size)] as const];
  });
}

function noSuch(operation: string, argument: string, given: unknown): ArgumentError {
  const expected = "no value, as the layer has none";
  return new ArgumentError(operation, argument, expected, describe(given));
}

export function disposeParts({ own }: TransformerParts) {
  for (const part of own) part.dispose();
}
