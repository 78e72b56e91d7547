// attend and attendBackward as kernels of TensorFlow.js. The tape keeps query, key, value, output and
// logSumExp, so that memory grows with L + S here too.

import { type GradConfig, type Tensor, type TensorInfo, tidy } from "@tensorflow/tfjs-core";
import { type Alibi, ArgumentError, type AttendOptions } from "wasm-attention";
import { attendBackward } from "wasm-attention/training";
import { unknownName } from "../check/unknown";
import { describe } from "../errors";
import { runKernel } from "./engine";
import { type Backend, checkTensor, type Kernel, read, readMask, write } from "./values";

const NAME = "scaledDotProductAttention";
const FORWARD = "WasmAttentionAttend";
const BACKWARD = "WasmAttentionAttendBackward";

/** Options that are no tensors. */
const plain = [
  "layout",
  "heads",
  "keyValueHeads",
  "scale",
  "causal",
  "queryOffset",
  "blockMask",
  "window",
  "softcap",
  "dropout",
  "keyLengths",
  "queryLengths",
] as const satisfies readonly (keyof AttendOptions)[];
type Plain = (typeof plain)[number];

/** Those of `attend` that say which scores are computed; a mask, slopes and sinks as tensors. */
export interface ScaledDotProductOptions extends Pick<AttendOptions, Plain> {
  /** Broadcast over [B, H, L, S]: bool or int32 (above 0 takes part), or float32, which is added. */
  mask?: Tensor | undefined;
  /** Slopes [H] or [B, H]. */
  alibi?: (Omit<Alibi, "slopes"> & { readonly slopes: Tensor }) | undefined;
  /** An extra logit of each head, [H]. */
  sinks?: Tensor | undefined;
  /** Which of these learn: their gradients are computed only on request. */
  gradients?:
    | {
        readonly mask?: boolean | undefined;
        readonly alibi?: boolean | undefined;
        readonly sinks?: boolean | undefined;
      }
    | undefined;
}

/** What may follow query, key and value among the inputs. */
const further = ["mask", "alibi", "sinks"] as const;
type Further = (typeof further)[number];

interface Attributes {
  readonly options: Pick<AttendOptions, Plain>;
  readonly distance?: Alibi["distance"];
  /** The inputs after query, key and value. */
  readonly given: readonly Further[];
  /** Those of them whose gradients are wanted. */
  readonly learning: readonly Further[];
  /** Whether the weights are a third output. */
  readonly weights: boolean;
  /** Whom errors name. */
  readonly operation: string;
}

/**
 * softmax(scale · query·keyᵀ + bias) · value on tensors of TensorFlow.js, with gradients of query, key
 * and value (Dao 2023, "FlashAttention-2": memory grows with L + S), and on request of an additive
 * mask, of ALiBi's slopes and of the sinks.
 *
 * Shapes in the default layout: query [B, H, L, D], key [B, Hkv, S, D], value [B, Hkv, S, Dv] →
 * [B, H, L, Dv]; see `attend` for layouts, lower ranks and grouped heads. A row that may see no key
 * gives 0.
 *
 * @throws ArgumentError for an argument of the wrong type, shape or range, and before
 * `registerAttention`; MemoryError if linear memory cannot hold the call; UnsupportedError on backends
 * other than cpu and wasm.
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: ScaledDotProductOptions = {},
): Tensor {
  return tidy(() => attendTensors(NAME, [query, key, value], options, false)[0]);
}

/** → output, logSumExp and, where they are wanted, weights. */
export function attendTensors(
  operation: string,
  [query, key, value]: readonly [query: Tensor, key: Tensor, value: Tensor],
  options: ScaledDotProductOptions,
  weights: boolean,
): Tensor[] {
  for (const [name, x] of Object.entries({ query, key, value })) checkTensor(operation, name, x);
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError(operation, "options", "an object", describe(options));
  }
  const { mask, alibi, sinks, gradients, ...rest } = options;
  for (const name of Object.keys(rest)) {
    if (plain.includes(name as Plain)) continue;
    throw unknownName(operation, name, [...plain, ...further, "gradients"]);
  }
  if (mask !== undefined) checkTensor(operation, "mask", mask, ["bool", "int32", "float32"]);
  if (alibi !== undefined) checkTensor(operation, "alibi.slopes", alibi?.slopes);
  if (sinks !== undefined) checkTensor(operation, "sinks", sinks);
  const tensors = { mask, alibi: alibi?.slopes, sinks };
  const given = further.filter((name) => tensors[name] !== undefined);
  const attributes: Attributes = {
    options: rest,
    distance: alibi?.distance,
    given,
    learning: checkLearning(gradients, given),
    weights,
    operation,
  };
  const inputs = [query, key, value, ...given.map((name) => tensors[name] as Tensor)];
  return runKernel(operation, FORWARD, inputs, attributes);
}

