// Tensors by name, as a state dict has them: which were asked for, which are missing, which are too many.

import { isFloats } from "../arrays";
import { ArgumentError, describe } from "../errors";
import { lastingData } from "../layer/projections";
import { checkTensor, type Tensor } from "../tensor/tensor";

/** Tensors by name, as a state dict or a safetensors file has them. */
export type StateDict =
  | { readonly [name: string]: Tensor | Float32Array | undefined }
  | ReadonlyMap<string, Tensor | Float32Array>;

/**
 * BERT's, which comes after the residual and is not the layer's; and buffers of old checkpoints: masks of
 * GPT-2 and GPT-NeoX, frequencies of rotary embeddings.
 */
const NOT_OURS = /^(output\.LayerNorm\..*|masked_bias|rotary_emb\.inv_freq)$/;

/** Names of matrices, without what follows them: `c_attn` of `c_attn.weight`. */
export interface Stems {
  /** Any of those that a layer of this kind reads its inputs by. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** The dict under a prefix, and which of its names were read. */
export class NamedWeights {
  readonly operation: string;
  readonly #all: Map<string, unknown>;
  readonly #prefix: string;
  readonly #stems: Stems;
  readonly #read = new Set<string>();

  constructor(operation: string, dict: unknown, prefix: unknown, stems: Stems) {
    this.operation = operation;
    this.#all = tensorsOf(operation, dict);
    this.#prefix = checkPrefix(operation, prefix);
    this.#stems = stems;
  }

  /** The first of `names` that is there. */
  find(names: readonly string[]): { name: string; value: unknown } | undefined {
    const name = names.find((name) => this.#all.has(this.#prefix + name));
    if (name === undefined) return undefined;
    this.#read.add(this.#prefix + name);
    return { name, value: this.#all.get(this.#prefix + name) };
  }

  /** The same of a matrix. */
  weight(stems: readonly string[]): Tensor | undefined {
    return this.matrix(stems)?.tensor;
  }

  /** The same with the name it was found by. */
  matrix(stems: readonly string[]): { name: string; tensor: Tensor } | undefined {
    const found = this.find(weightNames(stems));
    if (!found) return undefined;
    return { name: found.name, tensor: checkTensor(this.operation, found.name, found.value) };
  }

  /** The same of a bias. */
  bias(stems: readonly string[]): { name: string; data: Float32Array } | undefined {
    const found = this.find(stems.flatMap((stem) => [`${stem}_bias`, `${stem}.bias`]));
    if (!found) return undefined;
    const { name, value } = found;
    const plain = isFloats(value);
    return {
      name,
      data: plain ? value : lastingData(checkTensor(this.operation, name, value)),
    };
  }

  /** What is missing, the names that came instead, and the prefixes under which a layer lies. */
  missing(name: string): ArgumentError {
    const quoted = [...this.#all.keys()].map((key) => JSON.stringify(key));
    const some = quoted.length > 3 ? `${quoted.slice(0, 3).join(", ")}, …` : quoted.join(", ");
    const prefixes = this.#prefixes().map((prefix) => JSON.stringify(prefix));
    const others = prefixes.length > 3 ? [...prefixes.slice(0, 3), "…"] : prefixes;
    const advice = prefixes.length ? `: pass { prefix: ${others.join(" or ")} }` : "";
    const received = some ? `none among the keys ${some}${advice}` : "no tensors";
    return new ArgumentError(this.operation, name, "a tensor of this name", received);
  }

  #prefixes(): string[] {
    const ends = (names: readonly string[]) => {
      const found = new Set<string>();
      for (const key of this.#all.keys())
        for (const name of names)
          if (key === name || key.endsWith(`.${name}`)) found.add(key.slice(0, -name.length));
      return found;
    };
    const outputs = ends(weightNames(this.#stems.outputs));
    const inputs = ends(weightNames(this.#stems.inputs));
    return [...inputs].filter((prefix) => outputs.has(prefix) && prefix !== this.#prefix);
  }

  /** @throws ArgumentError for a name that was not read: it would be left out in silence. */
  checkAllRead(): void {
    for (const [name, value] of this.#all) {
      const local = name.slice(this.#prefix.length);
      if (!name.startsWith(this.#prefix) || this.#read.has(name) || NOT_OURS.test(local)) continue;
      if (local === "bias" && isCausalMask(value)) continue;
      const expected = "no such weight: the layer has no place for it";
      throw new ArgumentError(this.operation, local, expected, describe(value));
    }
  }
}

/** GPT-2's buffer, [1, 1, L, L]. */
function isCausalMask(value: unknown): boolean {
  const { dims } = value as Partial<Tensor>;
  return Array.isArray(dims) && dims.length === 4;
}

/** What an object or a Map, of any realm, has. */
export function tensorsOf(operation: string, dict: unknown): Map<string, unknown> {
  const tag = Object.prototype.toString.call(dict).slice(8, -1);
  if (tag !== "Object" && tag !== "Map") {
    const expected = "tensors by name, in an object or a Map";
    throw new ArgumentError(operation, "weights", expected, describe(dict));
  }
  const entries =
    tag === "Map" ? [...(dict as Map<string, unknown>)] : Object.entries(dict as object);
  return new Map(entries.filter(([, value]) => value !== undefined && value !== null));
}

export function checkPrefix(operation: string, prefix: unknown): string {
  if (typeof prefix === "string") return prefix;
  throw new ArgumentError(operation, "prefix", "a string", describe(prefix));
}

export const weightNames = (stems: readonly string[]) =>
  stems.flatMap((stem) => [`${stem}_weight`, `${stem}.weight`]);
