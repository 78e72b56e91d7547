// The multi-head layer: projections around attend.
//
//   output = dense( attend( query·Wq, key·Wk, value·Wv ) )      heads side by side in a row
//
// (Vaswani et al. 2017, section 3.2.2.) Everything between the projections stays in linear
// memory.

import type { Attention } from "./attention";
import { disposeSymbol } from "./disposal";
import { ArgumentError, DisposedError, describe } from "./errors";
import type { PreparedLinear } from "./linear";
import type { ScoreOptions } from "./options";
import { checkCount } from "./shapes";
import { type AllocatedTensor, checkTensor, type Tensor } from "./tensor";

export interface LayerConfig {
  /** Query heads H. */
  heads: number;
  /** Key and value heads, a divisor of `heads` (grouped-query attention); `heads` by default. */
  keyValueHeads?: number | undefined;
}

/** One projection: a matrix and what its rows are. */
export interface Projection {
  readonly weight: Tensor;
  readonly order: "out,in" | "in,out";
  readonly bias?: Float32Array | Tensor | undefined;
}

/** Query to H·D, key to Hkv·D, value to Hkv·Dv, and H·Dv to the output. */
export interface LayerWeights {
  readonly query: Projection;
  readonly key: Projection;
  readonly value: Projection;
  readonly output: Projection;
}

export interface LayerOptions extends ScoreOptions {}

export interface LayerResult {
  /** [B, L, E] or [L, E], as the query came. */
  output: Tensor;
  /** [B, H, L, S], or [B, L, S] for `"mean"`; without B as the query came. */
  weights?: Tensor;
  /** [B, H, L]. */
  logSumExp?: Tensor;
}

/** The tensors of PyTorch's `nn.MultiheadAttention`, by the names in its state dict. */
export interface PyTorchWeights {
  readonly in_proj_weight?: Tensor | undefined;
  readonly q_proj_weight?: Tensor | undefined;
  readonly k_proj_weight?: Tensor | undefined;
  readonly v_proj_weight?: Tensor | undefined;
  readonly in_proj_bias?: Tensor | Float32Array | undefined;
  readonly "out_proj.weight": Tensor;
  readonly "out_proj.bias"?: Tensor | Float32Array | undefined;
}

/**
 * Keras's `MultiHeadAttention.get_weights()`: kernel and bias of query, key, value and output,
 * or the four kernels without biases. Kernels [in, H, D], output kernel [H, Dv, out].
 */
export type KerasWeights = readonly Tensor[];

/** Four matrices of x·W, [in, out] each: the layer every tutorial shows. */
export interface PlainWeights {
  readonly wq: Tensor;
  readonly wk: Tensor;
  readonly wv: Tensor;
  readonly dense: Tensor;
  readonly bq?: Tensor | Float32Array | undefined;
  readonly bk?: Tensor | Float32Array | undefined;
  readonly bv?: Tensor | Float32Array | undefined;
  readonly denseBias?: Tensor | Float32Array | undefined;
}

const NAME = "MultiHeadAttention";

export class MultiHeadAttention {
  readonly heads: number;
  readonly keyValueHeads: number;
  #attention: Attention;
  #projections: Record<keyof LayerWeights, PreparedLinear> | undefined;

  /**
   * @throws ArgumentError if sizes do not fit the heads or each other.
   * @throws MemoryError, DisposedError as `prepareLinear`; nothing stays allocated then.
   */
  constructor(attention: Attention, config: LayerConfig, weights: LayerWeights) {
    checkCount(NAME, "heads", config?.heads);
    const { heads, keyValueHeads = heads } = config;
    checkCount(NAME, "keyValueHeads", keyValueHeads);
    if (heads % keyValueHeads) {
      throw new ArgumentError(
        NAME,
        "keyValueHeads",
        `a divisor of heads = ${heads}`,
        describe(keyValueHeads),
      );
    }
    this.heads = heads;
    this.keyValueHeads = keyValueHeads;
    this.#attention = attention;

    const prepared: Partial<Record<keyof LayerWeights, PreparedLinear>> = {};
    try {
      for (const name of ["query", "key", "value", "output"] as const) {
        const projection = weights?.[name];
        if (typeof projection !== "object" || projection === null) {
          throw new ArgumentError(
            NAME,
            name,
            "a projection { weight, order, bias? }",
            describe(projection),
          );
        }
        prepared[name] = attention.prepareLinear(projection.weight, projection);
      }
      const projections = prepared as Record<keyof LayerWeights, PreparedLinear>;
      this.#checkSizes(projections);
      this.#projections = projections;
    } catch (error) {
      for (const projection of Object.values(prepared)) projection.dispose();
      throw error;
    }
  }

