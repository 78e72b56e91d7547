import { createCache } from "wasm-attention/cache";
import { int16 } from "wasm-attention/integers";
import { relativeBias } from "wasm-attention/positions";
import {
  attendSharded,
  fileShard,
  localShard,
  mergeSpans,
  type Shard,
  type ShardedOptions,
  type ShardOptions,
} from "wasm-attention/shards";
import { sparsemax } from "wasm-attention/variants";
import type { Whole } from "../engines";
import { type Call, none, type Refusal, zeros } from "./refusal";

/** A shard of so many keys, of two heads of 8 numbers. */
const shard = (attention: Whole, keys = 5, more: object = {}): Shard => ({
  ...localShard(attention, { key: zeros(1, 2, keys, 8), value: zeros(1, 2, keys, 8) }),
  ...more,
});
const query = zeros(1, 4, 3, 8);

const sharded =
  (options: object, more: object = {}) =>
  (attention: Whole) =>
    attendSharded(attention, query, [shard(attention, 5, more)], options as ShardedOptions);

const over = (make: (attention: Whole) => readonly unknown[]) => (attention: Whole) =>
  attendSharded(attention, query, make(attention) as Shard[]);

const local =
  (from: object): Call =>
  (attention) =>
    localShard(attention, from as never);

const merged =
  (states: unknown, options: object): Call =>
  (attention) =>
    mergeSpans(attention, states as Float32Array[], options as never);
const dims = [1, 4, 3, 8];
const state = new Float32Array(4 * 3 * 10);

export const shardsRefused: readonly Refusal[] = [
  ['localShard: "from" expected an object, got undefined', local(none as never)],
  [
    'localShard: "value.dims" expected the key\'s rows, 5, got [1, 2, 4, 8]',
    local({ key: zeros(1, 2, 5, 8), value: zeros(1, 2, 4, 8) }),
  ],
  [
    'localShard: "value.dims" expected the key\'s heads, 2, got [1, 1, 5, 8]',
    local({ key: zeros(1, 2, 5, 8), value: zeros(1, 1, 5, 8) }),
  ],
  ['localShard: "cache" expected a cache, got an object with {}', local({ cache: {} })],
  [
    'localShard: "cache" expected one that keeps all tokens, got one with a window',
    (attention) => {
      using cache = createCache(attention, { keyValueHeads: 2, headSize: 8, window: 9 });
      return localShard(attention, { cache });
    },
  ],
  [
    'localShard: "cache" expected one whose page size divides a span of 4096, got one with pages of 96',
    (attention) => {
      using cache = createCache(attention, { keyValueHeads: 2, headSize: 8, pageSize: 96 });
      return localShard(attention, { cache });
    },
  ],
  [
    'localShard: "sequences[1]" expected a sequence of this cache, such as 0, got 7',
    (attention) => {
      using cache = createCache(attention, { keyValueHeads: 2, headSize: 8 });
      return localShard(attention, { cache, sequences: [0, 7] });
    },
  ],
  ['mergeSpans: "states" expected an array of them, got undefined', merged(undefined, { dims })],
  [
    'mergeSpans: "states[1]" expected a Float32Array of 120, got Float32Array of 3',
    merged([state, new Float32Array(3)], { dims }),
  ],
  [
    'mergeSpans: "keys" expected at least 2 spans of 4096, got 4096',
    merged([state, state], { dims, keys: 4096 }),
  ],
  [
    'mergeSpans: "fused" expected false: this engine\'s multiply-adds round twice, got true',
    merged([state], { dims, fused: true }),
  ],
];

type Later = readonly [message: string, call: (attention: Whole) => Promise<unknown>];

