// Models as llama.cpp reads them: GGUF version 3, matrices in F32 or Q8_0 (rows that are not whole blocks of
// 32 stay F32).
//
// The shipped model is put down as one of llama.cpp's MPT architecture, which is the nearest: LayerNorm
// before each part, fused projections, ALiBi. Its feed-forward part has GELU where ours has ReLU, and no bias
// of the output: as much work, other words.

import { type Tensor, tensor, toFloat16 } from "wasm-attention";
import { type Checkpoint, weightOf } from "../../examples/llama/checkpoint";
import type { TrainedModel } from "../../examples/write/weights";

export type Type = "F32" | "Q8_0";

interface Contents {
  readonly metadata: Readonly<Record<string, Value>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

type Value =
  | string
  | boolean
  | { u32: number }
  | { f32: number }
  | { f32s: readonly number[] }
  | { i32s: readonly number[] }
  | { strings: readonly string[] };

const [U32, I32, F32, BOOL, STRING, ARRAY] = [4, 5, 6, 7, 8, 9];
const ALIGNMENT = 32;
const BLOCK = 32;

class Bytes {
  readonly #parts: Buffer[] = [];
  length = 0;

  put(part: Buffer): void {
    this.#parts.push(part);
    this.length += part.length;
  }

  number(size: 4 | 8, write: (into: Buffer) => void): void {
    const part = Buffer.alloc(size);
    write(part);
    this.put(part);
  }

  u32 = (x: number) => this.number(4, (into) => into.writeUInt32LE(x));
  i32 = (x: number) => this.number(4, (into) => into.writeInt32LE(x));
  f32 = (x: number) => this.number(4, (into) => into.writeFloatLE(x));
  u64 = (x: number) => this.number(8, (into) => into.writeBigUInt64LE(BigInt(x)));

  text(text: string): void {
    const bytes = Buffer.from(text);
    this.u64(bytes.length);
    this.put(bytes);
  }

  align(): void {
    this.put(Buffer.alloc((ALIGNMENT - (this.length % ALIGNMENT)) % ALIGNMENT));
  }

  value(value: Value): void {
    if (typeof value === "string") {
      this.u32(STRING);
      this.text(value);
    } else if (typeof value === "boolean") {
      this.u32(BOOL);
      this.put(Buffer.of(Number(value)));
    } else if ("u32" in value) {
      this.u32(U32);
      this.u32(value.u32);
    } else if ("f32" in value) {
      this.u32(F32);
      this.f32(value.f32);
    } else if ("f32s" in value) this.#list(F32, value.f32s, this.f32);
    else if ("i32s" in value) this.#list(I32, value.i32s, this.i32);
    else this.#list(STRING, value.strings, (text) => this.text(text));
  }

  whole(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #list<Item>(type: number, items: readonly Item[], each: (item: Item) => void): void {
    this.u32(ARRAY);
    this.u32(type);
    this.u64(items.length);
    items.forEach(each);
  }
}

function written({ metadata, tensors }: Contents, type: Type): Buffer {
  const all = { ...metadata, "general.alignment": { u32: ALIGNMENT } };
  const file = new Bytes();
  file.put(Buffer.from("GGUF"));
  file.u32(3);
  file.u64(tensors.size);
  file.u64(Object.keys(all).length);
  for (const [name, value] of Object.entries(all)) {
    file.text(name);
    file.value(value);
  }
  const data = new Bytes();
  for (const [name, { data: floats, dims }] of tensors) {
    const blocks = type === "Q8_0" && dims.length === 2 && dims[1] % BLOCK === 0;
    file.text(name);
    file.u32(dims.length);
    for (const size of dims.toReversed()) file.u64(size);
    file.u32(blocks ? 8 : 0);
    file.u64(data.length);
    data.put(
      blocks ? q8(floats) : Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength),
    );
    data.align();
  }
  file.align();
  return Buffer.concat([file.whole(), data.whole()]);
}

/** d = largest / 127 in float16, q = x / d rounded. */
function q8(floats: Float32Array): Buffer {
  const bytes = Buffer.alloc((floats.length / BLOCK) * (BLOCK + 2));
  for (let block = 0; block < floats.length / BLOCK; block++) {
    const numbers = floats.subarray(block * BLOCK, (block + 1) * BLOCK);
    const d = numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127;
    const at = block * (BLOCK + 2);
    bytes.writeUInt16LE(toFloat16(Float32Array.of(d))[0], at);
    numbers.forEach((x, i) => {
      bytes.writeInt8(d && Math.sign(x) * Math.round(Math.abs(x) / d), at + 2 + i);
    });
  }
  return bytes;
}

