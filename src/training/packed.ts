// Gradients of attendPacked.

import { type Attention, checkAttention } from "../attend/attention";
import { type AttendCall, checkCall } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { checkPacked, type PackedFields, type PackedOptions, packedFields } from "../attend/packed";
import { reader } from "../check/names";
import { callBackward } from "./attend";
import {
  type AttendGradients,
  type AttendPass,
  type GradientOptions,
  gradientFields,
  type Normalized,
  type NormalizedPass,
  readPass,
} from "./options";

/** Options of `attendPackedBackward`. */
export type PackedBackwardOptions = Omit<PackedOptions, "out"> & GradientOptions;

type Fields = Omit<PackedFields, "out"> & GradientOptions;
const fields = { ...packedFields, ...gradientFields } as const;
const readBackward = reader<Fields>(fields);
const readBackwardAsync = reader<Fields & Abortable>({ ...fields, signal: 1 });

/**
 * Gradients of `attendPacked`'s inputs, as `attendBackward` gives them of `attend`'s.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function attendPackedBackward(
  attention: Attention<"training">,
  pass: AttendPass,
  options: PackedBackwardOptions,
): AttendGradients;
/** Of a pass with a `normalizer`. */
export function attendPackedBackward(
  attention: Attention<"training">,
  pass: NormalizedPass,
  options: PackedBackwardOptions & Normalized,
): AttendGradients;
export function attendPackedBackward(
  attention: Attention<"training">,
  pass: AttendPass | NormalizedPass,
  options: PackedBackwardOptions,
): AttendGradients {
  const name = "attendPackedBackward";
  return checkAttention(name, attention).run(name, (engine) => {
    const read = readBackward(name, options);
    const { call, given } = checkPass(name, pass, read);
    return callBackward(engine, call, given, read);
  });
}

/** `attendPackedBackward` without holding the calling thread; see `attendAsync`. */
export function attendPackedBackwardAsync(
  attention: Attention<"training">,
  pass: AttendPass,
  options: PackedBackwardOptions & Abortable,
): Promise<AttendGradients>;
/** Of a pass with a `normalizer`. */
export function attendPackedBackwardAsync(
  attention: Attention<"training">,
  pass: NormalizedPass,
  options: PackedBackwardOptions & Normalized & Abortable,
): Promise<AttendGradients>;
export function attendPackedBackwardAsync(
  attention: Attention<"training">,
  pass: AttendPass | NormalizedPass,
  options: PackedBackwardOptions & Abortable,
): Promise<AttendGradients> {
  const name = "attendPackedBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readBackwardAsync(name, options);
    const { call, given } = checkPass(name, pass, read);
    return { signal, steps: (engine) => callBackward(engine, call, given, read) };
  });
}

function checkPass(
  name: string,
  pass: AttendPass | NormalizedPass,
  options: Fields,
): { call: AttendCall; given: AttendPass } {
  const given = readPass(name, pass as AttendPass, "pass");
  const forward: PackedFields = { ...options, out: undefined };
  const { query, key, value } = given;
  const { inputs, shapes, visibility } = checkPacked(name, query, key, value, forward);
  return { call: checkCall(name, inputs, shapes, visibility, forward), given };
}
