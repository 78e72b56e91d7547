// Models that write, and what their heads are given: the language model of examples/write, and with MODELS_DIR a
// llama.

import { existsSync, readFileSync } from "node:fs";
import { type AttendOptions, createAttention, type Tensor } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { type CacheNumbers, cache } from "wasm-attention/cache";
import { positions, rotate } from "wasm-attention/positions";
import { Llama } from "../examples/llama/llama";
import { readLlama2c } from "../examples/llama/llama2c";
import { BEGIN } from "../examples/llama/tokenizer";
import { seeded } from "../examples/training/random";
import { draw, softmax } from "../examples/write/sampling";
import { unpackModel } from "../examples/write/weights";
import { Writer } from "../examples/write/writer";

/** Tokens of a text. */
export const LENGTH = 500;

/** Of one layer, [1, L, H·D] each, and the options of its heads. */
export interface Activations {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly options: Pick<AttendOptions, "alibi" | "causal"> & {
    readonly layout: "BLE";
    readonly heads: number;
    readonly keyValueHeads: number;
  };
}

/** A text as a model reads it. */
interface Text {
  /** Logits [L, vocabulary] of what follows each of these tokens. */
  append(ids: readonly number[]): Float32Array;
  readonly bytes: number;
  dispose(): void;
}

export interface Model {
  readonly name: string;
  readonly first: number;
  begin(numbers: CacheNumbers): Text;
  /** What the heads of each layer are given. */
  activations(ids: readonly number[]): Activations[];
}

export async function models(): Promise<{ found: Model[]; missing: string[] }> {
  const attention = await createAttention({
    reproducible: true,
    extensions: [positions, cache, blocks],
  });
  const file = new URL("../examples/write/model.safetensors", import.meta.url);
  const writer = new Writer(attention, await unpackModel(readFileSync(file)));
  const { shape } = writer.model;
  const moby: Model = {
    name: "Moby Dick (examples/write)",
    first: writer.model.vocabulary.encode("\n\n")[0] ?? 0,
    begin(numbers) {
      const text = writer.begin(1, numbers);
      return {
        append: (ids) => text.append([ids], { every: true }).logits.data,
        get bytes() {
          return text.memory.bytes;
        },
        dispose: () => text.dispose(),
      };
    },
    activations(ids) {
      const { heads } = shape;
      const { alibi } = writer;
      const options = {
        layout: "BLE",
        heads,
        keyValueHeads: heads,
        causal: true,
        alibi,
      } as const;
      const seen: Activations[] = [];
      writer.read([ids], (_, query, key, value) => {
        seen.push({ query, key, value, options });
        return attention.attend(query, key, value, options).output;
      });
      return seen;
    },
  };
  const folder = `${process.env.MODELS_DIR}/stories260k`;
  if (!existsSync(folder)) {
    const missing =
      "The llama model is not among them: set MODELS_DIR to a folder with stories260k.";
    return { found: [moby], missing: [missing] };
  }
  const [weights, tokens] = ["stories260K.bin", "tok512.bin"].map((name) =>
    readFileSync(`${folder}/${name}`),
  );
  const llama = new Llama(attention, readLlama2c(weights, tokens));
  const stories: Model = {
    name: "llama, stories260K",
    first: BEGIN,
    begin(numbers) {
      const text = llama.begin(numbers);
      return {
        append: (ids) => text.append(ids).data,
        get bytes() {
          return text.bytes;
        },
        dispose: () => text.dispose(),
      };
    },
    activations(ids) {
      const { heads, keyValueHeads, pairing, ropeBase: base } = llama.config;
      const options = { layout: "BLE", heads, keyValueHeads, causal: true } as const;
      const turned = (x: Tensor, heads: number) =>
        rotate(attention, x, { layout: "BLE", heads, pairing, base });
      const seen: Activations[] = [];
      llama.read(ids, (_, q, k, value) => {
        const [query, key] = [turned(q, heads), turned(k, keyValueHeads)];
        seen.push({ query, key, value, options });
        return attention.attend(query, key, value, options).output;
      });
      return seen;
    },
  };
  return { found: [stories, moby], missing: [] };
}

export function write({ begin, first }: Model, seed: number): number[] {
  const text = begin("float32");
  const random = seeded(seed);
  const ids = [first];
  for (let count = 0; count < LENGTH; count++) {
    ids.push(draw(softmax(text.append(ids.slice(-1))), random));
  }
  text.dispose();
  return ids;
}
