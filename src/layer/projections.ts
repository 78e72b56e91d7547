// Weights as other libraries keep them, made into the four projections of the layer; PyTorch's in
// weights/state-dict.ts.

import { copyOf, isFloats } from "../arrays";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { PreparedLinear } from "../linear/prepared";
import { AllocatedTensor } from "../tensor/allocated";
import { checkTensor, type Tensor } from "../tensor/tensor";

/** One projection: a matrix and what its rows are. */
export interface Projection {
  /** The matrix, [out, in] or [in, out]. */
  readonly weight: Tensor;
  /** What the rows of the matrix are: [out, in] (PyTorch) or [in, out] (Keras, plain x·W). */
  readonly order: "out,in" | "in,out";
  /** One number for each output. */
  readonly bias?: Float32Array | Tensor | undefined;
}

/** Query to H·D, key to Hkv·D, value to Hkv·Dv, and H·Dv to the output. */
export interface LayerWeights {
  /** [Eq] → [H·D] */
  readonly query: Projection;
  /** [Ek] → [Hkv·D] */
  readonly key: Projection;
  /** [Ev] → [Hkv·Dv] */
  readonly value: Projection;
  /** [H·Dv] → [E] */
  readonly output: Projection;
}

/** The same, each as a matrix or prepared already, by `prepareLinear` or `prepareQuantized`. */
export type LayerProjections = {
  readonly [Name in keyof LayerWeights]: Projection | PreparedLinear;
};

/** The tensors of PyTorch's `nn.MultiheadAttention`, by the names in its state dict. */
export interface PyTorchWeights {
  /** Query, key and value in one, [3·E, E]; or the three below. */
  readonly in_proj_weight?: Tensor | undefined;
  /** [E, E], where key or value have sizes of their own. */
  readonly q_proj_weight?: Tensor | undefined;
  /** [E, kdim] */
  readonly k_proj_weight?: Tensor | undefined;
  /** [E, vdim] */
  readonly v_proj_weight?: Tensor | undefined;
  /** Of query, key and value, [3·E]. */
  readonly in_proj_bias?: Tensor | Float32Array | undefined;
  /** [1, 1, E], of `add_bias_kv`; both or none. */
  readonly bias_k?: Tensor | undefined;
  /** [1, 1, E], of `add_bias_kv`; both or none. */
  readonly bias_v?: Tensor | undefined;
  /** [E, E] */
  readonly "out_proj.weight": Tensor;
  /** [E] */
  readonly "out_proj.bias"?: Tensor | Float32Array | undefined;
}

/**
 * Keras's `MultiHeadAttention.get_weights()`: kernel and bias of query, key, value and output,
 * or the four kernels without biases. Kernels [in, H, D], output kernel [H, Dv, out].
 */
export type KerasWeights = readonly Tensor[];

/** Four matrices of x·W, [in, out] each: the layer every tutorial shows. */
export interface PlainWeights {
  /** Of the query. */
  readonly wq: Tensor;
  /** Of the key. */
  readonly wk: Tensor;
  /** Of the value. */
  readonly wv: Tensor;
  /** Of the output. */
  readonly dense: Tensor;
  /** One number for each column of `wq`. */
  readonly bq?: Tensor | Float32Array | undefined;
  /** One number for each column of `wk`. */
  readonly bk?: Tensor | Float32Array | undefined;
  /** One number for each column of `wv`. */
  readonly bv?: Tensor | Float32Array | undefined;
  /** One number for each column of `dense`. */
  readonly denseBias?: Tensor | Float32Array | undefined;
}

/** The heads are read from the kernels' dims. */
export function projectionsOfKeras(
  operation: string,
  weights: KerasWeights,
): LayerWeights & {
  heads: number;
  keyValueHeads: number;
} {
  const count = Array.isArray(weights) ? weights.length : 0;
  if (count !== 8 && count !== 4) {
    throw new ArgumentError(
      operation,
      "weights",
      "4 kernels, or 4 kernels each with its bias",
      describe(weights),
    );
  }
  const given = copyOf<unknown>(weights, count);
  const step = count / 4;
  const tensorAt = (index: number) => checkTensor(operation, `weights[${index}]`, given[index]);
  const kernel = (index: number, expected: string) => {
    const checked = tensorAt(index * step);
    const { dims } = checked;
    if (dims.length !== 3) {
      throw new ArgumentError(operation, `weights[${index * step}].dims`, expected, describe(dims));
    }
    return { data: lastingData(checked), dims: dims as readonly [number, number, number] };
  };
  const bias = (index: number) => (step === 2 ? tensorAt(2 * index + 1) : undefined);
  const [query, key, value] = [0, 1, 2].map((index) => kernel(index, "[in, heads, size]")) as [
    Kernel,
    Kernel,
    Kernel,
  ];
  const output = kernel(3, "[heads, size, out]");
  const input = ({ data, dims: [inputs, heads, size] }: Kernel, index: number): Projection => ({
    weight: { data, dims: [inputs, heads * size] },
    order: "in,out",
    bias: flat(bias(index)),
  });
  const [heads, size, outputs] = output.dims;
  return {
    query: input(query, 0),
    key: input(key, 1),
    value: input(value, 2),
    output: {
      weight: { data: output.data, dims: [heads * size, outputs] },
      order: "in,out",
      bias: flat(bias(3)),
    },
    heads: query.dims[1],
    keyValueHeads: key.dims[1],
  };
}

interface Kernel {
  readonly data: Float32Array;
  readonly dims: readonly [number, number, number];
}

/** A bias [heads, size] as the list of numbers that it is. */
const flat = (bias: Tensor | undefined) => bias && lastingData(bias);

/** The elements, in an array that stays when linear memory grows. */
export function lastingData(x: Tensor): Float32Array {
  return AllocatedTensor.from(x) ? x.data.slice() : x.data;
}

const readMatrices = reader<PlainWeights>({
  wq: 1,
  wk: 1,
  wv: 1,
  dense: 1,
  bq: 1,
  bk: 1,
  bv: 1,
  denseBias: 1,
});

export function projectionsOfMatrices(operation: string, weights: PlainWeights): LayerWeights {
  const read = readMatrices(operation, weights, "weights");
  const projection = (
    weight: "wq" | "wk" | "wv" | "dense",
    bias: "bq" | "bk" | "bv" | "denseBias",
  ): Projection => {
    const given = read[bias];
    return {
      weight: checkTensor(operation, weight, read[weight]),
      order: "in,out",
      bias: given && !isFloats(given) ? checkTensor(operation, bias, given) : given,
    };
  };
  return {
    query: projection("wq", "bq"),
    key: projection("wk", "bk"),
    value: projection("wv", "bv"),
    output: projection("dense", "denseBias"),
  };
}
