// Small models with drawn weights, by the names that their files have.

import { type Tensor, tensor } from "wasm-attention";
import { randomArray } from "./engines";
import { floats, gguf, safetensors } from "./weight-files";

export type Drawn = ReadonlyMap<string, Tensor>;

type Dims = Readonly<Record<string, readonly number[]>>;

/** Factors of norms around 1, matrices by their width, so that numbers stay as large as they are. */
function drawn(dims: Dims, seed: number): Drawn {
  return new Map(
    Object.entries(dims).map(([name, sizes], index) => {
      const count = sizes.reduce((a, b) => a * b, 1);
      const norm = sizes.length === 1 && name.endsWith("weight");
      const table = /embed|shared|bias/.test(name);
      const width = table ? 3 : sizes.slice(1).reduce((a, b) => a * b, 1);
      const data = randomArray(count, seed * 1000 + index, norm ? 0.3 : Math.sqrt(3 / width));
      return [name, tensor(norm ? data.map((value) => 1 + value) : data, sizes)];
    }),
  );
}

const bytesOf = (weights: Drawn) =>
  safetensors(
    Object.fromEntries(
      [...weights].map(([name, { data, dims }]) => [
        name,
        { dtype: "F32", shape: dims, bytes: floats([...data]) },
      ]),
    ),
  );

const biased = (name: string, outs: number, ins: number): Dims => ({
  [`${name}.weight`]: [outs, ins],
  [`${name}.bias`]: [outs],
});
const norm = (name: string, size: number): Dims => ({
  [`${name}.weight`]: [size],
  [`${name}.bias`]: [size],
});
const each = (count: number, of: (i: number) => Dims): Dims =>
  Object.assign({}, ...Array.from({ length: count }, (_, i) => of(i)));

export interface DrawnModel {
  readonly weights: Drawn;
  readonly bytes: Uint8Array;
}

const model = (dims: Dims, seed: number): DrawnModel => {
  const weights = drawn(dims, seed);
  return { weights, bytes: bytesOf(weights) };
};

/** 3 layers, 4 heads of 8, 60 words, texts of up to 50. */
export const bertModel = (seed: number) =>
  model(
    {
      "embeddings.word_embeddings.weight": [60, 32],
      "embeddings.position_embeddings.weight": [50, 32],
      "embeddings.token_type_embeddings.weight": [2, 32],
      ...norm("embeddings.LayerNorm", 32),
      ...each(3, (i) => ({
        ...biased(`encoder.layer.${i}.attention.self.query`, 32, 32),
        ...biased(`encoder.layer.${i}.attention.self.key`, 32, 32),
        ...biased(`encoder.layer.${i}.attention.self.value`, 32, 32),
        ...biased(`encoder.layer.${i}.attention.output.dense`, 32, 32),
        ...norm(`encoder.layer.${i}.attention.output.LayerNorm`, 32),
        ...biased(`encoder.layer.${i}.intermediate.dense`, 64, 32),
        ...biased(`encoder.layer.${i}.output.dense`, 32, 64),
        ...norm(`encoder.layer.${i}.output.LayerNorm`, 32),
      })),
      ...biased("pooler.dense", 32, 32),
    },
    seed,
  );

/** Images of 3 × 12 × 12 in patches of 4 × 4, 2 layers, 3 heads of 8, 7 classes. */
export const vitModel = (seed: number) =>
  model(
    {
      "vit.embeddings.cls_token": [1, 1, 24],
      "vit.embeddings.position_embeddings": [1, 10, 24],
      "vit.embeddings.patch_embeddings.projection.weight": [24, 3, 4, 4],
      "vit.embeddings.patch_embeddings.projection.bias": [24],
      ...each(2, (i) => ({
        ...norm(`vit.encoder.layer.${i}.layernorm_before`, 24),
        ...biased(`vit.encoder.layer.${i}.attention.attention.query`, 24, 24),
        ...biased(`vit.encoder.layer.${i}.attention.attention.key`, 24, 24),
        ...biased(`vit.encoder.layer.${i}.attention.attention.value`, 24, 24),
        ...biased(`vit.encoder.layer.${i}.attention.output.dense`, 24, 24),
        ...norm(`vit.encoder.layer.${i}.layernorm_after`, 24),
        ...biased(`vit.encoder.layer.${i}.intermediate.dense`, 40, 24),
        ...biased(`vit.encoder.layer.${i}.output.dense`, 24, 40),
      })),
      ...norm("vit.layernorm", 24),
      ...biased("classifier", 7, 24),
    },
    seed,
  );

