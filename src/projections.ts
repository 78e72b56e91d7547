// Weights as other libraries keep them, made into the four projections of the layer.

import { isFloats, lengthOf, part } from "./arrays";
import { checkOptions } from "./checks";
import { ArgumentError, describe } from "./errors";
import { checkTensor, type Tensor } from "./tensor";

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

const NAME = "MultiHeadAttention";

export function projectionsOfPyTorch(weights: PyTorchWeights): LayerWeights {
  checkOptions(NAME, weights, "weights");
  const packed =
    weights.in_proj_weight && checkTensor(NAME, "in_proj_weight", weights.in_proj_weight);
  if (packed && (packed.dims.length !== 2 || packed.dims[0] % 3)) {
    throw new ArgumentError(NAME, "in_proj_weight.dims", "[3·E, E]", describe(packed.dims));
  }
  const bias = weights.in_proj_bias;
  const biases = bias && !isFloats(bias) ? checkTensor(NAME, "in_proj_bias", bias).data : bias;
  if (biases && lengthOf(biases) % 3) {
    throw new ArgumentError(NAME, "in_proj_bias", "3·E elements", `${lengthOf(biases)}`);
  }
  const projection = (index: number, separate: Tensor | undefined): Projection => ({
    weight: packed
      ? { data: third(packed.data, index), dims: [packed.dims[0] / 3, packed.dims[1]] }
      : (separate as Tensor),
    order: "out,in",
    bias: biases && third(biases, index),
  });
  return {
    query: projection(0, weights.q_proj_weight),
    key: projection(1, weights.k_proj_weight),
    value: projection(2, weights.v_proj_weight),
    output: { weight: weights["out_proj.weight"], order: "out,in", bias: weights["out_proj.bias"] },
  };
}

/** Part `index` of three equal ones laid end to end. */
function third(data: Float32Array, index: number): Float32Array {
  const length = lengthOf(data) / 3;
  return part(data, index * length, length);
}

/** The heads are read from the kernels' dims. */
export function projectionsOfKeras(weights: KerasWeights): LayerWeights & {
  heads: number;
  keyValueHeads: number;
} {
  if (!Array.isArray(weights) || (weights.length !== 8 && weights.length !== 4)) {
    throw new ArgumentError(
      NAME,
      "weights",
      "4 kernels, or 4 kernels each with its bias",
      describe(weights),
    );
  }
  const step = weights.length / 4;
  const kernel = (index: number, expected: string) => {
    const argument = `weights[${index * step}]`;
    const checked = checkTensor(NAME, argument, weights[index * step]);
    if (checked.dims.length !== 3) {
      throw new ArgumentError(NAME, `${argument}.dims`, expected, describe(checked.dims));
    }
    return checked;
  };
  const bias = (index: number) =>
    step === 2
      ? checkTensor(NAME, `weights[${2 * index + 1}]`, weights[2 * index + 1]).data
      : undefined;
  const input = (index: number): Projection => {
    const { data, dims } = kernel(index, "[in, heads, size]");
    return {
      weight: { data, dims: [dims[0], dims[1] * dims[2]] },
      order: "in,out",
      bias: bias(index),
    };
  };
  const [query, key, value] = [input(0), input(1), input(2)];
  const output = kernel(3, "[heads, size, out]");
  return {
    query,
    key,
    value,
    output: {
      weight: { data: output.data, dims: [output.dims[0] * output.dims[1], output.dims[2]] },
      order: "in,out",
      bias: bias(3),
    },
    heads: kernel(0, "[in, heads, size]").dims[1],
    keyValueHeads: kernel(1, "[in, heads, size]").dims[1],
  };
}

export function projectionsOfMatrices(weights: PlainWeights): LayerWeights {
  checkOptions(NAME, weights, "weights");
  const { wq, wk, wv, dense, bq, bk, bv, denseBias } = weights;
  const order = "in,out";
  return {
    query: { weight: wq, order, bias: bq },
    key: { weight: wk, order, bias: bk },
    value: { weight: wv, order, bias: bv },
    output: { weight: dense, order, bias: denseBias },
  };
}
