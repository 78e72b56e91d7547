// The spans of one query that a worker has. Those that are asked alike are one call, whose batch they are: with
// 65,536 keys 16 calls took 0.7 ms each more than their keys did (npm run bench:shards).

import type { Attention, Tensor } from "wasm-attention";
import { localShard, type ShardOptions } from "wasm-attention/shards";
import type { Message, Numbers } from "./codec";
import { SPAN } from "./plan";
import type { Store } from "./worker";

/** One span that is asked for. */
export interface Item {
  readonly span: number;
  /** Keys of it that take part. */
  readonly keys: number;
  /** As of a shard, but that arrays stand behind the header, by their number. */
  readonly options: Record<string, unknown>;
}

/** An item, and the cache's sequence of its span. */
interface Found extends Item {
  readonly own: number;
}

/** Most numbers of the queries, or of the states, of one call: it can be ended between two. */
const MOST_AT_ONCE = 2 ** 20;

/** Numbers of the state of one span: sums, m and l of each row. */
export const stateNumbers = (rows: number, valueSize: number) =>
  rows * (8 * Math.ceil(valueSize / 8) + 2);

/** The states of the spans that are asked for, in their order. */
export async function attendSpans(
  attention: Attention,
  store: Store,
  { header, arrays }: Message,
  signal: AbortSignal,
): Promise<[object, Numbers[]]> {
  const { sequence, epoch, dims, items } = header;
  const held = store.sequences.get(String(sequence));
  if (!held) return [{ refused: `no sequence ${sequence}` }, []];
  if (held.epoch !== epoch) return [{ stale: held.epoch }, []];
  if (!Array.isArray(items) || items.length > 2 ** 16) return [{ refused: "no items" }, []];
  const query = { data: arrays[0], dims } as Tensor;
  const found: Found[] = [];
  const results = (items as Item[]).map(({ span, keys, options }) => {
    const own = held.spans.get(span);
    if (own === undefined || held.lost.has(span) || !(store.cache.length(own) >= keys))
      return { span, error: "a span that is not here" };
    found.push({ span, keys, options, own });
    return { span };
  });
  const states: Float32Array[] = [];
  for (const together of grouped(found, query, store.deployment.valueSize)) {
    const sequences = together.map(({ own }) => own);
    // Those of one call are cut by their keyLengths.
    const keys = together.length === 1 ? (together[0] as Found).keys : SPAN;
    const shard = localShard(attention, { cache: store.cache, sequences, keys });
    const asked = unpackOptions(batched(together), arrays);
    const [state] = await shard.attend(repeated(query, together.length), asked, signal);
    states.push(...parted(state as Float32Array, query, together.length));
  }
  return [{ items: results }, states];
}

/** What spans of one call differ in: a number for each row of the batch. */
const EACH = ["queryOffset", "queryLengths", "keyLengths"] as const;

/** What is the same of all spans of one call, as text; none where it has to be a call of its own. */
function alike({ options }: Found): string | undefined {
  const { queryOffset, queryLengths, keyLengths, masks, sinks, ...rest } = options;
  const each = [queryOffset, queryLengths, keyLengths];
  const one = each.every((numbers) => Array.isArray(numbers) && numbers.length === 1);
  const plain = Array.isArray(masks) && !masks.length && sinks === undefined;
  return one && plain ? JSON.stringify(rest) : undefined;
}

/** Runs of spans that are asked alike. */
function grouped(found: readonly Found[], query: Tensor, valueSize: number): Found[][] {
  const { data, dims } = query;
  const [batch, heads = 1, queries = 1] = dims ?? [];
  const each = Math.max(data.length, stateNumbers(heads * queries, valueSize));
  const most = batch === 1 ? Math.max(1, Math.floor(MOST_AT_ONCE / each)) : 1;
  const groups: Found[][] = [];
  let last: string | undefined;
  for (const item of found) {
    const group = groups.at(-1);
    const text = alike(item);
    if (group && text !== undefined && text === last && group.length < most) group.push(item);
    else groups.push([item]);
    last = text;
  }
  return groups;
}

/** The options of several spans as those of one batch. */
function batched(together: readonly Found[]): Record<string, unknown> {
  const [{ options }] = together as [Found];
  const lists = EACH.map((name) => [name, together.flatMap((one) => one.options[name])]);
  return together.length === 1 ? options : { ...options, ...Object.fromEntries(lists) };
}

/** The query once for each. */
function repeated({ data, dims }: Tensor, count: number): Tensor {
  if (count === 1) return { data, dims };
  const all = new Float32Array(count * data.length);
  for (let at = 0; at < count; at++) all.set(data, at * data.length);
  return { data: all, dims: [count, ...dims.slice(1)] };
}

/** The state of each span from that of the batch: sums [rows][columns], m [rows], l [rows]. */
function parted(state: Float32Array, { dims }: Tensor, count: number): Float32Array[] {
  if (count === 1) return [state];
  const [, heads = 0, queries = 0] = dims;
  const rows = heads * queries;
  const sums = state.length / count - 2 * rows;
  const [m, l] = [count * sums, count * (sums + rows)];
  return Array.from({ length: count }, (_, at) => {
    const one = new Float32Array(sums + 2 * rows);
    one.set(state.subarray(at * sums, (at + 1) * sums));
    one.set(state.subarray(m + at * rows, m + (at + 1) * rows), sums);
    one.set(state.subarray(l + at * rows, l + (at + 1) * rows), sums + rows);
    return one;
  });
}

/** Options whose arrays stand behind a header. */
export function packOptions(options: ShardOptions, arrays: Numbers[]): Record<string, unknown> {
  // What is the same for every span travels once.
  const put = (array: Numbers) => {
    const at = arrays.indexOf(array);
    return at < 0 ? arrays.push(array) - 1 : at;
  };
  const { sinks, alibi, masks, ...rest } = options;
  return {
    ...rest,
    ...(sinks && { sinks: put(floats(sinks)) }),
    ...(alibi && { alibi: { ...alibi, slopes: put(floats(alibi.slopes)) } }),
    masks: masks.map(({ data, dims }) => ({ data: put(data), dims })),
  };
}

const floats = (numbers: ArrayLike<number>) =>
  numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);

function unpackOptions(options: Record<string, unknown>, arrays: readonly Numbers[]): ShardOptions {
  const { sinks, alibi, masks, ...rest } = options as Record<string, never>;
  const at = (index: unknown) => arrays[index as number];
  const slopes = alibi !== undefined && {
    ...(alibi as object),
    slopes: at((alibi as { slopes: 0 }).slopes),
  };
  return {
    ...(rest as object),
    ...(sinks !== undefined && { sinks: at(sinks) }),
    ...(slopes ? { alibi: slopes } : {}),
    masks: (masks as { data: 0; dims: number[] }[]).map(({ data, dims }) => ({
      data: at(data),
      dims,
    })),
  } as unknown as ShardOptions;
}
