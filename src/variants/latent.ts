// attendLatent: keys whose first numbers are the values.

import { AttendFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { type AttendCall, callAttend, checkAttendOf } from "../attend/forward";
import {
  type Abortable,
  type AttendOptions,
  type AttendResult,
  attendFields,
  type Exactly,
} from "../attend/options";
import { reader } from "../check/names";
import { checkLayout } from "../check/shapes";
import { checkCount } from "../check/values";
import { ArgumentError } from "../errors";
import { checkTensor, type Tensor } from "../tensor/tensor";

/** Options of `attendLatent`: those of `attend`, and how many numbers of a key are its value. */
export interface LatentOptions extends AttendOptions {
  /** Numbers of a value, Dv, from 1 to D: the first of its key. */
  valueSize: number;
}

const fields = { ...attendFields, valueSize: 1 } as const;
const read = reader<LatentOptions>(fields, "{ valueSize, … }");
const readAsync = reader<LatentOptions & Abortable>({ ...fields, signal: 1 }, "{ valueSize, … }");

/**
 * `attend` where the value of a token is the first `valueSize` numbers of its key, read where they lie: multi-head latent
 * attention in its absorbed form (DeepSeek-AI 2024, "DeepSeek-V2"), with one latent [B, 1, S, 576] of which 512 are the
 * value for all heads. Query [B, H, L, D], latent [B, Hkv, S, D], output [B, H, L, Dv]; the bits are those of `attend`
 * over a copy.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function attendLatent<const Options extends LatentOptions>(
  attention: Attention,
  query: Tensor,
  latent: Tensor,
  options: Exactly<Options, LatentOptions>,
): AttendResult<Options> {
  const name = "attendLatent";
  return checkAttention(name, attention).run(name, (engine) =>
    callAttend(engine, checkLatent(name, query, latent, read(name, options))),
  ) as AttendResult<Options>;
}

/** `attendLatent` without holding the calling thread; see `attendAsync`. */
export function attendLatentAsync<const Options extends LatentOptions & Abortable>(
  attention: Attention,
  query: Tensor,
  latent: Tensor,
  options: Exactly<Options, LatentOptions & Abortable>,
): Promise<AttendResult<Options>> {
  const name = "attendLatentAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkLatent(name, query, latent, given);
    return { signal, steps: (engine) => callAttend(engine, call) };
  }) as Promise<AttendResult<Options>>;
}

function checkLatent(
  operation: string,
  query: Tensor,
  given: Tensor,
  { valueSize, ...options }: LatentOptions,
): AttendCall {
  checkCount(operation, "valueSize", valueSize);
  const layout = checkLayout(operation, options.layout);
  const latent = checkTensor(operation, "latent", given);
  const { heads, keyValueHeads = heads } = options;
  const row = layout === "BLE" ? valueSize * (Number(keyValueHeads) || 1) : valueSize;
  // Looked at for its dims alone.
  const value = { data: new Float32Array(0), dims: [...latent.dims.slice(0, -1), row] };
  const inputs = { query: checkTensor(operation, "query", query), key: latent, value };
  const call = checkAttendOf(operation, inputs, layout, options);
  const { keyStrides, headSize } = call.shapes;
  if (valueSize > headSize) {
    const expected = `at most D = ${headSize}`;
    throw new ArgumentError(operation, "valueSize", expected, `${valueSize}`);
  }
  return {
    ...call,
    shapes: { ...call.shapes, valueStrides: keyStrides },
    pages(staging) {
      const region = staging.tensor(AttendFrame.key, "latent", latent);
      staging.within(AttendFrame.value, region, 0);
    },
  };
}