  /** From PyTorch's `nn.MultiheadAttention`: `in_proj_weight` packed, or the three separate matrices. */
  static fromPyTorch(
    attention: Attention,
    weights: PyTorchWeights,
    config: LayerConfig,
  ): MultiHeadAttention {
    const output: Projection = {
      weight: weights["out_proj.weight"],
      order: "out,in",
      bias: weights["out_proj.bias"],
    };
    const given = weights.in_proj_weight;
    const packed = given && checkTensor(NAME, "in_proj_weight", given);
    const [rows = 0, columns = 0] = packed?.dims ?? [];
    if (packed && (packed.dims.length !== 2 || rows % 3)) {
      throw new ArgumentError(NAME, "in_proj_weight.dims", "[3·E, E]", describe(packed.dims));
    }
    const parts = {
      query: packed ? third(packed.data, 0, [rows / 3, columns]) : weights.q_proj_weight,
      key: packed ? third(packed.data, 1, [rows / 3, columns]) : weights.k_proj_weight,
      value: packed ? third(packed.data, 2, [rows / 3, columns]) : weights.v_proj_weight,
    };
    const inputBias = weights.in_proj_bias;
    const biasData = inputBias instanceof Float32Array ? inputBias : inputBias?.data;
    if (biasData && biasData.length % 3) {
      throw new ArgumentError(NAME, "in_proj_bias", "3·E elements", `${biasData.length}`);
    }
    const projection = (part: Tensor | undefined, index: number): Projection => ({
      weight: part as Tensor,
      order: "out,in",
      bias: biasData && third(biasData, index, [biasData.length / 3]),
    });
    return new MultiHeadAttention(attention, config, {
      query: projection(parts.query, 0),
      key: projection(parts.key, 1),
      value: projection(parts.value, 2),
      output,
    });
  }

  /** From Keras's `MultiHeadAttention` (and `GroupedQueryAttention`); heads are read from the kernels. */
  static fromKeras(attention: Attention, weights: KerasWeights): MultiHeadAttention {
    if (!Array.isArray(weights) || (weights.length !== 8 && weights.length !== 4)) {
      throw new ArgumentError(
        NAME,
        "weights",
        "4 kernels, or 4 kernels each with its bias",
        describe(weights),
      );
    }
    const step = weights.length / 4;
    const names = ["query", "key", "value", "output"] as const;
    const kernels = names.map((name, i) => {
      const kernel = checkTensor(NAME, `weights[${i * step}]`, weights[i * step]);
      if (kernel.dims.length !== 3) {
        const expected = name === "output" ? "[heads, size, out]" : "[in, heads, size]";
        throw new ArgumentError(NAME, `weights[${i * step}].dims`, expected, describe(kernel.dims));
      }
      return kernel;
    });
    const projections = kernels.map(({ data, dims: [a = 0, b = 0, c = 0] }, i): Projection => {
      const bias = step === 2 ? weights[i * step + 1] : undefined;
      const dims = i === 3 ? [a * b, c] : [a, b * c];
      return {
        weight: { data, dims },
        order: "in,out",
        bias: bias && checkTensor(NAME, `weights[${i * step + 1}]`, bias).data,
      };
    });
    const [query, key, value, output] = projections as [
      Projection,
      Projection,
      Projection,
      Projection,
    ];
    const config = { heads: kernels[0]?.dims[1] as number, keyValueHeads: kernels[1]?.dims[1] };
    return new MultiHeadAttention(attention, config, { query, key, value, output });
  }

  /** From four plain matrices. */
  static fromMatrices(
    attention: Attention,
    weights: PlainWeights,
    config: LayerConfig,
  ): MultiHeadAttention {
    const { wq, wk, wv, dense, bq, bk, bv, denseBias } = weights;
    const order = "in,out";
    return new MultiHeadAttention(attention, config, {
      query: { weight: wq, order, bias: bq },
      key: { weight: wk, order, bias: bk },
      value: { weight: wv, order, bias: bv },
      output: { weight: dense, order, bias: denseBias },
    });
  }

