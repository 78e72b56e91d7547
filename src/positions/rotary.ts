// rotate: which pair of which row turns by how much, checked and made plain for the kernel.

import { PositionsKernel } from "../../assembly/kinds";
import { RotaryFrame } from "../../build/frames";
import type { Layout } from "../attend/options";
import { type Attention, checkAttention } from "../attention";
import { reader } from "../check/names";
import { checkHeads, checkLayout, type View, viewOf } from "../check/shapes";
import { checkBoolean, checkCount, numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { type Engine, frameWords } from "../instance/instance";
import { Staging } from "../memory/staging";
import type { Steps } from "../run/steps";
import { isFloats, lengthOf } from "../tensor/arrays";
import { checkData, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { positionsOf } from "./extension";
import { checkBase, powers } from "./frequencies";

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
/** Up to here a float32 holds every integer. */
const FARTHEST = 2 ** 24;
/** Up to here sine and cosine of a float32 are exact to float32. */
const LARGEST_ANGLE = 2 ** 26;

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

const readSections = reader<NonNullable<RotateOptions["sections"]>>(
  { sizes: 1, interleaved: 1 },
  "{ sizes, interleaved? }",
);

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
  return checkAttention(NAME, attention).now(NAME, (engine) =>
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
  const words = frameWords(engine);
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
  staging.room(RotaryFrame.angles, 2 * tables.pairs * 4);
  const result = staging.output(RotaryFrame.result, input.dims, out);
  try {
    module.run(PositionsKernel.rotate, staging.begin(), 0, 0, 0);
    return yield* staging.take(result);
  } finally {
    staging.release();
  }
}

type Tables =
  | { readonly pairs: number; readonly frequencies: Float32Array }
  /** `perRow`: row b·L + i of the caches is that of row i in batch b. */
  | { pairs: number; cos: Tensor; sin: Tensor; positions: number; perRow: boolean };

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
    checkData(NAME, "frequencies", frequencies, [pairs], "dimensions / 2");
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
  const kernels = positionsOf(engine, NAME);
  return {
    pairs: wanted / 2,
    frequencies: Float32Array.from(powers(kernels, base ?? 10000, wanted)),
  };
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

/** The axis of each pair, and how many axes there are. */
function checkSections(pairs: number, sections: RotateOptions["sections"]) {
  if (sections === undefined) return { axes: new Uint8Array(pairs), count: 1 };
  const { sizes: given, interleaved } = readSections(NAME, sections, "sections");
  const sizes = numbersOf(given) ?? [];
  if (sizes.length < 1 || sizes.length > 255) {
    throw new ArgumentError(NAME, "sections.sizes", "an array of 1 to 255 sizes", describe(given));
  }
  checkBoolean(NAME, "sections.interleaved", interleaved);
  let total = 0;
  for (const [axis, size] of sizes.entries()) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ArgumentError(NAME, `sections.sizes[${axis}]`, "an integer from 0", describe(size));
    }
    total += size;
  }
  if (total !== pairs) {
    throw new ArgumentError(NAME, "sections.sizes", `${pairs} pairs together`, `${total}`);
  }
  const count = sizes.length;
  const axes = interleaved
    ? Uint8Array.from({ length: pairs }, (_, pair) => {
        const axis = pair % count;
        return pair < count * (sizes[axis] as number) ? axis : 0;
      })
    : Uint8Array.from(sizes.flatMap((size, axis) => new Array(size).fill(axis)));
  return { axes, count };
}

/** int32 [axes][B][L] of positions, −1 for a row to be copied. */
function checkPositions(
  view: View,
  axes: number,
  tables: Tables,
  options: RotateOptions,
): Int32Array {
  const { positions = 0, outOfRange = "error" } = options;
  const { batch, rows } = view;
  if (outOfRange !== "error" && outOfRange !== "pass") {
    throw new ArgumentError(NAME, "outOfRange", '"error" or "pass"', describe(outOfRange));
  }
  const cached = "cos" in tables;
  if (cached && tables.perRow) {
    if (options.positions !== undefined) {
      throw new ArgumentError(
        NAME,
        "positions",
        "no value with caches [B, L, pairs]",
        describe(positions),
      );
    }
    return Int32Array.from({ length: axes * batch * rows }, (_, index) => index % (batch * rows));
  }
  const at = positionOf(view, axes, positions);
  const pass = cached && outOfRange === "pass";
  const [least, end] = cached ? [0, tables.positions] : [-FARTHEST, FARTHEST + 1];
  return Int32Array.from({ length: axes * batch * rows }, (_, index) => {
    const { argument, position } = at(index);
    if (Number.isInteger(position) && position >= least && position < end) return position;
    if (pass && Number.isInteger(position)) return -1;
    const range = cached ? `a row of the cache, 0 to ${end - 1}` : "an integer from −2²⁴ to 2²⁴";
    throw new ArgumentError(NAME, argument, range, describe(position));
  });
}

/** From an index into [axes][B][L] to its position, and the name of the argument it came from. */
function positionOf({ batch, rows }: View, axes: number, positions: number | ArrayLike<number>) {
  const offset = (index: number) => index % Math.max(rows, 1);
  if (typeof positions === "number") {
    return (index: number) => ({ argument: "positions", position: positions + offset(index) });
  }
  const numbers = numbersOf(positions, [axes * batch, axes * rows, axes * batch * rows]);
  const counted = numbers?.length === axes * batch * rows;
  if (!numbers || (batch === rows && !counted)) {
    const leading = axes > 1 ? `${axes}, ` : "";
    const expected = numbers
      ? `[${leading}B, L] = ${axes * batch * rows} integers, as B = L = ${rows} leaves open which axis they follow`
      : `a number, or [${leading}B] = ${axes * batch}, [${leading}L] = ${axes * rows} or ` +
        `[${leading}B, L] = ${axes * batch * rows} integers`;
    throw new ArgumentError(NAME, "positions", expected, describe(positions));
  }
  const perBatch = !counted && numbers.length === axes * batch;
  return (index: number) => {
    const axis = Math.floor(index / (batch * rows));
    const shared = perBatch ? Math.floor(index / rows) : axis * rows + offset(index);
    const from = counted ? index : shared;
    const further = perBatch ? offset(index) : 0;
    const position = numbers[from];
    const sum = typeof position === "number" ? position + further : position;
    return { argument: `positions[${from}]`, position: sum as number };
  };
}

function checkAngles(frequencies: Float32Array, positions: Int32Array): void {
  let farthest = 0;
  for (const position of positions) farthest = Math.max(farthest, Math.abs(position));
  for (const [pair, frequency] of frequencies.entries()) {
    if (Math.abs(frequency) * farthest <= LARGEST_ANGLE) continue;
    const expected = `a frequency of angles up to 2²⁶ at position ${farthest}`;
    throw new ArgumentError(NAME, `frequencies[${pair}]`, expected, describe(frequency));
  }
}
