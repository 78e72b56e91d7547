// lowRankLinear: linear with a weight of two factors.

import { type Attention, checkAttention } from "../attend/attention";
import { reader } from "../check/names";
import { ArgumentError } from "../errors";
import type { LinearOptions } from "../linear/linear";
import { checkPrepared, type PreparedLinear } from "../linear/prepared";
import type { Tensor } from "../tensor/tensor";

const read = reader<LinearOptions>({ out: 1 });

/**
 * (x · first) · second + bias over the last axis, [..., in] → [..., rank] → [..., out]: the factors of
 * `factorize`, prepared by `prepareLinear` or `prepareQuantized`; a bias is the second's.
 *
 * @throws ArgumentError where the first's outputs are not the second's inputs; otherwise as `linear`.
 */
export function lowRankLinear(
  attention: Attention,
  x: Tensor,
  first: PreparedLinear,
  second: PreparedLinear,
  options: LinearOptions = {},
): Tensor {
  const name = "lowRankLinear";
  return checkAttention(name, attention).run(name, function* (engine) {
    const { out } = read(name, options);
    const [one, other] = [
      checkPrepared(name, first, "first"),
      checkPrepared(name, second, "second"),
    ];
    one.block(engine, name, "first");
    other.block(engine, name, "second");
    if (one.outputSize !== other.inputSize) {
      const expected = `a weight from ${one.outputSize}, the first's outputs`;
      throw new ArgumentError(name, "second", expected, `one from ${other.inputSize}`);
    }
    const between = yield* one.apply(engine, name, x, {});
    return yield* other.apply(engine, name, between, { out });
  });
}