/** <unk>, <s> and </s> come first. */
const tokensOf = (pieces: readonly string[]) => ({
  "tokenizer.ggml.tokens": { strings: pieces },
  "tokenizer.ggml.token_type": {
    i32s: pieces.map((piece, id) => (id < 3 ? (id ? 3 : 2) : /^<0x..>$/.test(piece) ? 6 : 1)),
  },
  "tokenizer.ggml.unknown_token_id": { u32: 0 },
  "tokenizer.ggml.bos_token_id": { u32: 1 },
  "tokenizer.ggml.eos_token_id": { u32: 2 },
  "tokenizer.ggml.add_bos_token": true,
});

const named = (architecture: string, values: Readonly<Record<string, Value>>) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${architecture}.${name}`, value]),
  );

export function ggufOfLlama(checkpoint: Checkpoint, type: Type): Buffer {
  const { config, tokens, weights } = checkpoint;
  if (!tokens) throw new Error("a checkpoint without tokens");
  const { size, hidden, layers, heads, keyValueHeads, epsilon, ropeBase } = config;
  const pieces = tokens.pieces.map((piece, id) =>
    id < 3 ? ["<unk>", "<s>", "</s>"][id] : piece.replaceAll(" ", "▁"),
  );
  const metadata = {
    "general.architecture": "llama",
    ...named("llama", {
      context_length: { u32: 512 },
      embedding_length: { u32: size },
      block_count: { u32: layers },
      feed_forward_length: { u32: hidden },
      "attention.head_count": { u32: heads },
      "attention.head_count_kv": { u32: keyValueHeads },
      "attention.layer_norm_rms_epsilon": { f32: epsilon },
      "rope.dimension_count": { u32: size / heads },
      "rope.freq_base": { f32: ropeBase },
    }),
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.scores": { f32s: tokens.scores },
    ...tokensOf(pieces),
  };
  const output = weights.get("output.weight") ?? weightOf(checkpoint, "token_embd.weight");
  return written({ metadata, tensors: new Map([...weights, ["output.weight", output]]) }, type);
}

export function ggufOfWriter({ shape, vocabulary, weights }: TrainedModel, type: Type): Buffer {
  const { size, hidden, layers, heads } = shape;
  const of = (name: string) => weights.get(name) ?? missing(name);
  const three = ["<unk>", "<s>", "</s>"];
  const pieces = [...three, ...vocabulary.names];
  const metadata = {
    "general.architecture": "mpt",
    ...named("mpt", {
      context_length: { u32: 2048 },
      embedding_length: { u32: size },
      block_count: { u32: layers },
      feed_forward_length: { u32: hidden },
      "attention.head_count": { u32: heads },
      "attention.layer_norm_epsilon": { f32: 1e-5 },
      "attention.max_alibi_bias": { f32: 8 },
    }),
    // Of byte pairs, which asks for no token for each byte; nothing but the beginning is cut into pieces.
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.merges": { strings: ["t h"] },
    ...tokensOf(pieces),
  };
  const tensors = new Map<string, Tensor>();
  const beside = (names: readonly string[], columns: number) => {
    const data = Float32Array.from(names.flatMap((name) => [...of(name).data]));
    return columns ? tensor(data, [data.length / columns, columns]) : tensor(data, [data.length]);
  };
  /** Rows of no weight for the three. */
  const withThree = ({ data, dims }: Tensor, factor = 1) => {
    const rows = new Float32Array(data.length + 3 * size);
    rows.set(
      data.map((x) => x * factor),
      3 * size,
    );
    return tensor(rows, [dims[0] + 3, size]);
  };
  tensors.set("token_embd.weight", withThree(of("embedding"), Math.sqrt(size)));
  tensors.set("output.weight", withThree(of("output.weight")));
  const norm = (to: string, from: string) => {
    tensors.set(`${to}.weight`, of(`${from}.scale`));
    tensors.set(`${to}.bias`, of(`${from}.bias`));
  };
  const linear = (to: string, from: string) => {
    tensors.set(`${to}.weight`, of(`${from}.weight`));
    tensors.set(`${to}.bias`, of(`${from}.bias`));
  };
  norm("output_norm", "norm");
  for (let i = 0; i < layers; i++) {
    const inputs = ["query", "key", "value"].map((name) => `${i}.${name}`);
    norm(`blk.${i}.attn_norm`, `${i}.norm`);
    tensors.set(
      `blk.${i}.attn_qkv.weight`,
      beside(
        inputs.map((name) => `${name}.weight`),
        size,
      ),
    );
    tensors.set(
      `blk.${i}.attn_qkv.bias`,
      beside(
        inputs.map((name) => `${name}.bias`),
        0,
      ),
    );
    linear(`blk.${i}.attn_output`, `${i}.output`);
    norm(`blk.${i}.ffn_norm`, `${i}.feed.norm`);
    linear(`blk.${i}.ffn_up`, `${i}.feed.expand`);
    linear(`blk.${i}.ffn_down`, `${i}.feed.contract`);
  }
  return written({ metadata, tensors }, type);
}

function missing(name: string): never {
  throw new Error(`the model has no ${name}`);
}
