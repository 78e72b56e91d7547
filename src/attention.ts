// The engine a caller holds: check → place → call → take.

import { loadModule } from "#platform";
import { Slot, WeightsKind } from "../assembly/frame";
import { disposeSymbol } from "./disposal";
import type { Variant } from "./engine/detect";
import { type Engine, frameWords, load } from "./engine/load";
import { Staging } from "./engine/staging";
import { ArgumentError, DisposedError, describe } from "./errors";
import { type LinearOptions, PreparedLinear, type PrepareOptions } from "./linear";
import { checkBlockMask, checkMask, type PlacedBlocks, type PlacedMask } from "./mask";
import type { AttendOptions, AttendResult } from "./options";
import { checkScoring } from "./scores";
import { checkInputs, checkLayout, checkShapes, type Shapes, type Strides } from "./shapes";
import { AllocatedTensor, checkDims, checkOut, type Tensor } from "./tensor";
import { checkVisibility } from "./visibility";

export interface AttentionOptions {
  /** Use the portable build, whose results are the same bits on every engine; false by default. */
  reproducible?: boolean | undefined;
  /** Bytes of linear memory to start with; 64 kB by default. */
  initialMemory?: number | undefined;
  /** Most bytes linear memory may grow to; 4 GiB by default. */
  maximumMemory?: number | undefined;
  /** A plain build as a compiled module, for engines that refuse to compile bytes. */
  module?: WebAssembly.Module | undefined;
}

/** Linear memory in bytes. */
export interface MemoryFigures {
  /** In allocated tensors, prepared weights and layers, and during a call in its scratch. */
  readonly used: number;
  /** Taken from the system. */
  readonly reserved: number;
  /** What `reserved` may grow to. */
  readonly maximum: number;
}

/**
 * An attention engine on the best build this engine can run.
 * @throws UnsupportedError where WebAssembly SIMD is missing or `module` is not ours.
 * @throws ArgumentError for an option of the wrong type or range.
 */
export async function createAttention(options: AttentionOptions = {}): Promise<Attention> {
  checkOptions(options);
  const module = options.module ?? (await loadModule(options.reproducible ?? false));
  const engine = load(module, options);
  if (options.reproducible && engine.variant !== "portable") {
    throw new ArgumentError(
      "createAttention",
      "module",
      "the portable build with reproducible: true",
      "the relaxed one",
    );
  }
  return new Attention(engine);
}

/** Attention and the projections around it, in one linear memory. Made by `createAttention`. */
export class Attention {
  #engine: Engine | undefined;

  /** @internal */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Which build runs: "relaxed" or "portable". */
  get variant(): Variant {
    return this.#running("variant").variant;
  }

  /** Whether a multiply-add rounds once here; always false for the portable build. */
  get fused(): boolean {
    return this.#running("fused").fused;
  }

  get memory(): MemoryFigures {
    const { used, reserved, maximum } = this.#running("memory").arena;
    return { used, reserved, maximum };
  }