function checkLearning(gradients: unknown, given: readonly Further[]): readonly Further[] {
  if (gradients === undefined) return [];
  if (typeof gradients !== "object" || gradients === null) {
    const expected = "{ mask?, alibi?, sinks? }";
    throw new ArgumentError(NAME, "gradients", expected, describe(gradients));
  }
  const wanted = Object.entries(gradients).filter(([, want]) => want !== undefined);
  for (const [name, want] of wanted) {
    if (want === false || (want === true && given.includes(name as Further))) continue;
    const expected = `a boolean, true only for one of ${further.join(", ")} that is given`;
    throw new ArgumentError(NAME, `gradients.${name}`, expected, describe(want));
  }
  return given.filter((name) => wanted.some(([key, want]) => key === name && want));
}

type AllOptions = Pick<AttendOptions, Plain | Further>;

/** The call's options, with what came among the inputs. */
function optionsOf(backend: Backend, inputs: TensorInfo[], attributes: Attributes): AllOptions {
  const { options, given, distance } = attributes;
  const all: AllOptions = { ...options };
  for (const [index, name] of given.entries()) {
    const input = inputs[3 + index];
    if (name === "mask") all.mask = readMask(backend, input);
    else if (name === "sinks") all.sinks = read(backend, input).data;
    else all.alibi = { slopes: read(backend, input).data, distance };
  }
  return all;
}

const forward: Kernel = {
  name: FORWARD,
  run(attention, inputs, attributes: Attributes, backend) {
    const [query, key, value] = inputs.slice(0, 3).map((input) => read(backend, input));
    const { output, logSumExp, weights } = attention.attend(query, key, value, {
      ...optionsOf(backend, inputs, attributes),
      logSumExp: true,
      weights: attributes.weights,
    });
    const made = [output, logSumExp, weights].filter((x) => x !== undefined);
    return made.map((x) => write(backend, x));
  },
};

/** inputs those of the forward pass, output, logSumExp and the output's gradient. */
const backward: Kernel = {
  name: BACKWARD,
  run(attention, inputs, attributes: Attributes, backend) {
    const { learning } = attributes;
    const [query, key, value] = inputs.slice(0, 3).map((input) => read(backend, input));
    const [output, logSumExp, outputGradient] = inputs
      .slice(-3)
      .map((input) => read(backend, input));
    const { queryGradient, keyGradient, valueGradient, ...asked } = attendBackward(
      attention,
      { query, key, value, output, logSumExp, outputGradient },
      {
        ...optionsOf(backend, inputs, attributes),
        gradients: Object.fromEntries(learning.map((name) => [name, true])),
      },
    );
    const of = {
      mask: asked.maskGradient,
      alibi: asked.slopesGradient,
      sinks: asked.sinksGradient,
    };
    const made = [queryGradient, keyGradient, valueGradient, ...learning.map((name) => of[name])];
    return made.filter((x) => x !== undefined).map((x) => write(backend, x));
  },
};

export const attendKernels: readonly Kernel[] = [forward, backward];

export const attendGradient: GradConfig = {
  kernelName: FORWARD,
  saveAllInputs: true,
  outputsToSave: [true, true, false],
  gradFunc: (gradients, saved, attributes) => {
    const { given, learning, operation } = attributes as unknown as Attributes;
    const [gradient, ...others] = gradients as Tensor[];
    for (const [index, other] of others.entries()) {
      // TensorFlow.js hands zeros for an output that nothing depends on.
      if (other.dataSync().every((x) => x === 0)) continue;
      const name = index === 0 ? "logSumExp" : "weights";
      const expected = "no loss that depends on them: only the output has gradients";
      throw new ArgumentError(operation, name, expected, "one that does");
    }
    const made = runKernel(operation, BACKWARD, [...saved, gradient], attributes as object);
    const of = (name: Further) => () => {
      const index = learning.indexOf(name);
      if (index >= 0) return made[3 + index];
      const expected = "true where it learns";
      throw new ArgumentError(operation, `gradients.${name}`, expected, "none");
    };
    return {
      0: () => made[0],
      1: () => made[1],
      2: () => made[2],
      ...Object.fromEntries(given.map((name, index) => [3 + index, of(name)])),
    };
  },
};