/** 2 layers in each stack, 3 heads of 16 out of rows of 32; version 1.1 has gates and a head of its own. */
export const t5Model = (seed: number, gated: boolean) => {
  const attention = (name: string): Dims => ({
    [`${name}.q.weight`]: [48, 32],
    [`${name}.k.weight`]: [48, 32],
    [`${name}.v.weight`]: [48, 32],
    [`${name}.o.weight`]: [32, 48],
  });
  const stack = (name: string, decoder: boolean): Dims => {
    const feed = decoder ? 2 : 1;
    return {
      ...each(2, (i) => {
        const at = `${name}.block.${i}.layer.`;
        const dense = `${at}${feed}.DenseReluDense.`;
        return {
          ...attention(`${at}0.SelfAttention`),
          ...(i === 0 && { [`${at}0.SelfAttention.relative_attention_bias.weight`]: [32, 3] }),
          ...(decoder && attention(`${at}1.EncDecAttention`)),
          ...each(feed + 1, (n) => ({ [`${at}${n}.layer_norm.weight`]: [32] })),
          ...(gated
            ? { [`${dense}wi_0.weight`]: [44, 32], [`${dense}wi_1.weight`]: [44, 32] }
            : { [`${dense}wi.weight`]: [44, 32] }),
          [`${dense}wo.weight`]: [32, 44],
        };
      }),
      [`${name}.final_layer_norm.weight`]: [32],
    };
  };
  const head: Dims = gated ? { "lm_head.weight": [70, 32] } : {};
  const dims = { "shared.weight": [70, 32], ...stack("encoder", false), ...stack("decoder", true) };
  return model({ ...dims, ...head }, seed);
};

/** 3 layers, 6 heads of 8 that share 2 of keys, as GGUF in float32. */
export function llamaModel(seed: number, tied: boolean): DrawnModel {
  const weights = drawn(
    {
      "token_embd.weight": [90, 48],
      ...each(3, (i) => ({
        [`blk.${i}.attn_norm.weight`]: [48],
        [`blk.${i}.attn_q.weight`]: [48, 48],
        [`blk.${i}.attn_k.weight`]: [16, 48],
        [`blk.${i}.attn_v.weight`]: [16, 48],
        [`blk.${i}.attn_output.weight`]: [48, 48],
        [`blk.${i}.ffn_norm.weight`]: [48],
        [`blk.${i}.ffn_gate.weight`]: [80, 48],
        [`blk.${i}.ffn_up.weight`]: [80, 48],
        [`blk.${i}.ffn_down.weight`]: [48, 80],
      })),
      "output_norm.weight": [48],
      ...(tied ? {} : { "output.weight": [90, 48] }),
    },
    seed,
  );
  const metadata = {
    "general.architecture": "llama",
    "llama.block_count": 3,
    "llama.embedding_length": 48,
    "llama.attention.head_count": 6,
    "llama.attention.head_count_kv": 2,
    "llama.attention.layer_norm_rms_epsilon": 2 ** -17,
    "llama.rope.freq_base": 10000,
  };
  const tensors = [...weights].map(([name, { data, dims }]) => {
    return { name, dims, type: 0, bytes: floats([...data]) };
  });
  return { weights, bytes: gguf(metadata, tensors) };
}
