// Heads that matter little: how much each does, and a layer without some of them.
//
// With a mask ξ over heads the layer is Σ ξ_h · mixed_h · W_h + bias, W_h the rows of the output's projection
// that head h is multiplied by. ∂loss/∂ξ_h at ξ = 1 is therefore Σ W_h ⊙ ∂loss/∂W_h (Michel, Levy and Neubig
// 2019, "Are Sixteen Heads Really Better than One?", section 4.1).

import { copyOf, countOf } from "../arrays";
import { ArgumentError, describe } from "../errors";
import type { LayerParts } from "../layer/forward";
import { checkLayer, MultiHeadAttention } from "../layer/multihead";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { appendedOf } from "./appended";
import { at, matrixOf, partOf, projectionOf } from "./matrix";

/**
 * |∂loss/∂ξ_h| of each query head, from the gradient of the output projection's weight that
 * `multiHeadBackward` gives: `gradients.weights.output.weight`. Of one example at a time, added up over
 * some: within a batch gradients of either sign cancel, and in a trained model to nothing.
 *
 * @returns H numbers, [H].
 * @throws ArgumentError for a gradient of other dims, or projections of few bits.
 */
export function headImportance(layer: MultiHeadAttention, weightGradient: Tensor): Float32Array {
  const name = "headImportance";
  const { attention, heads, projections } = checkLayer(name, layer);
  const engine = attention.running(name);
  const gradient = checkTensor(name, "weightGradient", weightGradient);
  checkDimsOf(name, "weightGradient", gradient, projections.output.weightDims);
  const weight = matrixOf(engine, name, projections.output, "output");
  const size = weight.inputs / heads;
  const { data } = gradient;
  return Float32Array.from({ length: heads }, (_, head) => {
    let slope = 0;
    for (let input = head * size; input < (head + 1) * size; input++) {
      for (let output = 0; output < weight.outputs; output++) {
        const index = at(weight, output, input);
        slope += (weight.data[index] as number) * (data[index] as number);
      }
    }
    return Math.abs(slope);
  });
}

/**
 * The layer without these query heads: smaller projections, and what the others do unchanged. A key/value
 * head goes with the last of its query heads; those that stay have to have equally many. What was given stays
 * as it is.
 *
 * @throws ArgumentError for a head that there is not, one named twice, all of them, or groups of unequal
 * sizes; MemoryError, DisposedError as the layer's constructor.
 */
export function pruneHeads(
  layer: MultiHeadAttention,
  heads: readonly number[],
): MultiHeadAttention {
  const name = "pruneHeads";
  const parts = checkLayer(name, layer);
  const { attention, projections, appended } = parts;
  const engine = attention.running(name);
  const { query: kept, groups } = checkKept(name, parts, heads);
  const matrix = (role: keyof typeof projections) =>
    matrixOf(engine, name, projections[role], role);
  const [query, key, value, output] = [
    matrix("query"),
    matrix("key"),
    matrix("value"),
    matrix("output"),
  ];
  const size = query.outputs / parts.heads;
  const valueSize = value.outputs / parts.keyValueHeads;
  const columns = { key: spread(groups, size), value: spread(groups, valueSize) };
  const config = {
    heads: kept.length,
    keyValueHeads: groups.length,
    appended: appendedOf(appended, columns),
  };
  const weights = {
    query: projectionOf(partOf(query, "outputs", spread(kept, size))),
    key: projectionOf(partOf(key, "outputs", columns.key)),
    value: projectionOf(partOf(value, "outputs", columns.value)),
    output: projectionOf(partOf(output, "inputs", spread(kept, valueSize))),
  };
  return new MultiHeadAttention(attention, config, weights, name);
}

/** The numbers of each head's columns. */
function spread(heads: readonly number[], size: number): number[] {
  return heads.flatMap((head) => Array.from({ length: size }, (_, i) => head * size + i));
}

/** Query heads and key/value heads that stay. */
function checkKept(
  operation: string,
  { heads: count, keyValueHeads }: LayerParts,
  given: unknown,
): { query: number[]; groups: number[] } {
  const expected = `a list of heads, integers from 0 to ${count - 1}`;
  const length = countOf(given);
  if (length < 0) throw new ArgumentError(operation, "heads", expected, describe(given));
  const gone = copyOf<unknown>(given as number[], length);
  for (const head of gone) {
    if (Number.isInteger(head) && (head as number) >= 0 && (head as number) < count) continue;
    throw new ArgumentError(operation, "heads", expected, describe(head));
  }
  if (new Set(gone).size < gone.length) {
    throw new ArgumentError(operation, "heads", "each head once", describe(given));
  }
  const query = Array.from({ length: count }, (_, head) => head).filter((h) => !gone.includes(h));
  if (query.length === 0) {
    throw new ArgumentError(operation, "heads", `at most ${count - 1} heads`, describe(given));
  }
  const shared = count / keyValueHeads;
  const groups = [...new Set(query.map((head) => Math.floor(head / shared)))];
  const left = groups.map(
    (group) => query.filter((head) => Math.floor(head / shared) === group).length,
  );
  if (left.some((size) => size !== left[0])) {
    const expected = "equally many heads left for each key/value head that stays";
    throw new ArgumentError(operation, "heads", expected, `[${left.join(", ")}] left`);
  }
  return { query, groups };
}
