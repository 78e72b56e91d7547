// The multi-head layer: projections around attend.
//
//   output = dense( attend( query·Wq, key·Wk, value·Wv ) )      heads side by side in a row
//
// (Vaswani et al. 2017, section 3.2.2.) Everything between the projections stays in linear
// memory.

import { AllocatedTensor } from "./allocated";
import {
  type AppendedConfig,
  type AppendedRows,
  attendAppended,
  checkAppended,
  updateAppended,
} from "./appended";
import { attend } from "./attend";
import type { Attention } from "./attention";
import { bindMethods } from "./binding";
import { checkBoolean, checkOptions } from "./checks";
import { disposeSymbol } from "./disposal";
import type { Engine } from "./engine/load";
import type { Steps } from "./engine/work";
import { ArgumentError, DisposedError, describe } from "./errors";
import {
  checkHeadCounts,
  checkInputs,
  checkSizes,
  type LayerUpdate,
  refuseRecord,
} from "./layer-shapes";
import type { PreparedLinear } from "./linear";
import {
  type LayerBackwardOptions,
  type LayerGradients,
  LayerRecord,
  layerBackward,
} from "./multihead-backward";
import type { Later, ScoreOptions } from "./options";
import { GONE, inspected, inspectSymbol } from "./printing";
import type { Packing } from "./product";
import {
  type KerasWeights,
  type LayerWeights,
  type PlainWeights,
  type PyTorchWeights,
  projectionsOfKeras,
  projectionsOfMatrices,
  projectionsOfPyTorch,
} from "./projections";
import type { Tensor } from "./tensor";

/** How many heads a layer has, and what else its keys are. */
export interface LayerConfig extends AppendedConfig {
  /** Query heads H. */
  heads: number;
  /** Key and value heads, a divisor of `heads` (grouped-query attention); `heads` by default. */
  keyValueHeads?: number | undefined;
}

/** What `forward` returns; what was not asked for is missing. */
export interface LayerResult {
  /** [B, L, E] or [L, E], as the query came. */
  output: Tensor;
  /**
   * [B, H, L, S], or [B, L, S] for `"mean"`; without B as the query came. A bias key and the zero
   * key have columns of their own after the S.
   */
  weights?: Tensor;
  /** [B, H, L, S] with the same further columns; without B as the query came. */
  scores?: Tensor;
  /** [B, H, L]. */
  logSumExp?: Tensor;
  /** With `record: true`: what `backward` needs. */
  record?: LayerRecord;
}

/** Options of the layer's `forward`. */
export interface LayerOptions extends ScoreOptions {
  /** Keep the projected inputs in linear memory for `backward`. */
  record?: boolean | undefined;
}

const NAME = "MultiHeadAttention";

/**
 * Multi-head attention: projections of query, key and value, `attend`, and the output's projection.
 * Self-attention and cross-attention, grouped heads, own sizes of every input and of the output.
 */
export class MultiHeadAttention {
  /** @internal */
  static readonly name = "MultiHeadAttention";
  #heads: number;
  #keyValueHeads: number;
  #attention: Attention;
  /** Keys and values that every query sees besides the inputs' own. */
  #appended: AppendedRows | undefined;
  #projections: Record<keyof LayerWeights, PreparedLinear> | undefined;

