// embedding: rows of a table by their number, and the table's gradient.

import { BlocksKernel } from "../../assembly/kinds";
import { EmbeddingFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkBoolean, checkCount } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { checkNumber } from "./axes";
import { type CheckedIds, checkIds, type Ids } from "./ids";
import { blockSteps } from "./module";
import { rowsOf } from "./table";

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** What rows are multiplied by (√E in Vaswani et al. 2017); 1 by default. */
  scale?: number | undefined;
  /** Where to write the result: as many elements as it has. */
  out?: Float32Array | Tensor | undefined;
}

/** Options of `embeddingBackward`. */
export interface EmbeddingBackwardOptions extends EmbeddingOptions {
  /** Rows of the table. */
  count: number;
  /** A row whose gradient stays 0, as PyTorch's `padding_idx`. */
  paddingIndex?: number | undefined;
  /** Whether to add the gradient to what is in `out`. */
  accumulate?: boolean | undefined;
}

const fields = { scale: 1, out: 1 } as const;
const backwardFields = { count: 1, ...fields, paddingIndex: 1, accumulate: 1 } as const;
const read = reader<EmbeddingOptions>(fields);
const readAsync = reader<EmbeddingOptions & Abortable>({ ...fields, signal: 1 });
const readBackward = reader<EmbeddingBackwardOptions>(backwardFields);
const readBackwardAsync = reader<EmbeddingBackwardOptions & Abortable>({
  ...backwardFields,
  signal: 1,
});

/**
 * table[ids] · scale: table [count, E], ids [...] from 0 to count − 1 → [..., E]. Of a table that
 * is not in linear memory the rows that are named are copied there, all of it where they are many (a million
 * numbers).
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function embedding(
  attention: Attention<"blocks">,
  table: Tensor,
  ids: Ids,
  options: EmbeddingOptions = {},
): Tensor {
  const name = "embedding";
  return checkAttention(name, attention).run(name, (engine) =>
    prepare(name, table, ids, read(name, options))(engine),
  );
}

/** `embedding` without holding the calling thread; see `attendAsync`. */
export function embeddingAsync(
  attention: Attention<"blocks">,
  table: Tensor,
  ids: Ids,
  options: EmbeddingOptions & Abortable = {},
): Promise<Tensor> {
  const name = "embeddingAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readAsync(name, options);
    return { signal, steps: prepare(name, table, ids, own) };
  });
}

/**
 * The gradient of `embedding`'s table [count, E]: outputGradient [..., E] summed over the ids that are the
 * same.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function embeddingBackward(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  ids: Ids,
  options: EmbeddingBackwardOptions,
): Tensor {
  const name = "embeddingBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    prepareBackward(name, outputGradient, ids, readBackward(name, options))(engine),
  );
}

/** `embeddingBackward` without holding the calling thread; see `attendAsync`. */
export function embeddingBackwardAsync(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  ids: Ids,
  options: EmbeddingBackwardOptions & Abortable,
): Promise<Tensor> {
  const name = "embeddingBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readBackwardAsync(name, options);
    return { signal, steps: prepareBackward(name, outputGradient, ids, own) };
  });
}

type Prepared = (engine: Engine) => Steps<Tensor>;

function prepare(operation: string, given: Tensor, ids: Ids, options: EmbeddingOptions): Prepared {
  const table = checkTensor(operation, "table", given);
  const [count = 0, columns = 0] = table.dims;
  if (table.dims.length !== 2 || columns < 1) {
    const expected = "[count, E] with E from 1";
    throw new ArgumentError(operation, "table.dims", expected, describe(table.dims));
  }
  const checked = checkIds(operation, "ids", ids, count);
  const scale = checkScale(operation, options.scale);
  const dims = [...checked.dims, columns];
  const out = checkOut(operation, options.out, dims);
  return (engine) => {
    const rows = rowsOf(engine.arena.buffer, table, checked.numbers);
    return steps(engine, {
      operation,
      kernel: BlocksKernel.embedding,
      ids: rows ? { numbers: [...checked.numbers.keys()], dims: checked.dims } : checked,
      columns,
      words: [],
      scale,
      input: { slot: EmbeddingFrame.input, name: "table", tensor: rows ?? table },
      target: { dims, out, added: false },
    });
  };
}

function prepareBackward(
  operation: string,
  given: Tensor,
  ids: Ids,
  { count, paddingIndex, accumulate, scale: by, out: wanted }: EmbeddingBackwardOptions,
): Prepared {
  const gradient = checkTensor(operation, "outputGradient", given);
  checkCount(operation, "count", count);
  const checked = checkIds(operation, "ids", ids, count);
  const columns = gradient.dims.at(-1) ?? 0;
  if (columns < 1) {
    const expected = "[..., E] with E from 1";
    throw new ArgumentError(operation, "outputGradient.dims", expected, describe(gradient.dims));
  }
  checkDimsOf(operation, "outputGradient", gradient, [...checked.dims, columns]);
  const scale = checkScale(operation, by);
  const padding =
    paddingIndex === undefined
      ? -1
      : checkIds(operation, "paddingIndex", { data: [paddingIndex], dims: [] }, count).numbers[0];
  checkBoolean(operation, "accumulate", accumulate);
  if (accumulate && wanted === undefined) {
    throw new ArgumentError(operation, "out", "a target to add to", describe(wanted));
  }
  const dims = [count, columns];
  const out = checkOut(operation, wanted, dims);
  return (engine) =>
    steps(engine, {
      operation,
      kernel: BlocksKernel.embeddingBackward,
      ids: checked,
      columns,
      words: [
        [EmbeddingFrame.count, count],
        [EmbeddingFrame.padding, padding as number],
      ],
      scale,
      input: { slot: EmbeddingFrame.outputGradient, name: "outputGradient", tensor: gradient },
      target: { dims, out, added: accumulate === true },
    });
}

function checkScale(operation: string, scale: unknown = 1): number {
  return checkNumber(operation, "scale", scale, [-Infinity, Infinity]);
}

interface EmbeddingCall {
  readonly operation: string;
  readonly kernel: BlocksKernel;
  readonly ids: CheckedIds;
  readonly columns: number;
  readonly words: readonly (readonly [slot: number, value: number])[];
  readonly scale: number;
  readonly input: { readonly slot: number; readonly name: string; readonly tensor: Tensor };
  readonly target: {
    readonly dims: readonly number[];
    readonly out: Tensor | undefined;
    readonly added: boolean;
  };
}

function* steps(engine: Engine, call: EmbeddingCall): Steps<Tensor> {
  const { operation, kernel, ids, columns, words, scale, input, target } = call;
  const [result] = yield* blockSteps(engine, {
    operation,
    kernel,
    rows: elementsOf(ids.dims),
    columns,
    cost: 1,
    words,
    floats: [[EmbeddingFrame.scale, scale]],
    stage(staging) {
      staging.tensor(input.slot, input.name, input.tensor);
      staging.data(EmbeddingFrame.ids, "ids", ids.numbers, ids.numbers.length);
      const { dims, out, added } = target;
      return [staging.output(EmbeddingFrame.result, dims, out, "out", added)];
    },
  });
  return result as Tensor;
}
