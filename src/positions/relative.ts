// Biases of relative positions as a mask of attend, in memory that grows with n and not with n²: the element of query i
// and key j lies j − i further, so that a row of the mask begins one element before that of the query before.

import { MaskKind } from "../../assembly/kinds";
import type { RelativeBias } from "../attend/options";
import { registerMask } from "../check/mask";
import { reader } from "../check/names";
import type { Shapes } from "../check/shapes";
import { ArgumentError, describe } from "../errors";
import { elementsOf } from "../tensor/dims";
import { checkTensor, type Tensor } from "../tensor/tensor";

/** Options of `relativeBias`. */
export interface RelativeOptions {
  /** Position of the first query among the keys, as `attend` is given it; 0 by default. */
  queryOffset?: number | undefined;
}

const NAME = "relativeBias";
const read = reader<RelativeOptions>({ queryOffset: 1 });

/**
 * A mask that adds bias[h][j − i + n − 1] to the score of query position i and key j: `bias` is [2n − 1], [H, 2n − 1] or
 * [B, H, 2n − 1], with 1 for H or B where all have the same, for positions below n. Learned tables (T5's buckets
 * spread out, Swin's, ALiBi's kin) need no [H, L, S]; `attendBackward` with `gradients: { mask: true }` gives their
 * gradient in the dims of `bias`, summed over all that it was added to.
 *
 * @throws ArgumentError for dims that are none of these; the call, where a distance lies outside or B or H differ.
 */
export function relativeBias(bias: Tensor, options: RelativeOptions = {}): RelativeBias {
  const table = checkTensor(NAME, "bias", bias);
  const { queryOffset = 0 } = read(NAME, options);
  const dims = [...table.dims];
  const length = dims.at(-1) ?? 0;
  if (dims.length < 1 || dims.length > 3 || length % 2 === 0 || elementsOf(dims) === 0) {
    const expected = "[2n − 1], [H, 2n − 1] or [B, H, 2n − 1]";
    throw new ArgumentError(NAME, "bias.dims", expected, describe(table.dims));
  }
  if (!Number.isInteger(queryOffset) || Math.abs(queryOffset) > 2 ** 30) {
    const expected = "an integer from −2³⁰ to 2³⁰";
    throw new ArgumentError(NAME, "queryOffset", expected, describe(queryOffset));
  }
  const mask: RelativeBias = Object.freeze({ bias: table, queryOffset });
  registerMask(mask, (operation, argument, shapes) => {
    const refuse = (what: string, expected: string, got: string): never => {
      throw new ArgumentError(operation, `${argument}.${what}`, expected, got);
    };
    const { batch, heads, queries, keys } = shapes;
    const [ofHeads = 1, ofBatch = 1] = dims.slice(0, -1).reverse();
    if ((ofHeads !== 1 && ofHeads !== heads) || (ofBatch !== 1 && ofBatch !== batch)) {
      refuse("bias.dims", `[${batch} or 1, ${heads} or 1, 2n − 1]`, describe(dims));
    }
    const origin = (length - 1) / 2 - queryOffset;
    if (queries && keys && (origin - queries + 1 < 0 || origin + keys > length)) {
      const [least, most] = [1 - queries - queryOffset, keys - 1 - queryOffset];
      refuse("bias.dims", `distances ${least} to ${most} in 2n − 1`, `${length}`);
    }
    return {
      kind: MaskKind.additive,
      data: table.data,
      dims,
      strides: stridesOf(length, ofHeads, ofBatch),
      columns: keys,
      origin,
    };
  });
  return mask;
}

function stridesOf(
  length: number,
  heads: Shapes["heads"],
  batch: Shapes["batch"],
): [number, number, number, number] {
  return [batch === 1 ? 0 : heads * length, heads === 1 ? 0 : length, -1, 1];
}
