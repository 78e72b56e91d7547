// What attend computes in, where it is not float32, and what makes weights of scores, where it is not softmax:
// a value of an extension, which makes of a call the one that its module attends by.

import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import type { Tensor } from "../tensor/tensor";
import type { AttendGradients, GradientOptions, ResultGradients } from "../training/options";
import type { AttendCall } from "./forward";

type Option = "precision" | "normalizer";

/** Numbers that `attend` computes with: `int16` and `int8` of wasm-attention/integers. */
export interface Precision {
  /** "int16" or "int8" */
  readonly name: string;
  /** Which option takes it. */
  readonly option: "precision";
}

/** What makes weights of scores: `sparsemax`, `alphaEntmax(alpha)` and others of wasm-attention/variants. */
export interface Normalizer {
  /** "sparsemax" */
  readonly name: string;
  /** Which option takes it. */
  readonly option: "normalizer";
}

/** What the call becomes, and its gradients where they are not those of softmax. */
interface Strategy {
  change(engine: Engine, call: AttendCall): AttendCall;
  backward?(
    engine: Engine,
    call: AttendCall,
    pass: { readonly outputGradient: Tensor } & ResultGradients,
    options: GradientOptions,
  ): Steps<AttendGradients>;
}

/** Those that there are: a module's kernel is not run for just anybody. */
const known = new WeakMap<object, Strategy>();

export function strategyOf<const Name extends Option>(
  option: Name,
  name: string,
  strategy: Strategy,
): { readonly name: string; readonly option: Name } {
  const value = Object.freeze({ name, option });
  known.set(value, strategy);
  return value;
}

/** What a call's option names, or none. */
export function strategyIn({ operation, options }: AttendCall, option: Option) {
  const given = options[option];
  if (given === undefined) return undefined;
  const strategy = given?.option === option && known.get(given);
  if (strategy) return strategy;
  const example =
    option === "precision"
      ? "int16` of wasm-attention/integers"
      : "entmax15` of wasm-attention/variants";
  throw new ArgumentError(operation, option, `a ${option}, such as \`${example}`, describe(given));
}

/** The call as it is made. */
export function changed(engine: Engine, call: AttendCall): AttendCall {
  const { precision, normalizer } = call.options;
  if (precision === undefined && normalizer === undefined) return call;
  const made = strategyIn(call, "precision")?.change(engine, call) ?? call;
  return strategyIn(made, "normalizer")?.change(engine, made) ?? made;
}