/** Of calls that reject. */
export const shardsRefusedLater: readonly Later[] = [
  ['attendSharded: "shards" expected an array of at least one, got []', over(() => [])],
  [
    'attendSharded: "shards[1]" expected a shard, got an object with {keys}',
    over((attention) => [shard(attention, 4096), { keys: 3 }]),
  ],
  [
    'attendSharded: "shards[0].keys" expected whole spans of 4096 keys in all shards but the last, got 5',
    over((attention) => [shard(attention), shard(attention)]),
  ],
  [
    'attendSharded: "shards[0].keys" expected a number of keys, or one for each batch, got 2.5',
    sharded({}, { keys: 2.5 }),
  ],
  [
    'attendSharded: "shards[1].headSize" expected 8, as of the first shard, got 16',
    over((attention) => [shard(attention, 4096), shard(attention, 3, { headSize: 16 })]),
  ],
  [
    'attendSharded: "shards[1].keys" expected 0 for batch 1, which ends in a shard before, after 7 keys, got 2',
    over((attention) => [
      shard(attention, 4096, { keys: [4096, 7] }),
      shard(attention, 3, { keys: [3, 2] }),
    ]),
  ],
  [
    'attendSharded: "query.dims" expected a batch of 2, as the shards\' sequences, got B = 1',
    sharded({}, { keys: [3, 2] }),
  ],
  [
    'attendSharded: "query.dims" expected heads of D = 16, as the shards\' keys, got [1, 4, 3, 8]',
    sharded({}, { headSize: 16 }),
  ],
  [
    'attendSharded: "query.dims" expected heads that the shards\' Hkv = 3 divides, got [1, 4, 3, 8]',
    sharded({}, { keyValueHeads: 3 }),
  ],
  [
    'attendSharded: "shards[0].fused" expected multiply-adds that round twice, or allowMixed, got once',
    sharded({}, { fused: true }),
  ],
  [
    'attendSharded: "weights" expected no value: they are of all keys, which stay where they are; `logSumExp` makes any of them anew, got true',
    sharded({ weights: true }),
  ],
  [
    'attendSharded: "scores" expected no value: they are of all keys, which stay where they are, got "raw"',
    sharded({ scores: "raw" }),
  ],
  [
    'attendSharded: "scoreMod" expected no value: a function cannot be sent; `mask`, `alibi` and `softcap` can, got a function',
    sharded({ scoreMod: () => undefined }),
  ],
  [
    'attendSharded: "precision" expected no value: a shard\'s numbers are its own, got an object with {name, option}',
    sharded({ precision: int16 }),
  ],
  [
    'attendSharded: "normalizer" expected no value: only states of softmax can be merged, got an object with {name, option}',
    sharded({ normalizer: sparsemax }),
  ],
  [
    'attendSharded: "mask" expected masks { data, dims }: a relative bias is not cut for shards, got one of relativeBias',
    sharded({ mask: relativeBias(zeros(99)) }),
  ],
  [
    'attendSharded: "dropout" expected no value: which weights it drops follows from the number of a key in one call, got an object with {probability, seed}',
    sharded({ dropout: { probability: 0.5, seed: 1 } }),
  ],
  [
    'attendSharded: "blockMask" expected no value: its blocks need not end where shards do; `mask` is cut for each of them, got an object with {}',
    sharded({ blockMask: {} }),
  ],
  [
    'attendSharded: "keyValueHeads" expected no value: shards know them, got 2',
    sharded({ keyValueHeads: 2 }),
  ],
  [
    'attendSharded: "logSumExp" expected no value: it is always returned, got false',
    sharded({ logSumExp: false }),
  ],
  [
    'attendSharded: "alibi.distance" expected "absolute" or "signed": a shard counts keys from its own first, got "key"',
    sharded({ alibi: { slopes: [1, 1, 1, 1], distance: "key" } }),
  ],
  ['attendSharded: "allowMissing" expected a boolean, got 1', sharded({ allowMissing: 1 })],
  [
    'attendSharded: "keyLengths[0]" expected at most the 3 keys that there are, got 4',
    sharded({ keyLengths: [4] }, { keys: [3] }),
  ],
  [
    'attendSharded: "allowMiss" expected the name "allowMissing", got an option that does not exist',
    sharded({ allowMiss: true }),
  ],
  [
    'attend: "spans" expected some of the 1 spans that are there, got 0 to 2',
    async (attention) =>
      shard(attention).attend(query, { spans: { from: 0, to: 2 } } as ShardOptions),
  ],
  [
    "fileShard: \"source\" expected a file that can be opened, got Error: ENOENT: no such file or directory, open '/none'",
    (attention) => fileShard(attention, "/none"),
  ],
];
