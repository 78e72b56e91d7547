// What a query over shards asks of whom: sizes, the spans that any row sees, and each shard's own options.

import { AlibiDistance, MaskKind, SPAN_KEYS, UNLIMITED } from "../../assembly/kinds";
import { Sequence } from "../../build/frames";
import { checkScores, type Scores } from "../attend/call";
import type { Layout } from "../attend/options";
import type { CheckedMask } from "../check/mask";
import { checkLayout, checkShapes, type Shapes, type View, viewOf } from "../check/shapes";
import { checkVisibility } from "../check/visibility";
import { ArgumentError, describe } from "../errors";
import { elementsOf } from "../tensor/dims";
import { checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { byHeads } from "./heads";
import type { ShardedOptions } from "./options";
import type { Shard, ShardMask, ShardOptions } from "./shard";

/** Sizes of keys and values that all shards share, and how many keys there are of each batch. */
export interface KeySizes extends Pick<Shard, "keyValueHeads" | "headSize" | "valueSize"> {
  /** Rows of the longest batch, padding included. */
  readonly keys: number;
  /** Keys of each batch; of all of them where it is left out. */
  readonly lengths?: readonly number[] | undefined;
}

/** A checked call. */
export interface Plan {
  readonly operation: string;
  /** [B, H, L, D] */
  readonly query: Tensor;
  readonly shapes: Shapes;
  readonly checked: Scores;
  readonly causal: boolean;
  readonly out: Tensor | undefined;
  /** Spans of which some row sees a key, by their numbers in the whole sequence. */
  readonly from: number;
  readonly to: number;
}

/** Positions in a shard stay clear of what 32 bits can say. */
const MOST_KEYS = 2 ** 30;

export function planOf(
  operation: string,
  query: unknown,
  sizes: KeySizes,
  options: ShardedOptions,
): Plan {
  const layout = checkLayout(operation, options.layout);
  const given = checkTensor(operation, "query", query);
  const { heads } = options;
  const view = viewOf(operation, "query", layout, given.dims, heads ?? 1);
  checkSizes(operation, given, view, sizes);
  const inputs = { query: given, ...keysOf(view, given.dims.length, layout, sizes) };
  const groups = layout === "BLE" ? { keyValueHeads: sizes.keyValueHeads } : {};
  const shapes = checkShapes(operation, inputs, layout, { heads, ...groups });
  const visibility = checkVisibility(operation, shapes, {
    ...options,
    keyLengths: lengthsOf(operation, shapes.batch, sizes, options),
  });
  const checked = checkScores(operation, shapes, visibility, options);
  if (checked.masks.each.some(({ origin }) => origin !== undefined)) {
    const expected = "masks { data, dims }: a relative bias is not cut for shards";
    throw new ArgumentError(operation, "mask", expected, "one of relativeBias");
  }
  const { from, to } = seenOf(shapes, checked);
  return {
    operation,
    query: byHeads(given, view),
    shapes,
    checked,
    causal: options.causal !== undefined && options.causal !== false,
    out: checkOut(operation, options.out, shapes.outputDims),
    from: Math.floor(from / SPAN_KEYS),
    to: Math.ceil(to / SPAN_KEYS),
  };
}

function checkSizes(operation: string, query: Tensor, view: View, sizes: KeySizes): void {
  const { keyValueHeads, headSize, keys } = sizes;
  if (view.size !== headSize) {
    const expected = `heads of D = ${headSize}, as the shards' keys`;
    throw new ArgumentError(operation, "query.dims", expected, describe(query.dims));
  }
  if (view.heads % keyValueHeads) {
    const expected = `heads that the shards' Hkv = ${keyValueHeads} divides`;
    throw new ArgumentError(operation, "query.dims", expected, describe(query.dims));
  }
  if (keys >= MOST_KEYS) {
    throw new ArgumentError(operation, "shards", `fewer than ${MOST_KEYS} keys`, `${keys}`);
  }
}

const NO_DATA = new Float32Array(0);

/** Dims of all keys and values as one tensor, for the checks of attend. */
function keysOf(view: View, rank: number, layout: Layout, sizes: KeySizes) {
  const { keyValueHeads, keys } = sizes;
  const of = (size: number): Tensor => {
    if (layout === "BLE") {
      const dims = [view.batch, keys, keyValueHeads * size];
      return { data: NO_DATA, dims: dims.slice(-rank) };
    }
    if (rank === 2) return { data: NO_DATA, dims: [keys, size] };
    const axes = layout === "BHLD" ? [keyValueHeads, keys] : [keys, keyValueHeads];
    return { data: NO_DATA, dims: [view.batch, ...axes, size].slice(-rank) };
  };
  return { key: of(sizes.headSize), value: of(sizes.valueSize) };
}

/** Keys of each batch: as many as there are, or as the caller says. */
function lengthsOf(
  operation: string,
  batch: number,
  { lengths }: KeySizes,
  { keyLengths }: ShardedOptions,
): ShardedOptions["keyLengths"] {
  if (!lengths) return keyLengths;
  if (lengths.length !== batch) {
    const expected = `a batch of ${lengths.length}, as the shards' sequences`;
    throw new ArgumentError(operation, "query.dims", expected, `B = ${batch}`);
  }
  if (!keyLengths) return lengths;
  const asked = Array.from(keyLengths);
  for (const [b, length] of asked.entries()) {
    // As many as of the batch or not: the checks of attend say.
    if (b >= batch || length <= (lengths[b] as number)) continue;
    const expected = `at most the ${lengths[b]} keys that there are`;
    throw new ArgumentError(operation, `keyLengths[${b}]`, expected, describe(length));
  }
  return asked;
}

/** The sequences as they were checked. */
function sequencesOf({ sequences }: Scores["visibility"], batch: number) {
  return Array.from({ length: batch }, (_, b) => {
    const word = (name: number) => sequences[b * Sequence.words + name] as number;
    return {
      queries: word(Sequence.queries),
      keys: word(Sequence.keys),
      position: word(Sequence.position),
    };
  });
}

/** Queries of each batch. */
export function queryLengthsOf({ shapes, checked }: Plan): readonly number[] {
  return sequencesOf(checked.visibility, shapes.batch).map(({ queries }) => queries);
}

/** From the first to after the last key that any row may see by its position. */
function seenOf({ batch }: Shapes, { visibility, masks }: Scores): { from: number; to: number } {
  const { left, right } = visibility;
  let [from, to] = [Infinity, 0];
  for (const { queries, keys, position } of sequencesOf(visibility, batch)) {
    if (!queries) continue;
    const first = left === UNLIMITED ? 0 : Math.max(position - left, 0);
    const after = right === UNLIMITED ? keys : Math.min(position + queries + right, keys);
    if (first >= after) continue;
    from = Math.min(from, first);
    to = Math.max(to, after);
  }
  to = Math.min(to, ...masks.each.map(({ columns }) => columns));
  return from < to ? { from, to } : { from: 0, to: 0 };
}

/** What is asked of keys [first, first + keys), whose spans are `spans` of a shard's. */
export function optionsFor(
  { shapes, checked, causal }: Plan,
  first: number,
  keys: number,
  spans: ShardOptions["spans"],
): ShardOptions {
  const { visibility, scoring, masks } = checked;
  const sequences = sequencesOf(visibility, shapes.batch);
  const { left, right } = visibility;
  const side = (name: "left" | "right", count: number) => count < UNLIMITED && { [name]: count };
  const { alibi, sinks } = scoring;
  const slopes = alibi && {
    slopes: alibi.slopes,
    distance: alibi.distance === AlibiDistance.signed ? ("signed" as const) : ("absolute" as const),
  };
  return {
    spans,
    scale: scoring.scale,
    causal,
    queryOffset: sequences.map(({ position }) => position - first),
    queryLengths: sequences.map(({ queries }) => queries),
    keyLengths: sequences.map((each) => Math.min(Math.max(each.keys - first, 0), keys)),
    window: { ...side("left", left), ...(!causal && side("right", right)) },
    softcap: scoring.softcap,
    ...(slopes && { alibi: slopes }),
    ...(sinks && first === 0 && { sinks: Array.from(sinks) }),
    masks: masks.each.map((mask) => cutMask(mask, first, keys)),
  };
}

/** Columns [first, first + keys) of a mask, padded with what leaves out where it is shorter. */
function cutMask(mask: CheckedMask, first: number, keys: number): ShardMask {
  const { data, dims, kind } = mask;
  const width = dims.at(-1) ?? 1;
  if (width === 1 || mask.strides[3] === 0) return { data: copied(data), dims: [...dims] };
  const rows = elementsOf(dims) / width;
  const end = Math.min(first + keys, width);
  const cut =
    kind === MaskKind.boolean
      ? new Uint8Array(rows * keys)
      : new Float32Array(rows * keys).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    cut.set(data.subarray(row * width + first, row * width + end), row * keys);
  }
  return { data: cut, dims: [...dims.slice(0, -1), keys] };
}

const copied = (data: Float32Array | Uint8Array) => data.slice();
