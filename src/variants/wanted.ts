// Gradients of a call's tensors, some of which may not be there.

import { ArgumentError } from "../errors";
import type { Output, Staging } from "../run/staging";
import { checkOut, type Tensor } from "../tensor/tensor";

/** A gradient: of which tensor, its dims, and where it goes. */
export interface Wanted<Name extends string> {
  readonly name: Name;
  readonly dims: readonly number[];
  readonly out: Tensor | undefined;
}

/** Of each of `tensors` that there is. @throws ArgumentError for a target of one that there is not. */
export function wantedOf<Name extends string>(
  operation: string,
  tensors: Readonly<Record<Name, Tensor | undefined>>,
  targets: { readonly [Of in Name]?: Float32Array | Tensor | undefined },
): Wanted<Name>[] {
  return (Object.keys(tensors) as Name[]).flatMap((name) => {
    const of = tensors[name];
    const argument = `out.${name}`;
    if (of) {
      const { dims } = of;
      return [{ name, dims, out: checkOut(operation, targets[name], dims, argument) }];
    }
    if (targets[name] === undefined) return [];
    throw new ArgumentError(operation, argument, `no value without a ${name}`, "one");
  });
}

export function stageWanted<Name extends string>(
  staging: Staging,
  wanted: readonly Wanted<Name>[],
  slots: Readonly<Record<Name, number>>,
  added: boolean,
): Output[] {
  return wanted.map(({ name, dims, out }) =>
    staging.output(slots[name], dims, out, `out.${name}`, added),
  );
}
