// attend over queries, keys and values of one tensor, as a fused projection gives them: read where they lie,
// by strides.
//
//   [B, L, 3, H, D]              all queries of a token, all its keys, all its values
//   [B, L, H, 3, D]              interleaved: of each head
//   [B, L, (H + 2·Hkv)·D]        the first with fewer key heads, heads side by side

import { AttendFrame } from "../../build/frames";
import { reader } from "../check/names";
import { checkShapes, type Shapes, type Strides } from "../check/shapes";
import { checkBoolean, checkCount } from "../check/values";
import { checkVisibility } from "../check/visibility";
import { ArgumentError, describe } from "../errors";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { type Attention, checkAttention } from "./attention";
import { type AttendCall, callAttend, checkCall } from "./forward";
import {
  type Abortable,
  type AttendResult,
  type Exactly,
  type ScoreOptions,
  scoreFields,
} from "./options";
import { checkEnds, refuseBatchOptions } from "./packed";

/** Options of `attendQkv`: those of `attend`, and how the heads lie. */
export interface QkvOptions extends ScoreOptions {
  /** Query heads H, where qkv is [B, L, (H + 2·Hkv)·D]; the dims say it otherwise. */
  heads?: number | undefined;
  /** Key and value heads Hkv, a divisor of `heads`, which is the default. */
  keyValueHeads?: number | undefined;
  /** [B, L, H, 3, D] (GPT-NeoX, BLOOM) instead of [B, L, 3, H, D]; as many key heads as heads. */
  interleaved?: boolean | undefined;
  /**
   * Sequences laid end to end, qkv [T, 3, H, D] or [T, (H + 2·Hkv)·D]: where each starts, and where the
   * last ends, as `attendPacked` takes them.
   */
  cumulativeQueries?: ArrayLike<number> | undefined;
}

export const qkvFields = {
  ...scoreFields,
  heads: 1,
  keyValueHeads: 1,
  interleaved: 1,
  cumulativeQueries: 1,
} as const;
const read = reader<QkvOptions>(qkvFields);
const readAsync = reader<QkvOptions & Abortable>({ ...qkvFields, signal: 1 });

/**
 * `attend` over one tensor of queries, keys and values (flash-attn's `qkvpacked`): qkv [B, L, 3, H, D] gives
 * output [B, L, H, D]; with `heads`, qkv [B, L, (H + 2·Hkv)·D] gives [B, L, H·D]. Without B too. Nothing is
 * rearranged, and in linear memory nothing copied; the bits are those of `attend` over the three apart.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function attendQkv<const Options extends QkvOptions = Record<never, never>>(
  attention: Attention,
  qkv: Tensor,
  options?: Exactly<Options, QkvOptions>,
): AttendResult<Options> {
  const name = "attendQkv";
  return checkAttention(name, attention).run(name, (engine) =>
    callAttend(engine, checkQkv(name, qkv, read(name, options === undefined ? {} : options))),
  ) as AttendResult<Options>;
}

/** `attendQkv` without holding the calling thread; see `attendAsync`. */
export function attendQkvAsync<const Options extends QkvOptions & Abortable = Record<never, never>>(
  attention: Attention,
  qkv: Tensor,
  options?: Exactly<Options, QkvOptions & Abortable>,
): Promise<AttendResult<Options>> {
  const name = "attendQkvAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...asked } = readAsync(name, options === undefined ? {} : options);
    const call = checkQkv(name, qkv, asked);
    return { signal, steps: (engine) => callAttend(engine, call) };
  }) as Promise<AttendResult<Options>>;
}

/** Where things lie in a row of qkv, in elements. */
interface Rows {
  /** Dims before the row's. */
  readonly tokens: readonly number[];
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly size: number;
  readonly interleaved: boolean;
}

