// The multi-head layer: projections around attend.
//
//   output = dense( attend( query·Wq, key·Wk, value·Wv ) )      heads side by side in a row
//
// (Vaswani et al. 2017, section 3.2.2.) Everything between the projections stays in linear
// memory.

import { type AttendCall, callAttend, checkAttendOf } from "../attend/forward";
import {
  type Abortable,
  type Exactly,
  type Returned,
  type ScoreOptions,
  scoreFields,
} from "../attend/options";
import { type Attention, checkAttention } from "../attention";
import { reader } from "../check/names";
import { checkBoolean } from "../check/values";
import { ArgumentError, DisposedError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { PreparedLinear } from "../linear/linear";
import type { Packing } from "../linear/product";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { bindMethods } from "../tensor/binding";
import { disposeSymbol } from "../tensor/disposal";
import { GONE, inspected, inspectSymbol } from "../tensor/printing";
import { checkOut, type Tensor } from "../tensor/tensor";
import {
  type AppendedConfig,
  type AppendedRows,
  attendAppended,
  checkAppended,
  updateAppended,
  wantedOfParts,
} from "./appended";
import {
  type KerasWeights,
  type LayerWeights,
  type PlainWeights,
  type Projection,
  type PyTorchWeights,
  projectionsOfKeras,
  projectionsOfMatrices,
} from "./projections";
import { LayerRecord } from "./record";
import {
  checkHeadCounts,
  checkInputs,
  checkSizes,
  type LayerUpdate,
  refuseRecord,
  type Update,
} from "./sizes";
import { projectionsOfStateDict, type StateDict } from "./state-dict";

/** How many heads a layer has, and what else its keys are. */
export interface LayerConfig extends AppendedConfig {
  /** Query heads H. */
  heads: number;
  /** Key and value heads, a divisor of `heads` (grouped-query attention); `heads` by default. */
  keyValueHeads?: number | undefined;
}

/**
 * What `forward` returns, by what was asked for: `output` [B, L, E] or [L, E], as the query came;
 * `weights` [B, H, L, S], or [B, L, S] for `"mean"`, and `scores` [B, H, L, S], without B as the query
 * came: a bias key and the zero key have columns of their own after the S; `logSumExp` [B, H, L]; `record`,
 * what `multiHeadBackward` needs.
 */
export type LayerResult<Options = LayerOptions> = { output: Tensor } & Returned<
  Options,
  "weights"
> &
  Returned<Options, "scores"> &
  Returned<Options, "logSumExp"> &
  Recorded<Options>;

type Recorded<Options> = "record" extends keyof Options
  ? Options["record"] extends true
    ? { record: LayerRecord }
    : { record?: LayerRecord }
  : unknown;

/** The inputs of `forward`; the key is the query unless given, the value is the key. */
export interface LayerInputs {
  /** [B, L, Eq] */
  readonly query: Tensor;
  /** [B, S, Ek] */
  readonly key?: Tensor | undefined;
  /** [B, S, Ev] */
  readonly value?: Tensor | undefined;
}

/** Options of the layer's `forward`. */
export interface LayerOptions extends ScoreOptions {
  /** Keep the projected inputs in linear memory for `backward`. */
  record?: boolean | undefined;
}

const NAME = "MultiHeadAttention";
const PROJECTIONS = ["query", "key", "value", "output"] as const;

const configFields = { heads: 1, keyValueHeads: 1, biasKeyValue: 1, addZeroAttention: 1 } as const;
const readConfig = reader<LayerConfig>(configFields);
const readStateDictConfig = reader<LayerConfig & Prefixed>({ ...configFields, prefix: 1 });
const readWeights = reader<LayerWeights>({ query: 1, key: 1, value: 1, output: 1 });
const readProjection = reader<Projection>(
  { weight: 1, order: 1, bias: 1 },
  "a projection { weight, order, bias? }",
);
const readUpdates = reader<LayerUpdate>({ query: 1, key: 1, value: 1, output: 1, biasKeyValue: 1 });
const readUpdate = reader<Update>({ weight: 1, bias: 1, order: 1 }, "{ weight, bias? }");

const layerFields = { ...scoreFields, record: 1 } as const;
const readForward = reader<LayerOptions>(layerFields);
const readForwardLater = reader<LayerOptions & Abortable>({ ...layerFields, signal: 1 });

/** A forward pass that can be made. */
interface ForwardCall {
  readonly given: Record<"query" | "key" | "value", Tensor>;
  readonly asked: { readonly key: boolean; readonly value: boolean };
  readonly attend: AttendCall;
  readonly appended: AppendedRows | undefined;
  readonly options: LayerOptions;
}

/** Where a layer's weights lie in a state dict. */
interface Prefixed {
  /** What the names of this layer's weights begin with, its dot included: `"encoder.self_attn."`. */
  prefix?: string | undefined;
}

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
  constructor(attention: Attention, config: LayerConfig, weights: LayerWeights);
  /** @internal `operation` is what the caller called. */
  constructor(attention: Attention, config: LayerConfig, weights: LayerWeights, operation?: string);
  constructor(
    attention: Attention,
    config: LayerConfig,
    weights: LayerWeights,
    operation: string = NAME,
  ) {
    const engine = checkAttention(operation, attention).running(operation);
    const read = readConfig(operation, config, "config");
    const { heads, keyValueHeads } = checkHeadCounts(operation, read);
    const given = readWeights(operation, weights, "weights");
    this.#heads = heads;
    this.#keyValueHeads = keyValueHeads;
    this.#attention = attention;
    bindMethods(this, MultiHeadAttention.prototype);

    const prepared: Partial<Record<keyof LayerWeights, PreparedLinear>> = {};
    try {
      for (const name of PROJECTIONS) {
        const projection = readProjection(operation, given[name], name);
        prepared[name] = new PreparedLinear(
          engine,
          operation,
          projection.weight,
          projection,
          `${name}.`,
        );
      }
      const projections = prepared as Record<keyof LayerWeights, PreparedLinear>;
      checkSizes(operation, projections, heads, keyValueHeads);
      this.#appended = checkAppended(
        operation,
        read,
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

  /**
   * From a state dict of PyTorch, in an object or a Map: `nn.MultiheadAttention`'s (`in_proj_weight`
   * packed, or the three separate matrices), transformers' (`q_proj`, `k_proj`, `v_proj` and `o_proj` or
   * `out_proj`; `query`, `key`, `value` and `dense`), lucidrains' (`to_qkv` or `to_q`, `to_k`, `to_v`,
   * and `to_out`), timm's (`qkv`, `proj`). Names outside `prefix` are left alone.
   *
   * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
   */
  static fromPyTorch(
    attention: Attention,
    weights: PyTorchWeights | StateDict,
    config: LayerConfig & Prefixed,
  ): MultiHeadAttention {
    const name = "fromPyTorch";
    checkAttention(name, attention);
    const { prefix = "", ...read } = readStateDictConfig(name, config, "config");
    const { heads, keyValueHeads } = checkHeadCounts(name, read);
    const { biasKeyValue = read.biasKeyValue, ...projections } = projectionsOfStateDict(
      name,
      weights,
      prefix,
      heads,
      keyValueHeads,
    );
    return new MultiHeadAttention(attention, { ...read, biasKeyValue }, projections, name);
  }

  /** From Keras's `MultiHeadAttention` or `GroupedQueryAttention`; the heads are read from the kernels. */
  static fromKeras(attention: Attention, weights: KerasWeights): MultiHeadAttention {
    const name = "fromKeras";
    checkAttention(name, attention);
    const { heads, keyValueHeads, ...projections } = projectionsOfKeras(name, weights);
    return new MultiHeadAttention(attention, { heads, keyValueHeads }, projections, name);
  }

  /** From four plain matrices of x·W: the layer every tutorial shows. */
  static fromMatrices(
    attention: Attention,
    weights: PlainWeights,
    config: LayerConfig,
  ): MultiHeadAttention {
    const name = "fromMatrices";
    checkAttention(name, attention);
    return new MultiHeadAttention(attention, config, projectionsOfMatrices(name, weights), name);
  }

  /**
   * Self-attention of x [B, L, E], or attention of { query [B, L, Eq], key [B, S, Ek], value [B, S, Ev] }
   * → output [B, L, E]; all without B too.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  forward<const Options extends LayerOptions = Record<never, never>>(
    inputs: Tensor | LayerInputs,
    options?: Exactly<Options, LayerOptions>,
  ): LayerResult<Options> {
    const name = "forward";
    return this.#attention.now(name, (engine) => {
      const read = readForward(name, options ?? {});
      return this.#steps(engine, this.#checkForward(name, inputs, read));
    }) as LayerResult<Options>;
  }

  /**
   * `forward` without holding the calling thread; see `attendAsync`.
   *
   * @throws As `forward`, and `signal.reason` if the signal aborts before the end; all by rejecting.
   */
  forwardAsync<const Options extends LayerOptions & Abortable = Record<never, never>>(
    inputs: Tensor | LayerInputs,
    options?: Exactly<Options, LayerOptions & Abortable>,
  ): Promise<LayerResult<Options>> {
    const name = "forwardAsync";
    return this.#attention.later(name, () => {
      const { signal, ...read } = readForwardLater(name, options ?? {});
      const call = this.#checkForward(name, inputs, read);
      return { signal, steps: (engine) => this.#steps(engine, call) };
    }) as Promise<LayerResult<Options>>;
  }

  #checkForward(
    operation: string,
    inputs: Tensor | LayerInputs,
    options: LayerOptions,
  ): ForwardCall {
    const [heads, keyValueHeads] = [this.#heads, this.#keyValueHeads];
    const { out, record = false, logSumExp, ...score } = options;
    checkBoolean(operation, "record", record);
    checkBoolean(operation, "logSumExp", logSumExp);
    if (record) refuseRecord(operation, options);
    const projections = this.#inUse(operation);
    const { given, asked } = checkInputs(operation, projections, inputs);
    const dims = [...given.query.dims.slice(0, -1), projections.output.outputSize];
    const target = checkOut(operation, out, dims);
    // The projections are not made yet, only their sizes are known.
    const projected = (name: "query" | "key" | "value"): Tensor => ({
      data: new Float32Array(0),
      dims: [...given[name].dims.slice(0, -1), projections[name].outputSize],
    });
    const placeholders = {
      query: projected("query"),
      key: projected("key"),
      value: projected("value"),
    };
    const wanted = this.#appended ? wantedOfParts(options) : { logSumExp: record || logSumExp };
    const inside = { ...score, ...wanted, heads, keyValueHeads };
    const attend = checkAttendOf(operation, placeholders, "BLE", inside);
    return { given, asked, attend, appended: this.#appended, options: { ...options, out: target } };
  }

  *#steps(
    engine: Engine,
    { given, asked, attend, appended, options }: ForwardCall,
  ): Steps<LayerResult> {
    const { operation } = attend;
    const { out, record = false, logSumExp: wanted } = options;
    const projections = this.#inUse(operation);
    let kept: LayerRecord | undefined;
    const temporaries: AllocatedTensor[] = [];
    const allocate = (dims: readonly number[]) => {
      const made = new AllocatedTensor(engine.arena, dims);
      temporaries.push(made);
      return made;
    };
    try {
      function* project(name: "query" | "key" | "value"): Steps<AllocatedTensor> {
        const x = given[name];
        const target = allocate([...x.dims.slice(0, -1), projections[name].outputSize]);
        yield* projections[name].apply(engine, operation, x, { out: target }, name);
        return target;
      }
      const query = yield* project("query");
      const key = yield* project("key");
      const value = yield* project("value");
      const mixed = allocate([...query.dims.slice(0, -1), projections.output.inputSize]);
      const call = { ...attend, inputs: { query, key, value } };
      const [heads, keyValueHeads] = [this.#heads, this.#keyValueHeads];
      const whole = { ...options, logSumExp: record || wanted, out: mixed };
      const inside = { ...whole, layout: "BLE", heads, keyValueHeads } as const;
      const { weights, scores, logSumExp } = appended
        ? yield* attendAppended(engine, call, appended, inside)
        : yield* callAttend(engine, { ...call, out: mixed });
      const output = yield* projections.output.apply(engine, operation, mixed, { out });
      if (record && logSumExp) {
        const inputs = {
          query: given.query,
          key: asked.key ? given.key : undefined,
          value: asked.value ? given.value : undefined,
        };
        // The caller may write into what is returned.
        const own = wanted ? { ...logSumExp, data: logSumExp.data.slice() } : logSumExp;
        kept = new LayerRecord(this, { given: inputs, call, mixed, logSumExp: own, appended });
      }
      return {
        output,
        ...(weights && { weights }),
        ...(scores && { scores }),
        ...(wanted && logSumExp && { logSumExp }),
        ...(kept && { record: kept }),
      };
    } finally {
      if (!kept) for (const temporary of temporaries) temporary.dispose();
    }
  }

  /** @internal What its backward pass needs. */
  parts(operation: string): {
    attention: Attention;
    projections: Record<keyof LayerWeights, PreparedLinear>;
  } {
    return { attention: this.#attention, projections: this.#inUse(operation) };
  }

  /** @internal The value itself if it is one. */
  static from(value: unknown): MultiHeadAttention | undefined {
    return typeof value === "object" && value !== null && #projections in value ? value : undefined;
  }

  /**
   * Packs other weights of the same sizes and orders in place, with biases where there are some;
   * what is left out stays as it is.
   *
   * @throws ArgumentError, MemoryError, DisposedError as the constructor; nothing is changed then.
   */
  update(weights: LayerUpdate): void {
    const operation = "update";
    const projections = this.#inUse(operation);
    const { biasKeyValue, ...given } = readUpdates(operation, weights, "weights");
    const appended =
      biasKeyValue === undefined
        ? this.#appended
        : updateAppended(operation, this.#appended, biasKeyValue);
    const packings: Packing[] = [];
    for (const name of PROJECTIONS) {
      if (given[name] === undefined) continue;
      const { weight, bias, order } = readUpdate(operation, given[name], name);
      packings.push(projections[name].updating(operation, `${name}.`, weight, bias, order));
    }
    // The one that takes the most room comes first: where it finds it, so do the others.
    packings.sort((a, b) => b.bytes - a.bytes);
    for (const packing of packings) packing.pack();
    this.#appended = appended;
  }

  #inUse(operation: string): Record<keyof LayerWeights, PreparedLinear> {
    if (!this.#projections)
      throw new DisposedError(operation, "layer", "a layer in use", "a disposed one");
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

/** @throws ArgumentError for what is no layer. */
export function checkLayer(
  operation: string,
  value: unknown,
): ReturnType<MultiHeadAttention["parts"]> {
  const layer = MultiHeadAttention.from(value);
  if (layer) return layer.parts(operation);
  throw new ArgumentError(operation, "layer", "a MultiHeadAttention", describe(value));
}
