// A layer's weights in a state dict of PyTorch, by whatever names: nn.MultiheadAttention's (in_proj,
// q_proj, out_proj), transformers' (q_proj, o_proj; query, dense; T5's q, o; DistilBERT's q_lin, out_lin),
// lucidrains' (to_qkv, to_out) and timm's (qkv, proj).

import { lengthOf, part } from "../arrays";
import { ArgumentError, describe } from "../errors";
import { type LayerWeights, lastingData, type Projection } from "../layer/projections";
import { checkTensor, received, type Tensor } from "../tensor/tensor";
import { NamedWeights, weightNames } from "./named-weights";

const PACKED = ["in_proj", "to_qkv", "qkv", "qkv_proj"];
const OUTPUT = [
  ...["out_proj", "o_proj", "dense", "output.dense", "to_out", "to_out.0", "proj"],
  ...["out_lin", "o"],
];
const inputNames = (name: "query" | "key" | "value") => [
  `${name[0]}_proj`,
  name,
  `self.${name}`,
  `attention.${name}`,
  `to_${name[0]}`,
  `${name[0]}_lin`,
  `${name[0]}`,
];
const STEMS = { inputs: [...PACKED, ...inputNames("query")], outputs: OUTPUT };

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
  const names = new NamedWeights(operation, dict, prefix, STEMS);
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

function separateProjections(names: NamedWeights): Omit<LayerWeights, "output"> {
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
  names: NamedWeights,
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
