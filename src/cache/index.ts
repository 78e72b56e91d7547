// wasm-attention/cache: keys and values of the tokens before, in pages.

export type { Rotary } from "../check/rotary";
export type { AttentionCache } from "./cache";
export { createCache } from "./create";
export { cache } from "./extension";
export type {
  AppendOptions,
  BatchOptions,
  CacheAttendOptions,
  CacheNumbers,
  CacheOptions,
  TokenRange,
} from "./options";
export { attendPaged, attendPagedAsync, type PagedOptions, type PageLayout } from "./paged";
export { type PrefixCounts, PrefixIndex, type PrefixOptions, type PrefixScope } from "./prefix";
export type { CachedRows } from "./read";
export type { ShiftOptions } from "./shift";
export { appendPaged, type SlotOptions } from "./slots";
export type { ExportOptions } from "./stored";
