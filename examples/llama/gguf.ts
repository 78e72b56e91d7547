// GGUF, version 2 and 3: magic, version, counts; names and values of what is said about the model; name,
// sizes, type and place of each tensor; the data, aligned. Little endian, strings and arrays with their
// length in 64 bits (ggml-org/ggml, docs/gguf.md).

import { type Tensor, tensor } from "wasm-attention";
import { NUMBER_TYPES } from "./blocks";
import type { Checkpoint } from "./checkpoint";

type Value = number | boolean | string | readonly Value[];

export interface Gguf {
  readonly metadata: ReadonlyMap<string, Value>;
  /** In float32; sizes as PyTorch orders them, the last running fastest. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** @throws Error for bytes that are no such file, end too early, or hold numbers of another type. */
export function readGguf(bytes: Uint8Array): Gguf {
  const reader = new Reader(bytes);
  if (reader.u32() !== 0x46554747) throw new Error("no GGUF file");
  const version = reader.u32();
  if (version !== 2 && version !== 3) throw new Error(`GGUF of version ${version}, not 2 or 3`);
  const [tensorCount, valueCount] = [reader.u64(), reader.u64()];
  const metadata = new Map<string, Value>();
  for (let i = 0; i < valueCount; i++) metadata.set(reader.string(), reader.value(reader.u32()));
  const entries: { name: string; dims: number[]; type: number; offset: number }[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = reader.string();
    const dims = Array.from({ length: reader.u32() }, () => reader.u64());
    entries.push({ name, dims: dims.reverse(), type: reader.u32(), offset: reader.u64() });
  }
  const alignment = Number(metadata.get("general.alignment") ?? 32);
  const data = Math.ceil(reader.at / alignment) * alignment;
  const tensors = new Map<string, Tensor>();
  for (const { name, dims, type, offset } of entries) {
    const numbers = NUMBER_TYPES[type];
    if (!numbers) throw new Error(`${name}: numbers of ggml's type ${type} are not read`);
    const count = dims.reduce((product, size) => product * size, 1);
    const size = (count / numbers.block) * numbers.bytes;
    const from = data + offset;
    if (!Number.isInteger(size) || from + size > bytes.length) {
      throw new Error(`${name}: ${numbers.name} [${dims}] is not in the file`);
    }
    tensors.set(name, tensor(numbers.read(bytes.subarray(from, from + size)), dims));
  }
  return { metadata, tensors };
}

export function llamaOfGguf({ metadata, tensors }: Gguf): Checkpoint {
  const said = (name: string) => {
    const value = metadata.get(name);
    if (value === undefined) throw new Error(`the file does not say ${name}`);
    return value;
  };
  const number = (name: string) => Number(said(`llama.${name}`));
  if (said("general.architecture") !== "llama") throw new Error("a model of another architecture");
  const pieces = said("tokenizer.ggml.tokens") as string[];
  const heads = number("attention.head_count");
  const size = number("embedding_length");
  if (Number(metadata.get("llama.rope.dimension_count") ?? size / heads) !== size / heads) {
    throw new Error("heads that turn in part are not read");
  }
  return {
    config: {
      size,
      heads,
      hidden: number("feed_forward_length"),
      layers: number("block_count"),
      keyValueHeads: Number(metadata.get("llama.attention.head_count_kv") ?? heads),
      vocabulary: pieces.length,
      epsilon: number("attention.layer_norm_rms_epsilon"),
      ropeBase: Number(metadata.get("llama.rope.freq_base") ?? 10000),
      pairing: "interleaved",
    },
    weights: tensors,
    tokens: {
      pieces: pieces.map((piece) => piece.replaceAll("▁", " ")),
      scores: said("tokenizer.ggml.scores") as number[],
    },
  };
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  string(): string {
    const length = this.u64();
    const from = this.#take(length);
    return new TextDecoder().decode(this.#bytes.subarray(from, from + length));
  }

  /** Of a type by its number in the format. */
  value(type: number): Value {
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(this.#take(1));
      case 1:
        return view.getInt8(this.#take(1));
      case 2:
        return view.getUint16(this.#take(2), true);
      case 3:
        return view.getInt16(this.#take(2), true);
      case 4:
        return this.u32();
      case 5:
        return view.getInt32(this.#take(4), true);
      case 6:
        return view.getFloat32(this.#take(4), true);
      case 7:
        return view.getUint8(this.#take(1)) !== 0;
      case 8:
        return this.string();
      case 9: {
        const of = this.u32();
        const values: Value[] = [];
        for (let left = this.u64(); left > 0; left--) values.push(this.value(of));
        return values;
      }
      case 10:
        return this.u64();
      case 11:
        return Number(view.getBigInt64(this.#take(8), true));
      case 12:
        return view.getFloat64(this.#take(8), true);
    }
    throw new Error(`a GGUF value of the unknown type ${type}`);
  }

  /** Where `length` bytes begin, and past them. */
  #take(length: number): number {
    const from = this.at;
    if (!(from + length <= this.#bytes.length)) throw new Error("a GGUF file that ends too early");
    this.at += length;
    return from;
  }
}
