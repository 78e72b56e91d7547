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
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { type AppendedGradients, attendAppendedBackward } from "./appended";
import { callBackward } from "./attend";
import type { LayerBackwardOptions, LayerGradients, ProjectionGradients } from "./layer-options";
import { addTo, linearGradientsIn, type Made, type Make } from "./linear";
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
  const call = checkPass(engine, operation, { layer, record, outputGradient });
  const { recorded, projections } = call;
  const targets = checkTargets(operation, options, recorded, projections);
  const temporaries: AllocatedTensor[] = [];
  const make: Make = (dims) => {
    const made = new AllocatedTensor(engine.arena, dims);
    temporaries.push(made);
    return made;
  };
  try {
    const made = yield* layerBackward(engine, call, options, make);
    const { queryGradient, keyGradient, valueGradient, weights, biasKeyValue, ...asked } = made;
    targets.open();
    // Nothing can fail from here on, and what is added is added once.
    const gradients = {
      queryGradient: targets.deliver("query", queryGradient),
      ...(keyGradient && { keyGradient: targets.deliver("key", keyGradient) }),
      ...(valueGradient && { valueGradient: targets.deliver("value", valueGradient) }),
      weights: targets.deliverAll("weights", weights),
      ...(biasKeyValue && { biasKeyValue: targets.deliverAll("biasKeyValue", biasKeyValue) }),
      ...asked,
    };
    record.dispose();
    return gradients;
  } finally {
    for (const temporary of temporaries) temporary.dispose();
  }
}

/** The same in what `make` gives, of a record that stays. */
export function multiHeadGradients(
  engine: Engine,
  operation: string,
  pass: LayerPass,
  make: Make,
): Steps<LayerGradients> {
  return layerBackward(engine, checkPass(engine, operation, pass), {}, make);
}

function checkPass(
  engine: Engine,
  operation: string,
  { layer, record, outputGradient }: LayerPass,
): BackwardCall {
  moduleOf(engine, operation, "training");
  const { projections } = checkLayer(operation, layer);
  const checked = LayerRecord.from(record);
  if (!checked) {
    const expected = "a record from forward with record: true";
    throw new ArgumentError(operation, "record", expected, describe(record));
  }
  const recorded = checked.recordedBy(layer, operation);
  const gradient = checkTensor(operation, "outputGradient", outputGradient);
  checkDimsOf(operation, "outputGradient", gradient, [
    ...recorded.mixed.dims.slice(0, -1),
    projections.output.outputSize,
  ]);
  return { operation, recorded, projections, outputGradient: gradient };
}

interface BackwardCall {
  readonly operation: string;
  readonly recorded: Recorded;
  readonly projections: Record<keyof LayerWeights, PreparedLinear>;
  readonly outputGradient: Tensor;
}

/** `options` as they were read. */
function* layerBackward(
  engine: Engine,
  { operation, recorded, projections, outputGradient }: BackwardCall,
  options: LayerBackwardOptions,
  make: Make,
): Steps<LayerGradients> {
  const { given, mixed } = recorded;
  const { inputs } = recorded.call;
  const project = (name: keyof LayerWeights, outputGradient: Tensor, x: Tensor) => {
    const pass = { outputGradient, x, weight: projections[name] };
    return linearGradientsIn(engine, operation, pass, make);
  };
  const output = yield* project("output", outputGradient, mixed);
  const out = {
    query: make(inputs.query.dims),
    key: make(inputs.key.dims),
    value: make(inputs.value.dims),
  };
  const { queryGradient, keyGradient, valueGradient, biasKeyValue, ...asked } =
    yield* attendedBackward(engine, operation, output.inputGradient, recorded, {
      gradients: options.gradients,
      scoreModGradient: options.scoreModGradient,
      out,
    });
  for (const x of [out.query, out.key]) recorded.rotation?.(operation, x, true);
  const keyInput = given.key ?? given.query;
  const query = yield* project("query", queryGradient, given.query);
  const key = yield* project("key", keyGradient, keyInput);
  const value = yield* project("value", valueGradient, given.value ?? keyInput);
  if (!given.value) addTo(engine, operation, key.inputGradient, value.inputGradient);
  if (!given.key) addTo(engine, operation, query.inputGradient, key.inputGradient);
  return {
    queryGradient: query.inputGradient,
    ...(given.key && { keyGradient: key.inputGradient }),
    ...(given.value && { valueGradient: value.inputGradient }),
    weights: {
      query: ofWeights(query),
      key: ofWeights(key),
      value: ofWeights(value),
      output: ofWeights(output),
    },
    ...(biasKeyValue && { biasKeyValue }),
    ...asked,
  };
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

/** Of a projection's parameters alone. */
export function ofWeights({ weightGradient, biasGradient }: Made): ProjectionGradients {
  return { weight: weightGradient, ...(biasGradient && { bias: biasGradient }) };
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
