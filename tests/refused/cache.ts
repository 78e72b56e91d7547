import {
  type AttentionCache,
  appendPaged,
  attendPaged,
  createCache,
  PrefixIndex,
} from "wasm-attention/cache";
import { type Call, none, q, type Refusal, zeros } from "./refusal";

const sizes = { keyValueHeads: 2, headSize: 8 };
const made =
  (options: object): Call =>
  (attention) =>
    createCache(attention, { ...sizes, ...options });

/** On a cache of two sequences of 4 tokens, which is gone afterwards. */
const on =
  (call: (cache: AttentionCache) => unknown, options: object = {}): Call =>
  (attention) => {
    using cache = createCache(attention, { ...sizes, sequences: 2, ...options });
    const tokens = zeros(2, 2, 4, 8);
    cache.append(tokens, tokens);
    return call(cache);
  };
const two = zeros(2, 2, 4, 8);

/** With tokens before 64 evicted, of 110. */
const windowed = (call: (cache: AttentionCache) => unknown): Call =>
  on(
    (cache) => {
      const tokens = zeros(1, 2, 100, 8);
      cache.append(tokens, tokens, { sequences: [0] });
      cache.append(zeros(1, 2, 6, 8), zeros(1, 2, 6, 8), { sequences: [0] });
      return call(cache);
    },
    { window: 40, pageSize: 16, sinks: 4 },
  );

const pages = zeros(4, 16, 2, 8);
const paged =
  (options: object, keys = pages, values: unknown = pages): Call =>
  (attention) =>
    attendPaged(attention, q, keys, values as never, {
      blockTable: [0, 1],
      lengths: [20],
      ...options,
    });

