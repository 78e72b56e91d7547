// Rotary embeddings: ai.onnx and contrib RotaryEmbedding, MRotaryEmbedding, keras-hub's layer, and
// the frequencies of transformers.

import { type Attention, type RopeScaling, type Tensor, tensor } from "wasm-attention";
import { type Case, floats, input, numbers } from "./case";

export function rotaryEmbedding(engine: Attention, c: Case): Tensor[] {
  const x = floats(input(c, "input") as never);
  const cos = floats(input(c, "cos_cache") as never);
  const ids = input(c, "position_ids");
  const { interleaved, num_heads, rotary_embedding_dim, scale } = c.attributes;
  const { mrope_section: sizes, mrope_layout } = c.attributes;
  // The contrib operator reads the width of a head from whole caches if it is not told.
  const told = num_heads || c.domain === "ai.onnx" || rotary_embedding_dim;
  const heads = told ? num_heads : x.dims[2] / (2 * (cos.dims.at(-1) as number));
  return [
    engine.rotate(x, {
      ...(x.dims.length === 3 && { layout: "BLE", heads }),
      cos,
      sin: floats(input(c, "sin_cache")),
      pairing: interleaved ? "interleaved" : "half",
      dimensions: rotary_embedding_dim || undefined,
      // One number is the position of the first row.
      positions: ids && (ids.shape.length < 2 ? numbers(ids)[0] : numbers(ids)),
      sections: sizes && { sizes, interleaved: mrope_layout === 1 },
      attentionFactor: scale,
      outOfRange: sizes ? "pass" : "error",
    }),
  ];
}

export function kerasRotaryEmbedding(engine: Attention, c: Case): Tensor[] {
  const x = floats(input(c, "x") as never);
  const { max_wavelength: base, scaling_factor: factor } = c.attributes;
  const dimensions = x.dims[3];
  const rope = engine.ropeFrequencies({ dimensions, base, scaling: { type: "linear", factor } });
  const positions = numbers(input(c, "positions") as never);
  return [engine.rotate(x, { layout: "BLHD", positions, ...rope })];
}

export function ropeFrequencies(engine: Attention, c: Case): Tensor[] {
  const { rope_type: type, dim: dimensions, base, factor, ...rest } = c.attributes;
  const scaling = {
    type,
    factor,
    originalMaxPositionEmbeddings:
      rest.original_max_position_embeddings ?? rest.max_position_embeddings,
    length: type === "dynamic" ? (rest.seq_len ?? rest.max_position_embeddings) : undefined,
    lowFreqFactor: rest.low_freq_factor,
    highFreqFactor: rest.high_freq_factor,
    attentionFactor: rest.attention_factor,
    mscale: rest.mscale,
    mscaleAllDim: rest.mscale_all_dim,
    truncate: rest.truncate,
    betaFast: rest.beta_fast,
    betaSlow: rest.beta_slow,
  } as RopeScaling;
  const { frequencies, attentionFactor } = engine.ropeFrequencies({
    dimensions,
    base,
    ...(type !== "default" && { scaling }),
  });
  return [tensor(frequencies, [dimensions / 2]), tensor(Float32Array.of(attentionFactor), [])];
}
