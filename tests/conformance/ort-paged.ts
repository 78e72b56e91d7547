// Caches that are written in place: onnxruntime's PagedAttention, and ONNX's TensorScatter.

import { ArgumentError, type Tensor, tensor } from "wasm-attention";
import { appendPaged, attendPaged } from "wasm-attention/cache";
import { rotate } from "wasm-attention/positions";
import type { Whole } from "../engines";
import { type Case, floats, input, numbers } from "./case";

const required = (c: Case, name: string) => {
  const value = input(c, name);
  if (!value) throw new ArgumentError(c.op, name, "an input", "none");
  return value;
};

const copyOf = ({ data, dims }: Tensor) => tensor(data.slice(), dims);

/** Query, key and value [tokens, heads · D], of sequences end to end; caches [blocks, size, Hkv, D]. */
export function pagedAttention(engine: Whole, c: Case): (Tensor | undefined)[] {
  const { num_heads: H, kv_num_heads: Hkv, scale, softcap, local_window_size } = c.attributes;
  const keyPages = copyOf(floats(required(c, "key_cache")));
  const valuePages = copyOf(floats(required(c, "value_cache")));
  const [, pageSize, , D] = keyPages.dims as [number, number, number, number];
  const cumulative = numbers(required(c, "cumulative_sequence_length"));
  const past = numbers(required(c, "past_seqlens"));
  const table = numbers(required(c, "block_table"));
  const B = past.length;
  const columns = table.length / B;
  const lengths = past.map((_, b) => (cumulative[b + 1] as number) - (cumulative[b] as number));
  const T = cumulative.at(-1) as number;
  // Every token's sequence and position.
  const tokens = lengths.flatMap((length, b) =>
    Array.from({ length }, (_, i) => ({ b, i, position: (past[b] as number) + i })),
  );
  const positions = tokens.map(({ position }) => position);
  const heads = (x: Tensor, count: number) =>
    tensor(x.data, [1, T, count, x.data.length / (T * count || 1)]);
  const turned = (x: Tensor) => {
    if (!c.attributes.do_rotary || !T) return x;
    const [cos, sin] = [floats(required(c, "cos_cache")), floats(required(c, "sin_cache"))];
    const pairing = c.attributes.rotary_interleaved ? "interleaved" : "half";
    return rotate(engine, x, { layout: "BLHD", cos, sin, positions, pairing });
  };
  const given = floats(required(c, "query"));
  if (!T) return [given, keyPages, valuePages];
  const query = turned(heads(given, H));
  const key = turned(heads(floats(required(c, "key")), Hkv));
  const value = heads(floats(required(c, "value")), Hkv);
  const slotMapping = tokens.map(({ b, position }) => {
    const page = table[b * columns + Math.floor(position / pageSize)] as number;
    return page * pageSize + (position % pageSize);
  });
  appendPaged(key, value, keyPages, valuePages, { slotMapping, layout: "BLHD" });
  const L = Math.max(...lengths);
  const padded = tensor(new Float32Array(B * L * H * D), [B, L, H, D]);
  for (const [token, { b, i }] of tokens.entries()) {
    padded.data.set(query.data.subarray(token * H * D, (token + 1) * H * D), (b * L + i) * H * D);
  }
  const { output } = attendPaged(engine, padded, keyPages, valuePages, {
    blockTable: table,
    lengths: lengths.map((length, b) => length + (past[b] as number)),
    queryLengths: lengths,
    layout: "BLHD",
    scale: scale || undefined,
    softcap: softcap || undefined,
    window: local_window_size > 0 ? { left: local_window_size - 1 } : undefined,
  });
  const packed = new Float32Array(T * H * D);
  for (const [token, { b, i }] of tokens.entries()) {
    packed.set(output.data.subarray((b * L + i) * H * D, (b * L + i + 1) * H * D), token * H * D);
  }
  return [tensor(packed, given.dims), keyPages, valuePages];
}

/** past_cache [B, …, S, …] with `update` from `write_indices` [B] on: a page for each batch. */
export function tensorScatter(_: Whole, c: Case): (Tensor | undefined)[] {
  const cache = copyOf(floats(required(c, "past_cache")));
  const update = floats(required(c, "update"));
  const { axis = -2, mode = "linear" } = c.attributes;
  const at = axis < 0 ? axis + cache.dims.length : axis;
  if (at < 1) throw new ArgumentError("TensorScatter", "axis", "not the batch's", `${axis}`);
  const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
  const [B, S, L] = [cache.dims[0] as number, cache.dims[at] as number, update.dims[at] as number];
  const H = product(cache.dims.slice(1, at));
  const D = product(cache.dims.slice(at + 1));
  const indices = input(c, "write_indices");
  const starts = indices ? numbers(indices) : new Array<number>(B).fill(0);
  const slotMapping = starts.flatMap((start, b) =>
    Array.from({ length: L }, (_, i) => {
      if (start < 0 || start >= S || (mode === "linear" && start + L > S)) return -2;
      return b * S + ((start + i) % S);
    }),
  );
  if (B * H * L * D) {
    const pages = tensor(cache.data, [B, H, S, D]);
    const tokens = tensor(update.data, [B, H, L, D]);
    appendPaged(tokens, undefined, pages, undefined, { slotMapping, pageLayout: "HND" });
  } else if (slotMapping.includes(-2)) {
    throw new ArgumentError("TensorScatter", "write_indices", "rows of the cache", `${starts}`);
  }
  return [cache];
}
