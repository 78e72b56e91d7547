// A transformer layer's parameters in a state dict: PyTorch's names, joined by dots, or Keras's by slashes.

import { ArgumentError, describe } from "../errors";
import type { LayerWeights, Projection } from "../layer/projections";
import { projectionsOfKeras } from "../layer/projections";
import { checkHeadCounts } from "../layer/sizes";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { projectionsOfStateDict } from "../weights/state-dict";
import type {
  DecoderLayerWeights,
  EncoderLayerWeights,
  NormWeights,
  TransformerConfig,
} from "./layer-options";

/** Where each part lies. */
interface Places {
  readonly self: string;
  readonly cross?: string;
  readonly linear1: string;
  readonly linear2: string;
  readonly norms: readonly string[];
}

const PYTORCH = { linear1: "linear1", linear2: "linear2", self: "self_attn" } as const;
const KERAS = {
  linear1: "feedforward_intermediate_dense",
  linear2: "feedforward_output_dense",
} as const;
const [SELF, CROSS, FEED] = ["self_attention", "cross_attention", "feedforward"].map(
  (name) => `${name}_layer_norm`,
) as [string, string, string];

export function encoderOfNames(names: Names, config: TransformerConfig): EncoderLayerWeights {
  const places: Places = names.keras
    ? { ...KERAS, self: "self_attention_layer", norms: [SELF, FEED] }
    : { ...PYTORCH, norms: ["norm1", "norm2"] };
  const { selfAttention, linear1, linear2, norms } = partsOf(names, places, config);
  names.checkAllRead();
  const [norm1 = {}, norm2 = {}] = norms;
  return { selfAttention, linear1, linear2, norm1, norm2 };
}

export function decoderOfNames(names: Names, config: TransformerConfig): DecoderLayerWeights {
  const places: Places = names.keras
    ? { ...KERAS, self: "self_attention", cross: "cross_attention", norms: [SELF, CROSS, FEED] }
    : { ...PYTORCH, cross: "multihead_attn", norms: ["norm1", "norm2", "norm3"] };
  const { crossAttention, norms, ...parts } = partsOf(names, places, config);
  names.checkAllRead();
  const [norm1 = {}, norm2 = {}, norm3 = {}] = norms;
  return { ...parts, crossAttention: crossAttention as LayerWeights, norm1, norm2, norm3 };
}

function partsOf(names: Names, places: Places, config: TransformerConfig) {
  const { cross } = places;
  return {
    selfAttention: names.attention(places.self, config),
    crossAttention: cross === undefined ? cross : names.attention(cross, { heads: config.heads }),
    linear1: names.linear(places.linear1),
    linear2: names.linear(places.linear2),
    norms: places.norms.map((place) => names.norm(place)),
  };
}

/** The dict under a prefix, and which of its names were read. */
export class Names {
  readonly keras: boolean;
  readonly #operation: string;
  readonly #own = new Map<string, Tensor | Float32Array>();
  readonly #read = new Set<string>();

  constructor(operation: string, dict: unknown, prefix: unknown) {
    if (typeof dict !== "object" || dict === null || ArrayBuffer.isView(dict)) {
      const expected = "tensors by name, in an object or a Map";
      throw new ArgumentError(operation, "weights", expected, describe(dict));
    }
    if (typeof prefix !== "string") {
      throw new ArgumentError(operation, "prefix", "a string", describe(prefix));
    }
    this.#operation = operation;
    this.keras = operation.endsWith("Keras");
    const map = Object.prototype.toString.call(dict) === "[object Map]";
    for (const [name, value] of map ? (dict as Map<string, never>) : Object.entries(dict)) {
      if (value === undefined || value === null || !name.startsWith(prefix)) continue;
      this.#own.set(name.slice(prefix.length), value as Tensor);
    }
  }

  attention(place: string, config: TransformerConfig): LayerWeights {
    const { heads, keyValueHeads } = checkHeadCounts(this.#operation, config);
    if (this.keras) {
      const parts = ["query", "key", "value", "attention_output"].flatMap((part) =>
        ["kernel", "bias"].map((word) => this.#find(`${place}/${part}/${word}`, word === "bias")),
      );
      const given = parts.filter((part) => part !== undefined) as Tensor[];
      const found = projectionsOfKeras(this.#operation, given);
      const { heads: own, keyValueHeads: _, ...projections } = found;
      if (own === heads) return projections;
      const expected = `${own}, as the kernels of ${place} have`;
      throw new ArgumentError(this.#operation, "heads", expected, `${heads}`);
    }
    const own = [...this.#own].filter(([name]) => name.startsWith(`${place}.`));
    for (const [name] of own) this.#read.add(name);
    const dict = new Map(own);
    const stem = `${place}.`;
    const found = projectionsOfStateDict(this.#operation, dict, stem, heads, keyValueHeads);
    const { biasKeyValue, ...projections } = found;
    if (biasKeyValue) throw this.#surplus(`${stem}bias_k`, biasKeyValue.key);
    return projections;
  }

  linear(place: string): Projection {
    const [weight, bias] = this.keras
      ? [`${place}/kernel`, `${place}/bias`]
      : [`${place}.weight`, `${place}.bias`];
    return {
      weight: checkTensor(this.#operation, weight, this.#find(weight)),
      order: this.keras ? "in,out" : "out,in",
      bias: this.#find(bias, true),
    };
  }

  norm(place: string): NormWeights {
    const [weight, bias] = this.keras
      ? [`${place}/gamma`, `${place}/beta`]
      : [`${place}.weight`, `${place}.bias`];
    return { weight: this.#find(weight), bias: this.#find(bias, true) };
  }

  /** @throws ArgumentError for a name that was not read: it would be left out in silence. */
  checkAllRead(): void {
    for (const [name, value] of this.#own) {
      if (!this.#read.has(name)) throw this.#surplus(name, value);
    }
  }

  #surplus(name: string, value: unknown): ArgumentError {
    const expected = "no such weight: the layer has no place for it";
    return new ArgumentError(this.#operation, name, expected, describe(value));
  }

  #find(name: string, optional = false): Tensor | Float32Array | undefined {
    const found = this.#own.get(name);
    this.#read.add(name);
    if (found !== undefined || optional) return found;
    const keys = [...this.#own.keys()].slice(0, 3).map((key) => JSON.stringify(key));
    const received = `none among the keys ${keys.join(", ") || "of no tensor"}`;
    throw new ArgumentError(this.#operation, name, "a tensor of this name", received);
  }
}