  /**
   * query [B, L, Eq], key [B, S, Ek], value [B, S, Ev] → output [B, L, E], or all without B.
   * The key is the query unless given (self-attention), the value is the key unless given.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  forward(query: Tensor, key?: Tensor, value?: Tensor, options: LayerOptions = {}): LayerResult {
    const projections = this.#projections;
    if (!projections) throw new DisposedError(NAME, "layer", "a layer in use", "a disposed one");
    const attention = this.#attention;
    const temporaries: AllocatedTensor[] = [];
    const allocate = (dims: readonly number[]) => {
      const made = attention.allocate(dims);
      temporaries.push(made);
      return made;
    };
    const project = (name: keyof LayerWeights, x: Tensor) => {
      const dims = [...x.dims.slice(0, -1), projections[name].outputSize];
      return attention.linear(x, projections[name], { out: allocate(dims) });
    };
    try {
      const { out, ...score } = options;
      const inputs = this.#checkInputs(projections, query, key, value);
      const [q, k, v] = [
        project("query", inputs.query),
        project("key", inputs.key),
        project("value", inputs.value),
      ];
      const { heads, keyValueHeads } = this;
      const mixed = allocate([...q.dims.slice(0, -1), projections.output.inputSize]);
      const { weights, logSumExp } = attention.attend(q, k, v, {
        ...score,
        layout: "BLE",
        heads,
        keyValueHeads,
        out: mixed,
      });
      const output = attention.linear(mixed, projections.output, { out });
      return { output, ...(weights && { weights }), ...(logSumExp && { logSumExp }) };
    } finally {
      for (const temporary of temporaries) temporary.dispose();
    }
  }

  /** Gives the prepared weights back; a second call does nothing. */
  dispose(): void {
    if (!this.#projections) return;
    for (const projection of Object.values(this.#projections)) projection.dispose();
    this.#projections = undefined;
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  #checkSizes({ query, key, value, output }: Record<keyof LayerWeights, PreparedLinear>): void {
    const { heads, keyValueHeads } = this;
    const size = query.outputSize / heads;
    const expect = (argument: string, expected: string, got: number, fits: boolean) => {
      if (!fits) throw new ArgumentError(NAME, argument, expected, `${got}`);
    };
    const into = (rows: string, wanted: number) => `a weight to ${rows} = ${wanted} outputs`;
    expect(
      "query",
      `a weight to a multiple of ${heads} heads`,
      query.outputSize,
      Number.isInteger(size),
    );
    expect(
      "key",
      into("Hkv·D", keyValueHeads * size),
      key.outputSize,
      key.outputSize === keyValueHeads * size,
    );
    expect(
      "value",
      `a weight to a multiple of ${keyValueHeads} heads`,
      value.outputSize,
      value.outputSize % keyValueHeads === 0,
    );
    const mixed = (value.outputSize / keyValueHeads) * heads;
    expect(
      "output",
      `a weight from H·Dv = ${mixed} inputs`,
      output.inputSize,
      output.inputSize === mixed,
    );
  }

  #checkInputs(
    projections: Record<keyof LayerWeights, PreparedLinear>,
    query: Tensor,
    key: Tensor = query,
    value: Tensor = key,
  ): { query: Tensor; key: Tensor; value: Tensor } {
    const check = (name: "query" | "key" | "value", x: Tensor) => {
      const { dims } = checkTensor(NAME, name, x);
      const size = projections[name].inputSize;
      if ((dims.length !== 2 && dims.length !== 3) || dims.at(-1) !== size) {
        const axes = name === "query" ? "L" : "S";
        throw new ArgumentError(
          NAME,
          `${name}.dims`,
          `[B, ${axes}, ${size}] or [${axes}, ${size}]`,
          describe(dims),
        );
      }
      return x;
    };
    return { query: check("query", query), key: check("key", key), value: check("value", value) };
  }
}

/** Part `index` of three equal ones laid end to end. */
function third(data: Float32Array, index: number, dims: readonly number[]): Tensor {
  const length = data.length / 3;
  return { data: data.subarray(index * length, (index + 1) * length), dims };
}
