// A transformer layer's parameters in a state dict, by the places that a library gives them.

import { renamed } from "../check/renamed";
import { ArgumentError, describe } from "../errors";
import type { LayerWeights, Projection } from "../layer/projections";
import { projectionsOfKeras } from "../layer/projections";
import { checkHeadCounts } from "../layer/sizes";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { checkPrefix, tensorsOf } from "../weights/named-weights";
import { projectionsOfPacked } from "../weights/packed";
import { projectionsOfStateDict } from "../weights/state-dict";
import type {
  DecoderLayerWeights,
  EncoderLayerWeights,
  NormWeights,
  TransformerConfig,
} from "./layer-options";

/**
 * An attention's four matrices (query, key, value, output), or two of which the first is three in one, or
 * what its names begin with where `fromPyTorch` and `fromKeras` know the rest.
 */
export type AttentionPlaces =
  | string
  | readonly [packed: string, output: string]
  | readonly [query: string, key: string, value: string, output: string];

/** Where each part lies. */
export interface Places {
  readonly words: Words;
  /** What the rows of matrices are. */
  readonly order: Projection["order"];
  readonly self: AttentionPlaces;
  readonly cross?: AttentionPlaces;
  readonly linear1: string;
  readonly gate?: string;
  readonly linear2: string;
  readonly norms: readonly string[];
}

/** What follows a place: of a matrix and its bias, of a norm's factors and addends. */
interface Words {
  readonly weight: string;
  readonly bias: string;
  readonly scale: string;
  readonly shift: string;
}

export const dots: Words = { weight: ".weight", bias: ".bias", scale: ".weight", shift: ".bias" };
const slashes: Words = { weight: "/kernel", bias: "/bias", scale: "/gamma", shift: "/beta" };

const PYTORCH = {
  words: dots,
  order: "out,in",
  self: "self_attn.",
  linear1: "linear1",
  linear2: "linear2",
} as const;
const KERAS = {
  words: slashes,
  order: "in,out",
  linear1: "feedforward_intermediate_dense",
  linear2: "feedforward_output_dense",
} as const;
const [SELF, CROSS, FEED] = ["self_attention", "cross_attention", "feedforward"].map(
  (name) => `${name}_layer_norm`,
) as [string, string, string];

export const pytorchEncoder: Places = { ...PYTORCH, norms: ["norm1", "norm2"] };
export const pytorchDecoder: Places = {
  ...PYTORCH,
  cross: "multihead_attn.",
  norms: ["norm1", "norm2", "norm3"],
};
export const kerasEncoder: Places = {
  ...KERAS,
  self: "self_attention_layer/",
  norms: [SELF, FEED],
};
export const kerasDecoder: Places = {
  ...KERAS,
  self: "self_attention/",
  cross: "cross_attention/",
  norms: [SELF, CROSS, FEED],
};

/** All parts of an encoder's layer, or of a decoder's where the places have a cross-attention. */
export function weightsOfNames(
  names: Names,
  places: Places,
  config: TransformerConfig,
): EncoderLayerWeights & Partial<DecoderLayerWeights> {
  const { cross, gate, norms } = places;
  const linear1 = names.linear(places, places.linear1);
  const selfAttention = names.attention(places, places.self, config);
  const crossAttention =
    cross === undefined ? cross : names.attention(places, cross, { heads: config.heads });
  const gated = gate === undefined ? gate : names.linear(places, gate);
  const linear2 = names.linear(places, places.linear2);
  const [norm1 = {}, norm2 = {}, norm3] = norms.map((place) => names.norm(places, place));
  names.checkAllRead();
  return {
    ...{ selfAttention, linear1, linear2, norm1, norm2 },
    ...(gated && { gate: gated }),
    ...(crossAttention && { crossAttention }),
    ...(norm3 && { norm3 }),
  };
}

/**
 * T5's bias of positions, which the first layer keeps for all of them, and what old checkpoints keep besides:
 * frequencies of rotary embeddings, and the number that stood for −∞.
 */
const NOT_OURS = /(^|\.)(relative_attention_bias\.weight|rotary_emb\.inv_freq|masked_bias)$/;

/** The dict under a prefix, and which of its names were read. */
export class Names {
  readonly #operation: string;
  readonly #prefix: string;
  readonly #all: ReadonlyMap<string, unknown>;
  readonly #own = new Map<string, Tensor | Float32Array>();
  readonly #read = new Set<string>();

