// Gradients besides those of query, key and value: which are wanted, and those of masks and ALiBi's slopes.

import { MaskKind } from "../../assembly/kinds";
import { BackwardFrame, Mask as MaskRecord } from "../../build/frames";
import { maskSlot, type Scores } from "../attend/call";
import type { AttendCall } from "../attend/forward";
import { reader } from "../check/names";
import type { Shapes } from "../check/shapes";
import { checkBoolean } from "../check/values";
import { ArgumentError } from "../errors";
import type { Engine } from "../instance/instance";
import type { Region, Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import type { Tensor } from "../tensor/tensor";
import type { AttendGradients, GradientOptions } from "./options";

type Wanted = NonNullable<GradientOptions["gradients"]>;

const read = reader<Wanted>({ mask: 1, alibi: 1, sinks: 1 }, "{ mask?, alibi?, sinks? }");

export function checkWanted(
  operation: string,
  { gradients: given }: GradientOptions,
  scores: Scores,
): Wanted {
  if (given === undefined) return {};
  const gradients = read(operation, given, "gradients");
  const { masks, scoring } = scores;
  const possible = {
    mask: masks.each.some(({ kind }) => kind === MaskKind.additive),
    alibi: scoring.alibi !== undefined,
    sinks: scoring.sinks !== undefined,
  };
  for (const name of ["mask", "alibi", "sinks"] as const) {
    const argument = `gradients.${name}`;
    checkBoolean(operation, argument, gradients[name]);
    if (gradients[name] && !possible[name]) {
      const what = name === "mask" ? "an additive mask" : `\`${name}\` to be given`;
      throw new ArgumentError(operation, argument, what, "true without");
    }
  }
  return gradients;
}

/** Whether each item adds to what the one before has added to, see assembly/backward/order.ts. */
export function inSeries(
  { batch, keyValueHeads }: Shapes,
  { masks }: AttendCall["checked"],
): boolean {
  const added = masks.each.filter(({ kind }) => kind === MaskKind.additive);
  const meet = (axis: 0 | 1, count: number) =>
    count > 1 && added.some(({ strides }) => strides[axis] === 0);
  return meet(0, batch) && meet(1, keyValueHeads);
}

/** Where the kernel sums them. */
interface Biases {
  readonly masks: readonly (
    | { readonly dims: readonly number[]; readonly region: Region }
    | undefined
  )[];
  readonly slopes: Region | undefined;
  readonly wanted: Wanted;
}

export function stageBiases(
  staging: Staging,
  { shapes, checked }: AttendCall,
  wanted: Wanted,
): Biases {
  const masks = wanted.mask ? checked.masks.each : [];
  return {
    masks: masks.map(({ kind, dims, origin = 0 }, index) => {
      if (kind !== MaskKind.additive) return undefined;
      const region = staging.reserve(undefined, elementsOf(dims) * 4);
      staging.within(maskSlot(index, MaskRecord.gradient), region, origin * 4);
      return { dims, region };
    }),
    slopes: wanted.alibi
      ? staging.reserve(BackwardFrame.slopesGradient, shapes.batch * shapes.heads * 4)
      : undefined,
    wanted,
  };
}

/** What masks' gradients are added to. */
export function clearBiases(engine: Engine, { masks }: Biases): void {
  for (const mask of masks) {
    if (!mask) continue;
    const { address, bytes } = mask.region;
    engine.arena.bytes.fill(0, address, address + bytes);
  }
}

export function* biasGradients(
  staging: Staging,
  { shapes: { batch, heads }, checked: { masks, scoring } }: AttendCall,
  { masks: regions, slopes, wanted }: Biases,
): Steps<Partial<AttendGradients>> {
  const asked: Partial<AttendGradients> = {};
  const sums: (Tensor | undefined)[] = [];
  for (const mask of regions) {
    sums.push(mask && { data: yield* staging.copy(mask.region), dims: mask.dims.slice() });
  }
  if (wanted.mask && masks.listed) asked.maskGradients = sums;
  else if (sums[0]) asked.maskGradient = sums[0];
  if (slopes) {
    const each = yield* staging.copy(slopes);
    asked.slopesGradient = scoring.alibi?.perBatch
      ? { data: each, dims: [batch, heads] }
      : overBatches(each, heads);
  }
  return asked;
}

/** [B, H] summed to [H]. */
export function overBatches(sums: Float32Array, heads: number): Tensor {
  const totals = new Float64Array(heads);
  for (const [index, sum] of sums.entries()) totals[index % heads] += sum;
  return { data: Float32Array.from(totals), dims: [heads] };
}
