// The multi-head layer backward: what its forward pass keeps, and the gradients made from it.

import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { checkLayer, type MultiHeadAttention } from "../layer/multihead";
import type { LayerWeights } from "../layer/projections";
import { LayerRecord, type Recorded } from "../layer/record";
import type { PreparedLinear } from "../linear/prepared";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { add, checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { type AppendedGradients, attendAppendedBackward } from "./appended";
import { callBackward } from "./attend";
import type { LayerBackwardOptions, LayerGradients, ProjectionGradients } from "./layer-options";
import { type LinearGradients, linearGradients, type Make } from "./linear";
import { type GradientOptions, gradientFields } from "./options";
import { GradientTargets } from "./targets";

const readLayerBackward = reader<LayerBackwardOptions>(gradientFields);
const readLayerBackwardAsync = reader<LayerBackwardOptions & Abortable>({
  ...gradientFields,
  signal: 1,
});

/**
 * Gradients of a layer's inputs and of every weight and bias, from that of the output and the record of
 * the forward pass that gave it. The record is let go of.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `forward`; the record stays then.
 */
export function multiHeadBackward(
  layer: MultiHeadAttention,
  outputGradient: Tensor,
  record: LayerRecord,
  options: LayerBackwardOptions = {},
): LayerGradients {
  const name = "multiHeadBackward";
  const { attention } = checkLayer(name, layer);
  return attention.run(name, (engine) => {
    const read = readLayerBackward(name, options);
    return backwardSteps(engine, name, { layer, record, outputGradient }, read);
  });
}

/** `multiHeadBackward` without holding the calling thread; see `attendAsync`. */
export function multiHeadBackwardAsync(
  layer: MultiHeadAttention,
  outputGradient: Tensor,
  record: LayerRecord,
  options: LayerBackwardOptions & Abortable = {},
): Promise<LayerGradients> {
  const name = "multiHeadBackwardAsync";
  const { attention } = checkLayer(name, layer);
  return attention.runAsync(name, () => {
    const { signal, ...read } = readLayerBackwardAsync(name, options);
    const gradient = checkTensor(name, "outputGradient", outputGradient);
    return {
      signal,
      steps: (engine) =>
        backwardSteps(engine, name, { layer, record, outputGradient: gradient }, read),
    };
  });
}

/** A forward pass of a layer, and the gradient of its output. */
interface LayerPass {
  readonly layer: MultiHeadAttention;
  readonly record: LayerRecord;
  readonly outputGradient: Tensor;
}

function* backwardSteps(
  engine: Engine,
  operation: string,
  { layer, record, outputGradient }: LayerPass,
  options: LayerBackwardOptions,
): Steps<LayerGradients> {
  const gradients = yield* multiHeadGradients(
    engine,
    operation,
    { layer, record, outputGradient },
    options,
  );
  record.dispose();
  return gradients;
}

/** The same, of which the record stays; `options` as they were read, all gradients in what `make` gives. */
export function* multiHeadGradients(
  engine: Engine,
  operation: string,
  { layer, record, outputGradient }: LayerPass,
  options: LayerBackwardOptions,
  make?: Make,
): Steps<LayerGradients> {
  moduleOf(engine, operation, "training");
  const { projections } = checkLayer(operation, layer);
  const checked = LayerRecord.from(record);
  if (!checked) {
    const expected = "a record from forward with record: true";
    throw new ArgumentError(operation, "record", expected, describe(record));
  }
  const call = { operation, recorded: checked.recordedBy(layer, operation), projections };
  return yield* layerBackward(engine, call, outputGradient, options, make);
}

interface BackwardCall {
  readonly operation: string;
  readonly recorded: Recorded;
  readonly projections: Record<keyof LayerWeights, PreparedLinear>;
}

/** `options` as they were read. */
function* layerBackward(
  engine: Engine,
  { operation, recorded, projections }: BackwardCall,
  outputGradient: Tensor,
  options: LayerBackwardOptions,
  make: Make | undefined,
): Steps<LayerGradients> {
  const { given, mixed } = recorded;
  const { inputs } = recorded.call;
  const gradient = checkTensor(operation, "outputGradient", outputGradient);
  checkDimsOf(operation, "outputGradient", gradient, [
    ...mixed.dims.slice(0, -1),
    projections.output.outputSize,
  ]);
  const targets = checkTargets(operation, options, recorded, projections);
  const temporaries: AllocatedTensor[] = [];
  const allocate = ({ dims }: Tensor) => {
    const made = new AllocatedTensor(engine.arena, dims);
    temporaries.push(made);
    return made;
  };
  try {
    const project = (
      name: keyof LayerWeights,
      outputGradient: Tensor,
      x: Tensor,
      input?: Tensor,
    ) => {
      const pass = { outputGradient, x, weight: projections[name] };
      return linearGradients(engine, operation, pass, { out: { input } }, make);
    };
    const output = yield* project("output", gradient, mixed, make ? undefined : allocate(mixed));
    const out = {
      query: allocate(inputs.query),
      key: allocate(inputs.key),
      value: allocate(inputs.value),
    };
    const { queryGradient, keyGradient, valueGradient, biasKeyValue, ...asked } =
      yield* attendedBackward(engine, operation, output.inputGradient as Tensor, recorded, {
        gradients: options.gradients,
        scoreModGradient: options.scoreModGradient,
        out,
      });
    for (const x of [out.query, out.key]) recorded.rotation?.(operation, x, true);
    const keyInput = given.key ?? given.query;
    const made = {
      query: yield* project("query", queryGradient, given.query),
      key: yield* project("key", keyGradient, keyInput),
      value: yield* project("value", valueGradient, given.value ?? keyInput),
      output,
    };
    targets.open();
    // Nothing can fail from here on, and what is added is added once.
    const [ofQuery, ofKey, ofValue] = [made.query, made.key, made.value].map(
      ({ inputGradient }) => inputGradient as Tensor,
    ) as [Tensor, Tensor, Tensor];
    if (!given.value) add(ofKey.data, ofValue.data);
    if (!given.key) add(ofQuery.data, ofKey.data);
    return {
      queryGradient: targets.deliver("query", ofQuery),
      ...(given.key && { keyGradient: targets.deliver("key", ofKey) }),
      ...(given.value && { valueGradient: targets.deliver("value", ofValue) }),
      weights: {
        query: ofWeights("query", made.query, targets),
        key: ofWeights("key", made.key, targets),
        value: ofWeights("value", made.value, targets),
        output: ofWeights("output", made.output, targets),
      },
      ...(biasKeyValue && {
        biasKeyValue: {
          key: targets.deliver("biasKeyValue.key", biasKeyValue.key),
          value: targets.deliver("biasKeyValue.value", biasKeyValue.value),
        },
      }),
      ...asked,
    };
  } finally {
    for (const temporary of temporaries) temporary.dispose();
  }
}

/** Back through what lies between the projections. */
function* attendedBackward(
  engine: Engine,
  operation: string,
  gradient: Tensor,
  { call: made, mixed, logSumExp, appended }: Recorded,
  options: GradientOptions,
): Steps<AppendedGradients> {
  const call = { ...made, operation };
  const passed = { output: mixed, logSumExp: logSumExp as Tensor, outputGradient: gradient };
  if (!appended) return yield* callBackward(engine, call, passed, options);
  return yield* attendAppendedBackward(engine, { call, rows: appended, passed }, options);
}

function ofWeights(
  name: keyof LayerWeights,
  { weightGradient, biasGradient }: LinearGradients,
  targets: GradientTargets,
): ProjectionGradients {
  return {
    weight: targets.deliver(`weights.${name}.weight`, weightGradient),
    ...(biasGradient && { bias: targets.deliver(`weights.${name}.bias`, biasGradient) }),
  };
}

type Out = NonNullable<LayerBackwardOptions["out"]>;
const readOut = reader<Out>({ query: 1, key: 1, value: 1, weights: 1, biasKeyValue: 1 });
const readOutBias = reader<NonNullable<Out["biasKeyValue"]>>({ key: 1, value: 1 });

function checkTargets(
  operation: string,
  { out: wanted, accumulate }: LayerBackwardOptions,
  { given, appended }: Recorded,
  projections: Record<keyof LayerWeights, PreparedLinear>,
): GradientTargets {
  const shape = "{ query?, key?, value?, weights?, biasKeyValue? }";
  const out = checkAccumulate(operation, wanted, accumulate, shape, readOut);
  const targets = new GradientTargets(operation, accumulate);
  for (const name of ["query", "key", "value"] as const) {
    targets.request(name, out[name], given[name]?.dims);
  }
  targets.requestProjections("weights", out.weights, projections);
  if (out.biasKeyValue !== undefined) {
    const both = readOutBias(operation, out.biasKeyValue, "out.biasKeyValue");
    for (const name of ["key", "value"] as const) {
      targets.request(`biasKeyValue.${name}`, both[name], appended?.biasDims?.[name]);
    }
  }
  return targets;
}