const integer = "expected an integer from 1, got";
export const cacheRefused: Refusal[] = [
  [
    'createCache: "options" expected { keyValueHeads, headSize, … }, got undefined',
    (a) => createCache(a, undefined as never),
  ],
  [`createCache: "headSize" ${integer} 0`, made({ headSize: 0 })],
  [`createCache: "keyValueHeads" ${integer} undefined`, made({ keyValueHeads: undefined })],
  [`createCache: "valueSize" ${integer} 1.5`, made({ valueSize: 1.5 })],
  [`createCache: "pageSize" ${integer} "16"`, made({ pageSize: "16" })],
  [`createCache: "window" ${integer} 0`, made({ window: 0 })],
  ['createCache: "sinks" expected an integer from 0, got -1', made({ sinks: -1 })],
  [
    'createCache: "sinks" expected no value without a window: all tokens are seen, got 4',
    made({ sinks: 4 }),
  ],
  [
    'createCache: "numbers" expected "float32", "int16", "int8", "int4", got "float64"',
    made({ numbers: "float64" }),
  ],
  ['createCache: "sequences" expected an integer from 0, got -1', made({ sequences: -1 })],
  [
    'createCache: "pageSize" expected at most 1073741824 bytes a page, got 16777216, which makes 2147483648',
    made({ pageSize: 2 ** 24 }),
  ],
  [
    'createCache: "rotary.pairing" expected "half" or "interleaved", got "both"',
    made({ rotary: { pairing: "both" } }),
  ],
  [
    'createCache: "rotary.frequencies" expected a Float32Array, got 3',
    made({ rotary: { frequencies: 3 } }),
  ],
  [
    'createCache: "rotary.theta" expected the name "base", got an option that does not exist',
    made({ rotary: { theta: 1e4 } }),
  ],
  [
    'append: "key" expected a tensor { data, dims }, got undefined',
    on((cache) => cache.append(none, two)),
  ],
  [
    'append: "key.dims" expected Hkv = 2, D = 8, got [2, 1, 4, 8]',
    on((cache) => cache.append(zeros(2, 1, 4, 8), two)),
  ],
  [
    'append: "value.dims" expected Hkv = 2, Dv = 8, got [2, 2, 4, 9]',
    on((cache) => cache.append(two, zeros(2, 2, 4, 9))),
  ],
  [
    'append: "value.dims" expected B = 2, L = 4 of the key, got [2, 2, 5, 8]',
    on((cache) => cache.append(two, zeros(2, 2, 5, 8))),
  ],
  [
    'append: "sequences" expected the 2 sequences of the cache as batch, or sequences for each of 1 rows, got 1 rows',
    on((cache) => cache.append(q, q)),
  ],
  [
    'append: "sequences" expected one sequence for each of 1 rows of the batch, got [0, 1]',
    on((cache) => cache.append(q, q, { sequences: [0, 1] })),
  ],
  [
    'append: "sequences[0]" expected a sequence of this cache, such as 0, 1, got 7',
    on((cache) => cache.append(q, q, { sequences: [7] })),
  ],
  [
    'append: "sequences[1]" expected each sequence once, got one a second time',
    on((cache) => cache.append(two, two, { sequences: [0, 0] })),
  ],
  [
    'append: "lengths" expected one integer for each of 2 rows of the batch, got [1]',
    on((cache) => cache.append(two, two, { lengths: [1] })),
  ],
  [
    'append: "lengths[1]" expected an integer from 0 to L = 4, got 5',
    on((cache) => cache.append(two, two, { lengths: [1, 5] })),
  ],
  [
    'append: "positions" expected no value without the cache\'s option rotary, got 3',
    on((cache) => cache.append(two, two, { positions: 3 })),
  ],
  [
    'append: "positions[0]" expected an integer from −2²⁴ to 2²⁴, got 33554432',
    on((cache) => cache.append(two, two, { positions: 2 ** 25 }), { rotary: {} }),
  ],
  [
    'attend: "causal" expected true, "lower-right" or false: queries are the last tokens, or at queryOffset, got "upper-left"',
    on((cache) => cache.attend(two, { causal: "upper-left" as never })),
  ],
  [
    'attend: "query.dims" expected the axis of heads too: the cache has 2 of keys, got [4, 8]',
    on((cache) => cache.attend(zeros(4, 8), { sequences: [0] })),
  ],
  [
    'attend: "query.dims" expected a last axis of D = 8, got [2, 4, 4, 6]',
    on((cache) => cache.attend(zeros(2, 4, 4, 6))),
  ],
  [
    'attend: "query.dims" expected H a multiple of Hkv = 2, got [2, 3, 4, 8]',
    on((cache) => cache.attend(zeros(2, 3, 4, 8))),
  ],
  [
    'attend: "query.dims" expected a last axis of whole heads of D = 8, got [2, 4, 12]',
    on((cache) => cache.attend(zeros(2, 4, 12), { layout: "BLE" })),
  ],
  [
    'attend: "queryLengths" expected one integer for each of 2 batches, got [1]',
    on((cache) => cache.attend(two, { queryLengths: [1] })),
  ],
  [
    'attend: "query" expected queries from token 103 on, since those before 64 are evicted, got one at 102',
    windowed((cache) => cache.attend(zeros(1, 2, 8, 8), { sequences: [0] })),
  ],
  [
    'attend: "queryOffset" expected queries from token 103 on, since those before 64 are evicted, got one at 50',
    windowed((cache) => cache.attend(zeros(1, 2, 1, 8), { sequences: [0], queryOffset: 50 })),
  ],
  [
    'attend: "scores" expected another kind: raw ones are of all tokens, and some are evicted, got "raw"',
    windowed((cache) => cache.attend(zeros(1, 2, 1, 8), { sequences: [0], scores: "raw" })),
  ],
  [
    'attend: "window.left" expected at most 39 before its own, by the cache\'s window of 40, got 40',
    windowed((cache) => cache.attend(zeros(1, 2, 1, 8), { sequences: [0], window: { left: 40 } })),
  ],
  [
    'truncate: "length" expected 0, or from 103 on: tokens before 64 are evicted, got 102',
    windowed((cache) => cache.truncate(0, 102)),
  ],
  [
    'read: "from" expected tokens from 64 on: those before are evicted, but for 4 sinks, got 3',
    windowed((cache) => cache.read(0, { from: 3, to: 5 })),
  ],
  [
    'shift: "sequence" expected a cache without a window, which drops tokens by itself, got one of a window of 40',
    windowed((cache) => cache.shift(0, { drop: 1 })),
  ],
  [
    'truncate: "length" expected an integer from 0 to 4, got 5',
    on((cache) => cache.truncate(0, 5)),
  ],
  [
    'shift: "drop" expected an integer from 0 to 3, got 4',
    on((cache) => cache.shift(0, { keep: 1, drop: 4 })),
  ],
  [
    'read: "to" expected an integer from 2 to 4, got 1',
    on((cache) => cache.read(0, { from: 2, to: 1 })),
  ],
  [
    'reorder: "from" expected one sequence for each of 2, got [0]',
    on((cache) => cache.reorder([0])),
  ],
  [
    'reorder: "from[1]" expected a sequence of this cache, such as 0, 1, got "1"',
    on((cache) => cache.reorder([0, "1" as never])),
  ],
  [
    'reorder: "sequences[1]" expected each sequence once, got 1 again',
    on((cache) => cache.reorder([0, 0], [1, 1])),
  ],
  [
    'fork: "sequence" expected a sequence of this cache, such as 0, 1, got "0"',
    on((cache) => cache.fork("0" as never)),
  ],
  [
    'import: "bytes" expected a Uint8Array, from export(), got "x"',
    on((cache) => cache.import("x" as never)),
  ],
  [
    'copyTo: "other" expected a cache, got an object with {}',
    on((cache) => cache.copyTo({} as never)),
  ],
  ['PrefixIndex: "cache" expected a cache, got undefined', () => new PrefixIndex(none)],
  [
    'PrefixIndex: "maximumBytes" expected a number from 0, got -1',
    on((cache) => new PrefixIndex(cache, { maximumBytes: -1 })),
  ],
  [
    'add: "tokens" expected at most the 4 of the sequence, got 5',
    on((cache) => new PrefixIndex(cache).add(0, [1, 2, 3, 4, 5])),
  ],
  [
    'attendPaged: "keyPages.dims" expected [pages, pageSize, Hkv, D], none but pages 0, got [4, 16, 2]',
    paged({}, zeros(4, 16, 2)),
  ],
  [
    'attendPaged: "valuePages.dims" expected [pages, pageSize, Hkv, Dv] as the [4, 16, 2, 8] of keyPages, got [4, 15, 2, 8]',
    paged({}, pages, zeros(4, 15, 2, 8)),
  ],
  [
    'attendPaged: "lengths[0]" expected an integer from 0 to 32, what the table has pages for, got 33',
    paged({ lengths: [33] }),
  ],
  [
    'attendPaged: "blockTable[1]" expected a page from 0 to 3, got -1',
    paged({ blockTable: [0, -1] }),
  ],
  [
    'attendPaged: "valueSize" expected at most D = 8, without valuePages, got 9',
    (attention) =>
      attendPaged(attention, q, pages, undefined, {
        blockTable: [0, 1],
        lengths: [20],
        valueSize: 9,
      }),
  ],
  [
    'appendPaged: "slotMapping[1]" expected −1, or a slot from 0 to 63, got 64',
    () => appendPaged(zeros(1, 2, 2, 8), zeros(1, 2, 2, 8), pages, pages, { slotMapping: [0, 64] }),
  ],
  [
    'appendPaged: "value" expected a tensor, for valuePages, got undefined',
    () => appendPaged(zeros(1, 2, 1, 8), undefined, pages, pages, { slotMapping: [0] }),
  ],
];
