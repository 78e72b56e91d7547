// Cases of attend: a shape, options, and numbers that follow from the case's place in the list.

import type { AttendOptions, Layout, ScoreTile } from "wasm-attention";
import { flags, floats } from "./numbers";

export interface Shape {
  batch?: number;
  heads?: number;
  keyValueHeads?: number;
  queries: number;
  keys?: number;
  size?: number;
  valueSize?: number;
  layout?: Layout;
  /** 4, or 3 and 2 without the batch, then the heads. */
  rank?: number;
  /** What every element is multiplied by; 1. */
  amplitude?: number;
  /** Keys from here on hold NaN, and so do their values. */
  poisonedFrom?: number;
}

export type AttendCase = [name: string, shape: Shape, options?: AttendOptions];

const everything: AttendOptions = { weights: true, scores: "biased", logSumExp: true };

/** 1; a tile of 64 queries by 128 keys and its neighbours; register blocks of 4 by 8; primes. */
const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 97, 127, 128, 129, 193];

const sizes: AttendCase[] = lengths.flatMap((n): AttendCase[] => [
  [`${n} tokens`, { queries: n, heads: 1 + (n % 3) }],
  [`${n} tokens, causal`, { queries: n, heads: 1 + (n % 2) }, { causal: true, logSumExp: true }],
]);

const headSizes: AttendCase[] = [1, 2, 7, 8, 31, 33, 64, 80, 127, 128].map((size) => [
  `head size ${size}`,
  { queries: 19, keys: 23, size, valueSize: size === 33 ? 1 : size === 80 ? 37 : size },
]);

const layouts: AttendCase[] = [
  ...(["BHLD", "BLHD", "BLE"] as const).flatMap((layout) =>
    [4, 3].flatMap((rank) =>
      [false, true].map((causal): AttendCase => {
        const shape = { layout, rank, queries: 13, keys: 21, heads: 3, size: 12, valueSize: 20 };
        return [`${layout}, rank ${rank}, causal ${causal}`, shape, { causal, weights: true }];
      }),
    ),
  ),
  ["[L, D]", { rank: 2, queries: 70, keys: 71, size: 24 }, { causal: true, logSumExp: true }],
  [
    "BLE, grouped",
    { layout: "BLE", heads: 6, keyValueHeads: 2, queries: 33, keys: 40 },
    everything,
  ],
];

const visibility: AttendCase[] = [
  ["lower-right", { queries: 20, keys: 150 }, { causal: "lower-right", logSumExp: true }],
  ["lower-right, more queries than keys", { queries: 90, keys: 30 }, { causal: "lower-right" }],
  ["query offset", { queries: 30, keys: 80 }, { causal: true, queryOffset: 41 }],
  ["query offset of each", { queries: 30, keys: 80 }, { causal: true, queryOffset: [3, -7] }],
  ["window", { queries: 140, keys: 140 }, { window: { left: 17, right: 5 } }],
  ["window, causal", { queries: 200, heads: 1 }, { window: { left: 64 }, causal: true }],
  ["window to the right", { queries: 70, keys: 90 }, { window: { right: 0 }, weights: true }],
  ["window of one", { queries: 67 }, { window: { left: 0, right: 0 }, logSumExp: true }],
  [
    "window, lower-right",
    { queries: 40, keys: 99 },
    { causal: "lower-right", window: { left: 9 } },
  ],
  ["key lengths", { queries: 66, keys: 131 }, { keyLengths: [131, 5], logSumExp: true }],
  ["query lengths", { queries: 66, keys: 131 }, { queryLengths: [1, 65], logSumExp: true }],
  ["no key", { queries: 9, keys: 12 }, { keyLengths: [0, 12], ...everything }],
  [
    "both lengths, lower-right",
    { queries: 50, keys: 75 },
    { queryLengths: [50, 11], keyLengths: [60, 75], causal: "lower-right" },
  ],
  [
    "blocks",
    { queries: 100, keys: 130 },
    { blockMask: { data: flags(7 * 9, 5), dims: [1, 1, 7, 9], size: 16 } },
  ],
  [
    "blocks of a head, causal",
    { queries: 64, keys: 64 },
    { blockMask: { data: flags(2 * 16, 6), dims: [1, 2, 4, 4], size: 16 }, causal: true },
  ],
];

const masks: AttendCase[] = [
  [
    "boolean [L, S]",
    { queries: 35, keys: 150 },
    { mask: { data: flags(35 * 150, 1), dims: [35, 150] } },
  ],
  [
    "boolean [B, 1, 1, S]",
    { queries: 8, keys: 77 },
    { mask: { data: flags(154, 2), dims: [2, 1, 1, 77] } },
  ],
  [
    "boolean, every axis",
    { queries: 9, keys: 11 },
    { mask: flags(2 * 2 * 9 * 11, 3), ...everything },
  ],
  [
    "additive [L, S]",
    { queries: 65, keys: 129 },
    { mask: floats(65 * 129, 4, 4), logSumExp: true },
  ],
  [
    "additive [H, 1, S], some −Infinity",
    { queries: 12, keys: 40 },
    {
      mask: {
        data: floats(80, 5, 8).map((bias) => (bias < -4 ? -Infinity : bias)),
        dims: [2, 1, 40],
      },
      weights: true,
    },
  ],
  [
    "int32",
    { queries: 7, keys: 30 },
    { mask: { data: Int32Array.from(flags(60, 6)), dims: [2, 1, 1, 30] } },
  ],
  [
    "int64, causal",
    { queries: 30, keys: 30 },
    { mask: { data: BigInt64Array.from(flags(30, 7), BigInt), dims: [30] }, causal: true },
  ],
  [
    "shorter than the keys",
    { queries: 20, keys: 90 },
    { mask: { data: floats(20 * 60, 8), dims: [20, 60], shorter: true } },
  ],
  ["nothing is seen", { queries: 5, keys: 6 }, { mask: new Uint8Array(30), ...everything }],
];