  constructor(operation: string, dict: unknown, prefix: unknown) {
    const all = tensorsOf(operation, dict);
    this.#operation = operation;
    this.#prefix = checkPrefix(operation, prefix);
    this.#all = all;
    for (const [name, value] of all)
      if (name.startsWith(this.#prefix))
        this.#own.set(name.slice(this.#prefix.length), value as Tensor);
  }

  /** Of several that a library has had those of which most are there; of equals the first. */
  placesAmong<P extends Places>(among: readonly [P, ...P[]]): P {
    const count = ({ words, self, linear1, gate = linear1, linear2, norms }: P) => {
      const matrices = [...(typeof self === "string" ? [] : self), linear1, gate, linear2];
      const names = [
        ...matrices.map((place) => place + words.weight),
        ...norms.map((place) => place + words.scale),
      ];
      return names.filter((name) => this.#own.has(name)).length / names.length;
    };
    return among.reduce((best, places) => (count(places) > count(best) ? places : best));
  }

  attention(places: Places, at: AttentionPlaces, config: TransformerConfig): LayerWeights {
    const counts = checkHeadCounts(this.#operation, config);
    if (at.length === 4 && typeof at !== "string") {
      const [query, key, value, output] = at.map((place) => this.linear(places, place));
      return { query, key, value, output } as LayerWeights;
    }
    if (places.words === slashes) return this.#ofKeras(at as string, counts.heads);
    const stem = typeof at === "string" ? at : at[0].slice(0, at[0].lastIndexOf(".") + 1);
    if (typeof at !== "string") for (const place of at) this.linear(places, place);
    const own = [...this.#own].filter(([name]) => name.startsWith(stem));
    for (const [name] of own) this.#read.add(name);
    const dict = new Map(own);
    const { heads, keyValueHeads } = counts;
    const { biasKeyValue, ...projections } = renamed(this.#operation, this.#prefix + stem, () =>
      places.order === "in,out"
        ? {
            ...projectionsOfPacked(this.#operation, dict, stem, counts, { order: "in,out" }),
            biasKeyValue: undefined,
          }
        : projectionsOfStateDict(this.#operation, dict, stem, heads, keyValueHeads),
    );
    if (biasKeyValue) throw this.#surplus(`${stem}bias_k`, biasKeyValue.key);
    return projections;
  }

  linear({ words, order }: Places, place: string): Projection {
    const name = place + words.weight;
    const weight = checkTensor(this.#operation, this.#prefix + name, this.#find(name));
    return { weight, order, bias: this.#find(place + words.bias, true) };
  }

  norm({ words }: Places, place: string): NormWeights {
    const [weight, bias] = [place + words.scale, place + words.shift];
    return { weight: this.#find(weight), bias: this.#find(bias, true) };
  }

  /** @throws ArgumentError for a name that was not read: it would be left out in silence. */
  checkAllRead(): void {
    for (const [name, value] of this.#own) {
      if (!this.#read.has(name) && !NOT_OURS.test(name)) throw this.#surplus(name, value);
    }
  }

  #ofKeras(at: string, heads: number): LayerWeights {
    const parts = ["query", "key", "value", "attention_output"].flatMap((part) =>
      ["kernel", "bias"].map((word) => this.#find(`${at}${part}/${word}`, word === "bias")),
    );
    const given = parts.filter((part) => part !== undefined) as Tensor[];
    const found = projectionsOfKeras(this.#operation, given);
    const { heads: own, keyValueHeads: _, ...projections } = found;
    if (own === heads) return projections;
    const expected = `${own}, as the kernels of ${at.slice(0, -1)} have`;
    throw new ArgumentError(this.#operation, "heads", expected, `${heads}`);
  }

  #surplus(name: string, value: unknown): ArgumentError {
    const expected = "no such weight: the layer has no place for it";
    return new ArgumentError(this.#operation, this.#prefix + name, expected, describe(value));
  }

  #find(name: string, optional = false): Tensor | Float32Array | undefined {
    const found = this.#own.get(name);
    this.#read.add(name);
    if (found !== undefined || optional) return found;
    const some = (keys: Iterable<string>) => {
      const quoted = [...keys].slice(0, 3).map((key) => JSON.stringify(key));
      return quoted.join(", ") || "of no tensor";
    };
    const received = this.#own.size
      ? `none among the keys ${some(this.#own.keys())}`
      : `none that begins with ${JSON.stringify(this.#prefix)} among the keys ${some(this.#all.keys())}`;
    const whole = this.#prefix + name;
    throw new ArgumentError(this.#operation, whole, "a tensor of this name", received);
  }
}