  /**
   * softmax(scale · query·keyᵀ + bias) · value (Vaswani et al. 2017, "Attention is all you need",
   * computed as in Dao et al. 2022, "FlashAttention": memory grows with L + S, not L·S).
   *
   * Shapes in the default layout: query [B, H, L, D], key [B, Hkv, S, D], value [B, Hkv, S, Dv],
   * output [B, H, L, Dv]; Hkv divides H, and query head h reads key head ⌊h·Hkv/H⌋.
   * A row that may see no key gives 0, and logSumExp −Infinity. A masked key never contributes,
   * even if it holds NaN or Infinity.
   *
   * @throws ArgumentError for an argument of the wrong type, shape or range.
   * @throws MemoryError if linear memory cannot hold the call.
   * @throws DisposedError after `dispose()`, or for a disposed tensor.
   */
  attend(query: Tensor, key: Tensor, value: Tensor, options: AttendOptions = {}): AttendResult {
    const engine = this.#running("attend");
    const { arena, frame, kernels } = engine;
    const layout = checkLayout("attend", options.layout);
    const inputs = checkInputs("attend", query, key, value, layout);
    const shapes = checkShapes("attend", inputs, layout, options);
    const visibility = checkVisibility("attend", shapes, options);
    const mask = checkMask("attend", shapes, options.mask);
    const blocks = checkBlockMask("attend", shapes, options.blockMask);
    const scoring = checkScoring("attend", shapes, options);
    checkOut("attend", options.out, shapes.outputDims);

    const { batch, heads, queries, keys } = shapes;
    const { alibi, sinks, scoresKind, weightsKind } = scoring;
    const words = frameWords(engine);
    writeShapes(words, shapes);
    writeMasks(words, mask, blocks);
    words[Slot.left] = visibility.left;
    words[Slot.right] = visibility.right;
    words[Slot.distance] = alibi?.distance ?? 0;
    words[Slot.slopesBatch] = alibi?.perBatch ? heads : 0;
    words[Slot.weightsKind] = weightsKind;
    words[Slot.scoresKind] = scoresKind;
    words[Slot.modified] = options.scoreMod ? 1 : 0;
    arena.floats[frame / 4 + Slot.scale] = scoring.scale;
    arena.floats[frame / 4 + Slot.softcap] = scoring.softcap;

    const staging = new Staging(engine, "attend");
    staging.tensor(Slot.query, "query", inputs.query);
    staging.tensor(Slot.key, "key", inputs.key);
    staging.tensor(Slot.value, "value", inputs.value);
    staging.data(Slot.sequences, visibility.sequences);
    if (mask) staging.data(Slot.mask, mask.data);
    if (blocks) staging.data(Slot.blocks, blocks.data);
    if (alibi) staging.data(Slot.slopes, alibi.slopes);
    if (sinks) staging.data(Slot.sinks, sinks);
    const output = staging.output(Slot.output, shapes.outputDims, options.out);
    const matrices = weightsKind === WeightsKind.mean ? batch : batch * heads;
    const weights = weightsKind
      ? staging.room(Slot.weights, matrices * queries * keys * 4)
      : undefined;
    const scores = scoresKind
      ? staging.room(Slot.scores, batch * heads * queries * keys * 4)
      : undefined;
    const logSumExp = options.logSumExp
      ? staging.room(Slot.logSumExp, batch * heads * queries * 4)
      : undefined;
    staging.room(Slot.scratch, kernels.attendScratchBytes(frame));
    try {
      staging.begin();
      runKernel(engine, options.scoreMod);
      const { batchDims, headDims } = shapes;
      const dims = [...batchDims, ...headDims, queries];
      const result: AttendResult = { output: staging.take(output, shapes.outputDims) };
      if (weights && weightsKind === WeightsKind.mean) {
        result.weights = { data: staging.copy(weights), dims: [...batchDims, queries, keys] };
      } else if (weights) {
        const probabilities = { data: staging.copy(weights), dims: [...dims, keys] };
        if (options.weights) result.weights = probabilities;
        if (scoring.probabilities) result.scores = probabilities;
      }
      if (scores) result.scores = { data: staging.copy(scores), dims: [...dims, keys] };
      if (logSumExp) result.logSumExp = { data: staging.copy(logSumExp), dims };
      return result;
    } finally {
      staging.release();
    }
  }

  /**
   * Packs a weight matrix for `linear`, with its bias: [out, in] with order `"out,in"` (PyTorch) or
   * [in, out] with order `"in,out"` (Keras, plain x·W). It lies in linear memory until disposed.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  prepareLinear(weight: Tensor, options: PrepareOptions): PreparedLinear {
    return new PreparedLinear(this.#running("prepareLinear"), weight, options);
  }

  /**
   * x · W + bias over the last axis: [..., in] → [..., out].
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  linear(x: Tensor, prepared: PreparedLinear, options: LinearOptions = {}): Tensor {
    const engine = this.#running("linear");
    if (!(prepared instanceof PreparedLinear)) {
      throw new ArgumentError(
        "linear",
        "prepared",
        "a weight from prepareLinear",
        describe(prepared),
      );
    }
    return prepared.apply(engine, x, options);
  }

  /**
   * A tensor in linear memory, not initialised: calls read and write it in place.
   *
   * @throws ArgumentError for dims that are not sizes; MemoryError; DisposedError.
   */
  allocate(dims: readonly number[]): AllocatedTensor {
    const { arena } = this.#running("allocate");
    return new AllocatedTensor(arena, checkDims("allocate", "dims", dims));
  }

