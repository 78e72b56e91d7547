// A layer's weights in a state dict of PyTorch, by whatever names: nn.MultiheadAttention's (in_proj,
// q_proj, out_proj), transformers' (q_proj, o_proj; query, dense), lucidrains' (to_qkv, to_out) and
// timm's (qkv, proj).

import { isFloats, lengthOf, part } from "../arrays";
import { ArgumentError, describe } from "../errors";
import { checkTensor, received, type Tensor } from "../tensor/tensor";
import { type LayerWeights, lastingData, type Projection } from "./projections";

/** Tensors by name, as a state dict or a safetensors file has them. */
export type StateDict =
  | { readonly [name: string]: Tensor | Float32Array | undefined }
  | ReadonlyMap<string, Tensor | Float32Array>;

const PACKED = ["in_proj", "to_qkv", "qkv", "qkv_proj"];
const OUTPUT = ["out_proj", "o_proj", "dense", "output.dense", "to_out", "to_out.0", "proj"];
const inputNames = (name: "query" | "key" | "value") => [
  `${name[0]}_proj`,
  name,
  `self.${name}`,
  `attention.${name}`,
  `to_${name[0]}`,
];

/** BERT's, which comes after the residual and is not the layer's. */
const NOT_OURS = /^output\.LayerNorm\./;

/** The dict under a prefix, and which of its names were read. */
class Names {
  readonly operation: string;
  readonly #all: Map<string, unknown>;
  readonly #prefix: string;
  readonly #read = new Set<string>();

  constructor(operation: string, dict: unknown, prefix: unknown) {
    if (typeof dict !== "object" || dict === null || ArrayBuffer.isView(dict)) {
      const expected = "tensors by name, in an object or a Map";
      throw new ArgumentError(operation, "weights", expected, describe(dict));
    }
    if (typeof prefix !== "string") {
      throw new ArgumentError(operation, "prefix", "a string", describe(prefix));
    }
    this.operation = operation;
    const entries = isMap(dict) ? [...dict] : Object.entries(dict);
    this.#all = new Map(entries.filter(([, value]) => value !== undefined && value !== null));
    this.#prefix = prefix;
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
    const found = this.find(weightNames(stems));
    return found && checkTensor(this.operation, found.name, found.value);
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
    const received = `none among the keys ${some || "of no tensor"}${advice}`;
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
    const outputs = ends(weightNames(OUTPUT));
    const inputs = ends(weightNames([...PACKED, ...inputNames("query")]));
    return [...inputs].filter((prefix) => outputs.has(prefix) && prefix !== this.#prefix);
  }

  /** @throws ArgumentError for a name that was not read: it would be left out in silence. */
  checkAllRead(): void {
    for (const [name, value] of this.#all) {
      const local = name.slice(this.#prefix.length);
      if (!name.startsWith(this.#prefix) || this.#read.has(name) || NOT_OURS.test(local)) continue;
      const expected = "no such weight: the layer has no place for it";
      throw new ArgumentError(this.operation, local, expected, describe(value));
    }
  }
}

/** Also one of another realm. */
function isMap(value: object): value is ReadonlyMap<string, unknown> {
  return Object.prototype.toString.call(value) === "[object Map]";
}

const weightNames = (stems: readonly string[]) =>
  stems.flatMap((stem) => [`${stem}_weight`, `${stem}.weight`]);

/** Bias keys and values besides: what `add_bias_kv` adds. */
export interface StateDictWeights extends LayerWeights {
  readonly biasKeyValue: { readonly key: Tensor; readonly value: Tensor } | undefined;
}

export function projectionsOfStateDict(
  operation: string,
  dict: unknown,
  prefix: unknown,
  heads: number,
  keyValueHeads: number,
): StateDictWeights {
  const names = new Names(operation, dict, prefix);
  const packed = names.find(weightNames(PACKED));
  const weights = packed
    ? packedProjections(names, packed, heads, keyValueHeads)
    : separateProjections(names);
  const output = names.weight(OUTPUT);
  if (!output)
    throw names.missing(packed?.name === "qkv.weight" ? "proj.weight" : "out_proj.weight");
  const [key, value] = ["bias_k", "bias_v"].map((name) => {
    const found = names.find([name]);
    return found && checkTensor(operation, name, found.value);
  });
  if (!key !== !value) throw names.missing(key ? "bias_v" : "bias_k");
  const projection = { weight: output, order: "out,in", bias: names.bias(OUTPUT)?.data } as const;
  names.checkAllRead();
  return { ...weights, output: projection, biasKeyValue: key && value && { key, value } };
}

function separateProjections(names: Names): Omit<LayerWeights, "output"> {
  const joint = names.bias(["in_proj"]);
  const parts = joint && thirds(names.operation, joint.name, joint.data, [1, 1, 1]);
  const projection = (name: "query" | "key" | "value", index: number): Projection => {
    const weight = names.weight(inputNames(name));
    if (!weight) throw names.missing(index ? `${name[0]}_proj.weight` : "in_proj_weight");
    const bias = parts ? parts[index] : names.bias(inputNames(name))?.data;
    return { weight, order: "out,in", bias };
  };
  return {
    query: projection("query", 0),
    key: projection("key", 1),
    value: projection("value", 2),
  };
}

/** Query, key and value below each other: H·D, Hkv·D and Hkv·D rows. */
function packedProjections(
  names: Names,
  { name, value }: { name: string; value: unknown },
  heads: number,
  keyValueHeads: number,
): Omit<LayerWeights, "output"> {
  const { operation } = names;
  const checked = checkTensor(operation, name, value);
  const { dims } = checked;
  const shares = heads === keyValueHeads ? [1, 1, 1] : [heads, keyValueHeads, keyValueHeads];
  const all = shares.reduce((sum, share) => sum + share, 0);
  const [rows = 0, columns = 0] = dims;
  if (dims.length !== 2 || rows % all) {
    const expected = all === 3 ? "[3·E, E]" : "[(H + 2·Hkv)·D, E]";
    throw new ArgumentError(operation, `${name}.dims`, expected, describe(dims));
  }
  const matrices = thirds(operation, name, lastingData(checked), shares);
  const bias = names.bias(PACKED);
  const biases = bias && thirds(operation, bias.name, bias.data, shares);
  const projection = (index: number): Projection => ({
    weight: {
      data: matrices[index] as Float32Array,
      dims: [(rows / all) * (shares[index] as number), columns],
    },
    order: "out,in",
    bias: biases?.[index],
  });
  return { query: projection(0), key: projection(1), value: projection(2) };
}

/** Three parts laid end to end, by their shares. */
function thirds(
  operation: string,
  name: string,
  data: Float32Array,
  shares: readonly number[],
): Float32Array[] {
  const all = shares.reduce((sum, share) => sum + share, 0);
  const length = lengthOf(data);
  if (length % all) {
    const expected = `a multiple of ${all} elements, ${all === 3 ? "3·E" : "(H + 2·Hkv)·D"}`;
    throw new ArgumentError(operation, name, expected, received(data));
  }
  let from = 0;
  return shares.map((share) => {
    const start = from;
    from += (length / all) * share;
    return part(data, start, from - start);
  });
}