const scores: AttendCase[] = [
  ["scale", { queries: 40 }, { scale: 0.25 }],
  ["scale 0", { queries: 10, keys: 33 }, { scale: 0, weights: true }],
  ["softcap", { queries: 66 }, { softcap: 2, causal: true, logSumExp: true }],
  ["softcap, capped scores", { queries: 20, amplitude: 16 }, { softcap: 30, scores: "capped" }],
  ["alibi", { queries: 70, keys: 90 }, { alibi: { slopes: [0.5, 0.0625] }, logSumExp: true }],
  ["alibi, signed", { queries: 30 }, { alibi: { slopes: [0.5, 0.25], distance: "signed" } }],
  ["alibi by key", { queries: 30, keys: 50 }, { alibi: { slopes: floats(4, 9), distance: "key" } }],
  [
    "alibi, causal window",
    { queries: 130 },
    { alibi: { slopes: [1, 2] }, causal: true, window: { left: 50 } },
  ],
  ["sinks", { queries: 33, keys: 80 }, { sinks: [0.75, -Infinity], ...everything }],
  ["large sinks", { queries: 12 }, { sinks: [100, -100], logSumExp: true }],
  ["mean of the weights", { queries: 30, keys: 31, heads: 5 }, { weights: "mean" }],
  ["raw scores", { queries: 17, keys: 65 }, { scores: "raw", causal: true }],
  ["probabilities", { queries: 17, keys: 65 }, { scores: "probabilities", causal: true }],
  ["scoreMod", { queries: 70, keys: 140 }, { scoreMod: halved, logSumExp: true }],
  [
    "everything together",
    { queries: 40, keys: 60 },
    {
      causal: "lower-right",
      window: { left: 30 },
      mask: floats(40 * 60, 10),
      softcap: 4,
      alibi: { slopes: [0.25, 0.5] },
      sinks: [1, 2],
      keyLengths: [60, 44],
      ...everything,
    },
  ],
];

/** Halves, and an odd score whole: exact. */
function halved({ scores, rows, columns, query, key }: ScoreTile): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      if ((query + i + key + j) % 2 === 0) scores[i * columns + j] *= 0.5;
}

const grouped: AttendCase[] = [
  ["6 heads on 2", { heads: 6, keyValueHeads: 2, queries: 50, keys: 60 }, { causal: true }],
  ["8 heads on 1", { heads: 8, keyValueHeads: 1, queries: 20, keys: 130 }, everything],
  ["no batch at all", { batch: 0, queries: 4 }],
  ["no queries", { queries: 0, keys: 4 }],
];

const few: AttendCase[] = [1, 2, 3, 5].flatMap((queries): AttendCase[] => [
  [`${queries} of many keys`, { queries, keys: 517, heads: 4, size: 64 }, { logSumExp: true }],
  [
    `${queries} of many keys, grouped, lower-right`,
    { queries, keys: 301, heads: 8, keyValueHeads: 2, size: 40 },
    { causal: "lower-right" },
  ],
]);

const numbers: AttendCase[] = [
  ["NaN in masked keys", { queries: 20, keys: 90, poisonedFrom: 50 }, { keyLengths: [50, 7] }],
  [
    "NaN under a boolean mask",
    { queries: 20, keys: 90, poisonedFrom: 70 },
    { mask: { data: Uint8Array.from({ length: 90 }, (_, j) => (j < 70 ? 1 : 0)), dims: [90] } },
  ],
  [
    "NaN that is seen",
    { queries: 30, keys: 40, poisonedFrom: 25 },
    { causal: true, logSumExp: true },
  ],
  ["scores of ten thousands", { queries: 40, amplitude: 256 }, { logSumExp: true }],
  ["scores that overflow", { queries: 10, amplitude: 2 ** 70 }, { logSumExp: true }],
  ["subnormal numbers", { queries: 24, keys: 130, amplitude: 2 ** -130 }, everything],
];

/** Enough multiply-adds to be shared among threads. */
const shared: AttendCase[] = [
  ["shared", { queries: 150, keys: 333, heads: 6, keyValueHeads: 2, valueSize: 48 }, everything],
  ["shared, causal", { queries: 300, heads: 5, size: 64 }, { causal: true, logSumExp: true }],
  ["shared, one query", { queries: 1, keys: 4099, heads: 4, size: 64 }],
  ["shared, mean weights", { queries: 200, heads: 4 }, { weights: "mean", causal: true }],
];

export const attendCases: readonly AttendCase[] = [
  ...sizes,
  ...headSizes,
  ...layouts,
  ...visibility,
  ...masks,
  ...scores,
  ...grouped,
  ...few,
  ...numbers,
  ...shared,
];