  /** Lets go of the linear memory and everything in it; a second call does nothing. */
  dispose(): void {
    this.#checkIdle("dispose");
    this.#engine?.arena.dispose();
    this.#engine = undefined;
  }

  [disposeSymbol](): void {
    this.dispose();
  }

  #running(operation: string): Engine {
    if (!this.#engine)
      throw new DisposedError(operation, "attention", "an engine in use", "a disposed one");
    this.#checkIdle(operation);
    return this.#engine;
  }

  /** A call from inside scoreMod would move the memory under the call that is running. */
  #checkIdle(operation: string): void {
    if (!this.#engine?.scoreMod) return;
    throw new ArgumentError(
      operation,
      "attention",
      "an engine that is not running a scoreMod",
      "a call from inside it",
    );
  }
}

function writeShapes(words: Int32Array, shapes: Shapes): void {
  words[Slot.batch] = shapes.batch;
  words[Slot.heads] = shapes.heads;
  words[Slot.keyValueHeads] = shapes.keyValueHeads;
  words[Slot.queries] = shapes.queries;
  words[Slot.keys] = shapes.keys;
  words[Slot.headSize] = shapes.headSize;
  words[Slot.valueSize] = shapes.valueSize;
  const strides = (slot: Slot, { batch, head, row }: Strides) =>
    words.set([batch, head, row], slot);
  strides(Slot.queryBatch, shapes.queryStrides);
  strides(Slot.keyBatch, shapes.keyStrides);
  strides(Slot.valueBatch, shapes.valueStrides);
  strides(Slot.outputBatch, shapes.outputStrides);
  words[Slot.logSumExpBatch] = shapes.heads * shapes.queries;
  words[Slot.logSumExpHead] = shapes.queries;
}

function writeMasks(words: Int32Array, mask?: PlacedMask, blocks?: PlacedBlocks): void {
  if (mask) {
    words.set(mask.strides, Slot.maskBatch);
    words[Slot.maskKind] = mask.kind;
    words[Slot.maskColumns] = mask.columns;
  }
  if (blocks) {
    words.set(blocks.strides, Slot.blocksBatch);
    words[Slot.blockSize] = blocks.size;
  }
}

/** Runs attend; while it does, its scoreMod is the one the module calls. */
function runKernel(engine: Engine, scoreMod: AttendOptions["scoreMod"]): void {
  engine.scoreMod = scoreMod;
  try {
    engine.kernels.attend(engine.frame);
  } finally {
    engine.scoreMod = undefined;
  }
}

function checkOptions(options: AttentionOptions): void {
  const refuse = (argument: string, expected: string, value: unknown) => {
    throw new ArgumentError("createAttention", argument, expected, describe(value));
  };
  const { reproducible, module } = options;
  if (reproducible !== undefined && typeof reproducible !== "boolean") {
    refuse("reproducible", "a boolean", reproducible);
  }
  for (const argument of ["initialMemory", "maximumMemory"] as const) {
    const bytes = options[argument];
    if (bytes === undefined) continue;
    if (!(Number.isInteger(bytes) && bytes >= 65536 && bytes <= 2 ** 32)) {
      refuse(argument, "bytes from 65536 to 2³²", bytes);
    }
  }
  const { initialMemory = 0, maximumMemory = 2 ** 32 } = options;
  if (initialMemory > maximumMemory)
    refuse("initialMemory", `at most maximumMemory = ${maximumMemory}`, initialMemory);
  if (module !== undefined && !(module instanceof WebAssembly.Module)) {
    refuse("module", "a WebAssembly.Module", module);
  }
}
