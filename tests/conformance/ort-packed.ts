// onnxruntime's PackedAttention and PackedMultiHeadAttention: sequences without padding.

import type { Tensor } from "wasm-attention";
import { attendPacked } from "wasm-attention";
import type { Whole } from "../engines";
import { type Case, floats, gather, input, numbers, pick, plus } from "./case";
import { project } from "./ort-attention";

export function packedAttention(engine: Whole, c: Case): Tensor[] {
  const { q, k, v } = project(engine, c, floats(input(c, "input") as never));
  const heads = c.attributes.num_heads;
  return [mix(engine, c, headsOf(q, heads), headsOf(k, heads), headsOf(v, heads))];
}

export function packedMultiHeadAttention(engine: Whole, c: Case): Tensor[] {
  const heads = c.attributes.num_heads;
  const [query, key, value] = ["query", "key", "value"].map((name) => floats(input(c, name)));
  const q = query as Tensor;
  // Packed [T, H, 3, D], or apart [T, H·D].
  const parts =
    q.dims.length === 4
      ? [0, 1, 2].map((index) => together(pick(q, 2, index)))
      : [q, key as Tensor, value as Tensor];
  const bias = floats(input(c, "bias"))?.data;
  let from = 0;
  const [a, b, d] = parts.map((x) => {
    const own = bias?.subarray(from, from + x.dims[1]);
    from += x.dims[1];
    return headsOf(own ? plus(x, own) : x, heads);
  });
  return [mix(engine, c, a, b, d)];
}

/** [T, H, D] → [T, H·D]. */
function together({ data, dims: [tokens, heads, size] }: Tensor): Tensor {
  return { data, dims: [tokens, heads * size] };
}

/** [T, H·D] → [T, H, D]. */
function headsOf({ data, dims: [tokens, width] }: Tensor, heads: number): Tensor {
  return { data, dims: [tokens, heads, width / heads] };
}

function mix(engine: Whole, c: Case, query: Tensor, key: Tensor, value: Tensor): Tensor {
  const cumulativeQueries = numbers(input(c, "cumulative_sequence_length") as never);
  const longest = Math.max(
    ...cumulativeQueries.map((end, b) => end - (cumulativeQueries[b - 1] ?? 0)),
  );
  const bias = floats(input(c, "attention_bias"));
  const { output } = attendPacked(engine, query, key, value, {
    cumulativeQueries,
    scale: c.attributes.scale || undefined,
    mask: bias && cropped(bias, longest),
  });
  return together(output);
}

/** The bias of the padded length, cut to the longest sequence there is. */
function cropped({ data, dims: [batch, heads, , padded] }: Tensor, length: number): Tensor {
  return gather([batch, heads, length, length], (b, h, i, j) => {
    return data[((b * heads + h) * padded + i) * padded + j];
  });
}
