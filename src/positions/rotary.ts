// rotate: which pair of which row turns by how much, checked and made plain for the kernel.

import { PositionsKernel } from "../../assembly/kinds";
import { RotaryFrame } from "../../build/frames";
import { isFloats, lengthOf } from "../arrays";
import { type Attention, checkAttention } from "../attend/attention";
import type { Layout } from "../attend/options";
import { reader } from "../check/names";
import { checkHeads, checkLayout, type View, viewOf } from "../check/shapes";
import { checkCount } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { clearedFrame, type Engine } from "../instance/instance";
import { Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import { checkData, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { checkBase, powers } from "./frequencies";
import { positionsOf } from "./module";
import { checkAngles, checkPositions, checkSections, type Tables } from "./rows";

/** Options of `rotate`. Where pairs turn is said by caches, by frequencies, or by a base. */
export interface RotateOptions {
  /** `"BHLD"` by default. */
  layout?: Layout | undefined;
  /** Heads; for layout `"BLE"` only, where it is required. */
  heads?: number | undefined;
  /** A pair is dimensions (i, i + pairs), `"half"` (default; Llama, NeoX), or (2i, 2i + 1). */
  pairing?: "half" | "interleaved" | undefined;
  /** Dimensions that are rotated, even, at most D; the rest is copied. D, or what the tables say. */
  dimensions?: number | undefined;
  /**
   * Position of the first row (0 by default), or of each batch's first row, [B]; or of each row, [L]
   * or [B, L]. With `sections` [axes, B], [axes, L] or [axes, B, L]. Where B = L are more than 1, as
   * many numbers may mean either, and are refused: give [B, L]. From −2²⁴ to 2²⁴; with caches, rows of
   * the cache.
   */
  positions?: number | ArrayLike<number> | undefined;
  /**
   * How many pairs follow each axis of `positions` (Qwen2-VL's mrope): the first `sizes[0]` the
   * first axis, and so on; `interleaved`: in turns, as long as each axis has some left, then the first.
   */
  sections?:
    | {
        /** Pairs of each axis, together all pairs. */
        readonly sizes: readonly number[];
        /** Axes in turns instead of one after the other; false by default. */
        readonly interleaved?: boolean | undefined;
      }
    | undefined;
  /** Caches [positions, pairs], as ONNX has them; or [B, L, pairs], already at each row's position. */
  cos?: Tensor | undefined;
  /** The sines, of the same dims as `cos`. */
  sin?: Tensor | undefined;
  /** Or radians a position of each pair, see `ropeFrequencies`; no angle may pass 2²⁶. */
  frequencies?: Float32Array | undefined;
  /** Or their base, for frequencies base^(−2i/dimensions); 10000 by default. */
  base?: number | undefined;
  /** Factor on cosines and sines; 1 by default. */
  attentionFactor?: number | undefined;
  /** Positions outside the caches: an error (default), or their pairs are copied. */
  outOfRange?: "error" | "pass" | undefined;
  /** Where to write the result: as many elements as x. It may be x. */
  out?: Float32Array | Tensor | undefined;
}

const NAME = "rotate";

const read = reader<RotateOptions>({
  layout: 1,
  heads: 1,
  pairing: 1,
  dimensions: 1,
  positions: 1,
  sections: 1,
  cos: 1,
  sin: 1,
  frequencies: 1,
  base: 1,
  attentionFactor: 1,
  outOfRange: 1,
  out: 1,
});

/**
 * Rotary embedding of queries or keys (Su et al. 2021, "RoFormer"): pairs of dimensions are
 * rotated by position · frequency. x [B, H, L, D] or another layout; the result has its dims.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function rotate(
  attention: Attention<"positions">,
  x: Tensor,
  options: RotateOptions = {},
): Tensor {
  return checkAttention(NAME, attention).run(NAME, (engine) =>
    rotateSteps(engine, x, read(NAME, options)),
  );
}

function* rotateSteps(engine: Engine, x: Tensor, options: RotateOptions): Steps<Tensor> {
  const module = positionsOf(engine, NAME);
  const layout = checkLayout(NAME, options.layout);
  const [heads] = checkHeads(NAME, layout, { heads: options.heads });
  const input = checkTensor(NAME, "x", x);
  const view = viewOf(NAME, "x", layout, input.dims, heads);
  const { pairing = "half", attentionFactor = 1 } = options;
  if (pairing !== "half" && pairing !== "interleaved") {
    throw new ArgumentError(NAME, "pairing", '"half" or "interleaved"', describe(pairing));
  }
  if (typeof attentionFactor !== "number" || !Number.isFinite(Math.fround(attentionFactor))) {
    throw new ArgumentError(NAME, "attentionFactor", "a finite number", describe(attentionFactor));
  }
  const tables = checkTables(engine, view, options);
  const { axes, count } = checkSections(tables.pairs, options.sections);
  const positions = checkPositions(view, count, tables, options);
  if ("frequencies" in tables) checkAngles(tables.frequencies, positions);
  const out = checkOut(NAME, options.out, input.dims);

  const { arena, frame } = engine;
  const words = clearedFrame(engine);
  const { batch, head, row } = view.strides;
  words[RotaryFrame.batch] = view.batch;
  words[RotaryFrame.heads] = view.heads;
  words[RotaryFrame.queries] = view.rows;
  words[RotaryFrame.headSize] = view.size;
  words.set([batch, head, row], RotaryFrame.batchStride);
  words[RotaryFrame.pairs] = tables.pairs;
  words[RotaryFrame.interleaved] = pairing === "interleaved" ? 1 : 0;
  arena.floats[frame / 4 + RotaryFrame.factor] = attentionFactor;

  const staging = new Staging(engine, NAME);
  staging.tensor(RotaryFrame.input, "x", input);
  staging.data(RotaryFrame.positions, "positions", positions, positions.length);
  staging.data(RotaryFrame.axes, "sections", axes, axes.length);
  if ("cos" in tables) {
    staging.tensor(RotaryFrame.cosines, "cos", tables.cos);
    staging.tensor(RotaryFrame.sines, "sin", tables.sin);
  } else {
    staging.data(RotaryFrame.frequencies, "frequencies", tables.frequencies, tables.pairs);
  }
  staging.reserve(RotaryFrame.angles, 2 * tables.pairs * 4);
  const result = staging.output(RotaryFrame.result, input.dims, out);
  try {
    module.run(PositionsKernel.rotate, staging.begin(), 0, 0, 0);
    return yield* staging.result(result);
  } finally {
    staging.release();
  }
}

function checkTables(engine: Engine, view: View, options: RotateOptions): Tables {
  const { cos, sin, frequencies, base, dimensions } = options;
  const given = { "cos and sin": cos ?? sin, frequencies, base };
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  if (named.length > 1) {
    const names = named.map(([name]) => name).join(", ");
    throw new ArgumentError(
      NAME,
      named[1]?.[0] ?? "",
      "one of caches, frequencies and base",
      names,
    );
  }
  if (dimensions !== undefined) {
    checkCount(NAME, "dimensions", dimensions);
    if (dimensions % 2 || dimensions > view.size) {
      const expected = `an even number up to D = ${view.size}`;
      throw new ArgumentError(NAME, "dimensions", expected, `${dimensions}`);
    }
  }
  if (cos !== undefined || sin !== undefined) return checkCaches(view, options);
  const wanted = dimensions ?? (isFloats(frequencies) ? 2 * lengthOf(frequencies) : view.size);
  if (frequencies !== undefined) {
    const pairs = wanted / 2;
    checkData(NAME, "frequencies", frequencies, [pairs], () => "dimensions / 2");
    checkPairs("frequencies", pairs, view, dimensions);
    return { pairs, frequencies };
  }
  if (wanted % 2) {
    throw new ArgumentError(
      NAME,
      "x.dims",
      "an even D, or dimensions for a part of it",
      `D = ${wanted}`,
    );
  }
  checkBase(NAME, base ?? 10000);
  return { pairs: wanted / 2, frequencies: frequenciesOf(engine, base ?? 10000, wanted) };
}

/** Those of the call before: a model asks for the same ones in every layer. */
let last = { base: 0, size: 0, frequencies: new Float32Array(0) };

function frequenciesOf(engine: Engine, base: number, size: number): Float32Array {
  if (base !== last.base || size !== last.size) {
    const frequencies = Float32Array.from(powers(positionsOf(engine, NAME), base, size));
    last = { base, size, frequencies };
  }
  return last.frequencies;
}

function checkCaches(view: View, { cos, sin, dimensions }: RotateOptions): Tables {
  const checked = { cos: checkTensor(NAME, "cos", cos), sin: checkTensor(NAME, "sin", sin) };
  const { dims } = checked.cos;
  const perRow = dims.length === 3;
  const rowsFit = !perRow || (dims[0] === view.batch && dims[1] === view.rows);
  if ((dims.length !== 2 && !perRow) || !rowsFit) {
    throw new ArgumentError(
      NAME,
      "cos.dims",
      `[positions, pairs] or [B, L, pairs] with B = ${view.batch} and L = ${view.rows}`,
      describe(dims),
    );
  }
  if (describe(checked.sin.dims) !== describe(dims)) {
    throw new ArgumentError(
      NAME,
      "sin.dims",
      `those of cos, ${describe(dims)}`,
      describe(checked.sin.dims),
    );
  }
  const pairs = dims.at(-1) as number;
  checkPairs("cos.dims", pairs, view, dimensions);
  return {
    ...checked,
    pairs,
    positions: perRow ? view.batch * view.rows : (dims[0] as number),
    perRow,
  };
}

function checkPairs(argument: string, pairs: number, view: View, dimensions?: number): void {
  if (pairs >= 1 && 2 * pairs === (dimensions ?? 2 * pairs) && 2 * pairs <= view.size) return;
  const expected = dimensions
    ? `dimensions / 2 = ${dimensions / 2} pairs`
    : `from 1 to D / 2 = ${view.size / 2} pairs`;
  throw new ArgumentError(NAME, argument, expected, `${pairs}`);
}