  /**
   * @throws ArgumentError if sizes do not fit the heads or each other.
   * @throws MemoryError, DisposedError as `prepareLinear`; nothing stays allocated then.
   */
  constructor(attention: Attention, config: LayerConfig, weights: LayerWeights) {
    const { heads, keyValueHeads } = checkHeadCounts(config);
    this.#heads = heads;
    this.#keyValueHeads = keyValueHeads;
    this.#attention = attention;
    bindMethods(this, MultiHeadAttention.prototype);

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
      checkSizes(projections, heads, keyValueHeads);
      this.#appended = checkAppended(
        config,
        projections.key.outputSize,
        projections.value.outputSize,
      );
      this.#projections = projections;
    } catch (error) {
      for (const projection of Object.values(prepared)) projection.dispose();
      throw error;
    }
  }

  /** Query heads H. */
  get heads(): number {
    return this.#heads;
  }

  /** Key and value heads Hkv, a divisor of `heads`. */
  get keyValueHeads(): number {
    return this.#keyValueHeads;
  }

  /** From PyTorch's `nn.MultiheadAttention`: `in_proj_weight` packed, or the three separate matrices. */
  static fromPyTorch(
    attention: Attention,
    weights: PyTorchWeights,
    config: LayerConfig,
  ): MultiHeadAttention {
    const { bias_k, bias_v } = weights;
    const biasKeyValue = bias_k || bias_v ? { key: bias_k, value: bias_v } : config?.biasKeyValue;
    const whole = { ...config, biasKeyValue } as LayerConfig;
    return new MultiHeadAttention(attention, whole, projectionsOfPyTorch(weights));
  }

  /** From Keras's `MultiHeadAttention` or `GroupedQueryAttention`; the heads are read from the kernels. */
  static fromKeras(attention: Attention, weights: KerasWeights): MultiHeadAttention {
    const projections = projectionsOfKeras(weights);
    return new MultiHeadAttention(attention, projections, projections);
  }

  /** From four plain matrices of x·W: the layer every tutorial shows. */
  static fromMatrices(
    attention: Attention,
    weights: PlainWeights,
    config: LayerConfig,
  ): MultiHeadAttention {
    return new MultiHeadAttention(attention, config, projectionsOfMatrices(weights));
  }

  /**
   * query [B, L, Eq], key [B, S, Ek], value [B, S, Ev] → output [B, L, E], or all without B.
   * The key is the query unless given (self-attention), the value is the key unless given.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  forward(query: Tensor, key?: Tensor, value?: Tensor, options: LayerOptions = {}): LayerResult {
    return this.#attention.now(NAME, (engine) => this.#steps(engine, query, key, value, options));
  }

  /**
   * `forward` without holding the calling thread; see `attendAsync`.
   *
   * @throws As `forward`, and `signal.reason` if the signal aborts before the end; all by rejecting.
   */
  forwardAsync(
    query: Tensor,
    key?: Tensor,
    value?: Tensor,
    options: LayerOptions & Later = {},
  ): Promise<LayerResult> {
    return this.#attention.later(NAME, options, (engine) =>
      this.#steps(engine, query, key, value, options),
    );
  }

  *#steps(
    engine: Engine,
    query: Tensor,
    key: Tensor | undefined,
    value: Tensor | undefined,
    options: LayerOptions,
  ): Steps<LayerResult> {
    checkOptions(NAME, options);
    const { out, record = false, ...score } = options;
    checkBoolean(NAME, "record", record);
    if (record) refuseRecord(options);
    const projections = this.#inUse();
    let kept: LayerRecord | undefined;
    const temporaries: AllocatedTensor[] = [];
    const allocate = (dims: readonly number[]) => {
      const made = new AllocatedTensor(engine.arena, dims);
      temporaries.push(made);
      return made;
    };
    try {
      const inputs = checkInputs(projections, query, key, value);
      function* project(name: keyof LayerWeights, x: Tensor): Steps<AllocatedTensor> {
        const target = allocate([...x.dims.slice(0, -1), projections[name].outputSize]);
        yield* projections[name].apply(engine, x, { out: target });
        return target;
      }
      const q = yield* project("query", inputs.query);
      const k = yield* project("key", inputs.key);
      const v = yield* project("value", inputs.value);
      const [heads, keyValueHeads] = [this.#heads, this.#keyValueHeads];
      const mixed = allocate([...q.dims.slice(0, -1), projections.output.inputSize]);
      const wanted = { ...score, logSumExp: record || score.logSumExp };
      const inside = { ...wanted, layout: "BLE", heads, keyValueHeads, out: mixed } as const;
      const appended = this.#appended;
      const { weights, scores, logSumExp } = appended
        ? yield* attendAppended(engine, q, { key: k, value: v }, appended, inside)
        : yield* attend(engine, q, k, v, inside);
      const output = yield* projections.output.apply(engine, mixed, { out });
      if (record && logSumExp) {
        const given = {
          query: inputs.query,
          key: key && inputs.key,
          value: value && inputs.value,
        };
        const options = { ...score, heads, keyValueHeads, layout: "BLE" } as const;
        const tensors = { query: q, key: k, value: v, mixed };
        // The caller may write into what is returned.
        const own = score.logSumExp ? { ...logSumExp, data: logSumExp.data.slice() } : logSumExp;
        kept = new LayerRecord(this, { given, ...tensors, logSumExp: own, options, appended });
      }
      return {
        output,
        ...(weights && { weights }),
        ...(scores && { scores }),
        ...(score.logSumExp && logSumExp && { logSumExp }),
        ...(kept && { record: kept }),
      };
    } finally {
      if (!kept) for (const temporary of temporaries) temporary.dispose();
    }
  }

  /**
   * Gradients of the inputs and of every weight and bias, from that of the output and the record of the
   * forward pass that gave it. The record is let go of.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `forward`; the record stays then.
   */
  backward(
    outputGradient: Tensor,
    record: LayerRecord,
    options: LayerBackwardOptions = {},
  ): LayerGradients {
    return this.#attention.now(NAME, (engine) =>
      this.#backwardSteps(engine, outputGradient, record, options),
    );
  }

  *#backwardSteps(
    engine: Engine,
    outputGradient: Tensor,
    record: LayerRecord,
    options: LayerBackwardOptions,
  ): Steps<LayerGradients> {
    const projections = this.#inUse();
    const own = LayerRecord.from(record);
    if (!own) {
      const expected = "a record from forward with record: true";
      throw new ArgumentError(NAME, "record", expected, describe(record));
    }
    const kept = own.keptBy(this, NAME);
    const gradients = yield* layerBackward(engine, outputGradient, kept, projections, options);
    own.dispose();
    return gradients;
  }

  /**
   * Packs other weights of the same sizes and orders in place, with biases where there are some;
   * what is left out stays as it is.
   *
   * @throws ArgumentError, MemoryError, DisposedError as the constructor; nothing is changed then.
   */
  update(weights: LayerUpdate): void {
    const projections = this.#inUse();
    checkOptions(NAME, weights, "weights");
    const { biasKeyValue } = weights;
    const appended =
      biasKeyValue === undefined ? this.#appended : updateAppended(this.#appended, biasKeyValue);
    const packings: Packing[] = [];
    for (const name of ["query", "key", "value", "output"] as const) {
      const next = weights[name];
      if (next === undefined) continue;
      checkOptions(NAME, next, name, "{ weight, bias? }");
      const { weight, bias } = next;
      packings.push(projections[name].updating(NAME, `${name}.`, weight, bias));
    }
    // The one that takes the most room comes first: where it finds it, so do the others.
    packings.sort((a, b) => b.bytes - a.bytes);
    for (const packing of packings) packing.pack();
    this.#appended = appended;
  }

  #inUse(): Record<keyof LayerWeights, PreparedLinear> {
    if (!this.#projections)
      throw new DisposedError(NAME, "layer", "a layer in use", "a disposed one");
    return this.#projections;
  }

  /** Heads and sizes; the weights are packed for the kernels. */
  toJSON(): object {
    const projections = this.#projections;
    const sizes = projections && {
      query: projections.query.toJSON(),
      key: projections.key.toJSON(),
      value: projections.value.toJSON(),
      output: projections.output.toJSON(),
    };
    return { heads: this.#heads, keyValueHeads: this.#keyValueHeads, ...(sizes ?? GONE) };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected(NAME, this.toJSON(), options, inspect);
  }

  /** Gives the prepared weights back; a second call does nothing. */
  dispose(): void {
    if (!this.#projections) return;
    for (const projection of Object.values(this.#projections)) projection.dispose();
    this.#projections = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }
}
