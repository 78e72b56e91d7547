// Cases of shards: tensors and a cache, more spans than one, and back through them.

import { filled } from "./numbers";
import type { Operation } from "./operations";

const [H, Hkv, D, Dv] = [4, 2, 16, 24];
const [FIRST, REST] = [4096, 333];
const options = { causal: true, queryOffset: FIRST + REST - 3, sinks: [0.5, -1, 2, 0] } as const;

/** Where memory ran out in a shard, that is what is told. */
function withCause(error: Error): never {
  throw error.cause ?? error;
}

export const shards: Operation[] = [
  [
    "attendSharded, tensors and a cache",
    async (attention, wasm) => {
      const query = filled([1, H, 3, D], 901);
      const held = { key: filled([1, Hkv, FIRST, D], 902), value: filled([1, Hkv, FIRST, Dv], 903) };
      using cache = wasm.createCache(attention, { keyValueHeads: Hkv, headSize: D, valueSize: Dv });
      cache.append(filled([1, Hkv, REST, D], 904), filled([1, Hkv, REST, Dv], 905));
      const all = [wasm.localShard(attention, held), wasm.localShard(attention, { cache })];
      const asked = wasm.attendSharded(attention, query, all, { ...options, softcap: 9 });
      const { output, logSumExp } = await asked.catch(withCause);
      return [output, logSumExp];
    },
  ],
  [
    "attendShardedBackward",
    async (attention, wasm) => {
      const query = filled([1, H, 3, D], 911);
      const all = [FIRST, REST].map((keys, index) =>
        wasm.trainingShard(attention, {
          key: filled([1, Hkv, keys, D], 912 + index),
          value: filled([1, Hkv, keys, Dv], 914 + index),
        }),
      );
      const given = { ...options, window: { left: 300 } };
      const forward = await wasm.attendSharded(attention, query, all, given).catch(withCause);
      const pass = { ...forward, query, outputGradient: filled([1, H, 3, Dv], 916) };
      const { queryGradient, sinksGradient, shards } = await wasm
        .attendShardedBackward(attention, pass, all, { ...given, gradients: { sinks: true } })
        .catch(withCause);
      return [
        queryGradient,
        sinksGradient,
        ...shards.flatMap(({ keyGradient, valueGradient }) => [keyGradient, valueGradient]),
      ];
    },
  ],
];
