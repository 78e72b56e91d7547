// Known answers of the cache, see selftest.ts.

import { check, numbers } from "../answers";
import type { Attention } from "../attend/attention";
import { createCache } from "./create";

export function checkCache(name: string, attention: Attention<"cache">): void {
  const [query, key, value] = [1, 2, 3].map((seed) => numbers([1, 1, 5, 4], seed));
  if (!query || !key || !value) return;
  const expected = attention.attend(query, key, value, { causal: true }).output.data;
  const cache = createCache(attention, { keyValueHeads: 1, headSize: 4, pageSize: 3 });
  try {
    cache.append(key, value);
    check(name, "append", cache.attend(query).output.data, [...expected]);
  } finally {
    cache.dispose();
  }
}
