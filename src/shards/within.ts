// What is asked of one span of those that a shard was asked for.

import type { ShardOptions } from "./shard";

/** What is asked of keys [first, first + count) alone. */
export function withinSpan(options: ShardOptions, first: number, count: number): ShardOptions {
  const { queryOffset, keyLengths, masks, sinks, ...rest } = options;
  return {
    ...rest,
    queryOffset: Array.from(queryOffset, (position) => position - first),
    keyLengths: Array.from(keyLengths, (keys) => Math.min(Math.max(keys - first, 0), count)),
    ...(first === 0 && { sinks }),
    masks: masks.map(({ data, dims }) => {
      const width = dims.at(-1) ?? 1;
      if (width === 1) return { data, dims };
      const cut = [];
      const end = Math.min(first + count, width);
      for (let at = 0; at < data.length; at += width) cut.push(data.subarray(at + first, at + end));
      const length = cut.length * (end - first);
      const joined = data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
      for (const [row, part] of cut.entries()) joined.set(part, row * (end - first));
      return { data: joined, dims: [...dims.slice(0, -1), end - first] };
    }),
  };
}