/** `options` as they were read. */
export function checkQkv(name: string, given: Tensor, options: QkvOptions): AttendCall {
  const { heads: _, keyValueHeads: __, interleaved: ___, cumulativeQueries, ...score } = options;
  const qkv = checkTensor(name, "qkv", given);
  const rows = checkRows(name, qkv, options);
  const { tokens, heads, keyValueHeads, size, interleaved } = rows;
  const sideBySide = options.heads !== undefined;
  const layout = sideBySide ? "BLE" : "BLHD";
  // Looked at for their dims alone.
  const placed = (count: number): Tensor => ({
    data: new Float32Array(0),
    dims: [...tokens, ...(sideBySide ? [count * size] : [count, size])],
  });
  const inputs = { query: placed(heads), key: placed(keyValueHeads), value: placed(keyValueHeads) };
  const counts = sideBySide ? { heads, keyValueHeads } : {};
  const plain = strided(checkShapes(name, inputs, layout, counts), rows);
  const { shapes, visibility } =
    cumulativeQueries !== undefined
      ? checkSequences(name, qkv, plain, { ...score, cumulativeQueries })
      : { shapes: plain, visibility: checkVisibility(name, plain, score) };
  const places = interleaved ? [1, 2] : [heads, heads + keyValueHeads];
  const [key, value] = places.map((place) => place * size * 4) as [number, number];
  return {
    ...checkCall(name, { ...inputs, query: qkv }, shapes, visibility, score),
    fused: [key, value],
    pages: (staging, query) => {
      staging.within(AttendFrame.key, query, key);
      staging.within(AttendFrame.value, query, value);
    },
  };
}

function checkRows(name: string, { dims }: Tensor, options: QkvOptions): Rows {
  const { heads, interleaved = false } = options;
  checkBoolean(name, "interleaved", interleaved);
  const refuse = (argument: string, expected: string, got: unknown): never => {
    throw new ArgumentError(name, argument, expected, describe(got));
  };
  const rank = dims.length;
  if (heads === undefined) {
    if (options.keyValueHeads !== undefined) {
      refuse("keyValueHeads", "no value without heads: the dims say it", options.keyValueHeads);
    }
    const [three, count] = interleaved ? [dims[rank - 2], dims[rank - 3]] : dims.slice(-3);
    const size = dims[rank - 1] as number;
    if ((rank !== 4 && rank !== 5) || three !== 3 || !count || !size) {
      const axes = interleaved ? "H, 3, D" : "3, H, D";
      refuse("qkv.dims", `[B, L, ${axes}] or [L, ${axes}], or heads and [B, L, E]`, dims);
    }
    const each = count as number;
    return { tokens: dims.slice(0, -3), heads: each, keyValueHeads: each, size, interleaved };
  }
  const { keyValueHeads = heads } = options;
  checkCount(name, "heads", heads);
  checkCount(name, "keyValueHeads", keyValueHeads);
  if (heads % keyValueHeads) {
    refuse("keyValueHeads", `a divisor of heads = ${heads}`, keyValueHeads);
  }
  if (interleaved && heads !== keyValueHeads) {
    const expected = `heads = ${heads} with interleaved: true, for heads to be one stride apart`;
    refuse("keyValueHeads", expected, keyValueHeads);
  }
  const all = heads + 2 * keyValueHeads;
  const size = (dims[rank - 1] ?? 0) / all;
  if ((rank !== 2 && rank !== 3) || !Number.isInteger(size) || !size) {
    const axes = `(H + 2·Hkv)·D = ${all}·D`;
    refuse("qkv.dims", `[B, L, ${axes}] or [L, ${axes}]`, dims);
  }
  return { tokens: dims.slice(0, -1), heads, keyValueHeads, size, interleaved };
}

function strided(shapes: Shapes, { heads, keyValueHeads, size, interleaved }: Rows): Shapes {
  const row = (heads + 2 * keyValueHeads) * size;
  const strides: Strides = {
    batch: shapes.queries * row,
    head: interleaved ? 3 * size : size,
    row,
  };
  return { ...shapes, queryStrides: strides, keyStrides: strides, valueStrides: strides };
}

function checkSequences(
  name: string,
  { dims }: Tensor,
  shapes: Shapes,
  options: QkvOptions & { readonly cumulativeQueries: ArrayLike<number> },
) {
  if (shapes.batchDims.length) {
    const expected = "no batch axis with cumulativeQueries: sequences are laid end to end";
    throw new ArgumentError(name, "qkv.dims", expected, describe(dims));
  }
  refuseBatchOptions(name, options);
  return checkEnds(name, shapes, options);
}
