// lowRankLinear: linear with a weight of two factors.

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError } from "../errors";
import type { Engine } from "../instance/instance";
import type { LinearOptions } from "../linear/linear";
import { checkPrepared, type PreparedLinear } from "../linear/prepared";
import type { Steps } from "../run/steps";
import { checkTensor, type Tensor } from "../tensor/tensor";

const readLinear = reader<LinearOptions>({ out: 1 });
const readAsync = reader<LinearOptions & Abortable>({ out: 1, signal: 1 });

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
  return checkAttention(name, attention).run(name, (engine) => {
    const read = readLinear(name, options);
    return steps(engine, name, { x, ...checkFactors(name, first, second) }, read);
  });
}

/** `lowRankLinear` without holding the calling thread; see `attendAsync`. */
export function lowRankLinearAsync(
  attention: Attention,
  x: Tensor,
  first: PreparedLinear,
  second: PreparedLinear,
  options: LinearOptions & Abortable = {},
): Promise<Tensor> {
  const name = "lowRankLinearAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readAsync(name, options);
    const product = { x: checkTensor(name, "x", x), ...checkFactors(name, first, second) };
    return { signal, steps: (engine) => steps(engine, name, product, own) };
  });
}

function checkFactors(operation: string, first: unknown, second: unknown) {
  const factors = {
    first: checkPrepared(operation, first, "first"),
    second: checkPrepared(operation, second, "second"),
  };
  const { outputSize } = factors.first;
  if (outputSize === factors.second.inputSize) return factors;
  const expected = `a weight from ${outputSize}, the first's outputs`;
  const received = `one from ${factors.second.inputSize}`;
  throw new ArgumentError(operation, "second", expected, received);
}

function* steps(
  engine: Engine,
  operation: string,
  { x, first, second }: { readonly x: Tensor } & ReturnType<typeof checkFactors>,
  { out }: LinearOptions,
): Steps<Tensor> {
  first.block(engine, operation, "first");
  second.block(engine, operation, "second");
  const between = yield* first.apply(engine, operation, x, {});
  return yield* second.apply(engine, operation, between, { out });
}
