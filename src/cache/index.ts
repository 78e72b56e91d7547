// wasm-attention/cache: keys and values of the tokens before, in pages.

export { type AttentionCache, createCache } from "./cache";
export { cache } from "./extension";
export type {
  AppendOptions,
  BatchOptions,
  CacheAttendOptions,
  CacheNumbers,
  CacheOptions,
  CacheRotary,
} from "./options";
