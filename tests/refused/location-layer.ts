// What LocationSensitiveAttention and its gradients refuse.

import type { Tensor } from "wasm-attention";
import {
  LocationSensitiveAttention,
  locationLayerBackward,
  locationMemoryBackward,
} from "wasm-attention/variants";
import { type Call, none, type Refusal, zeros } from "./refusal";
import { ones, layerWeights as weights } from "./variant-layers";

const key = zeros(2, 6, 4);
const location = { filters: zeros(3, 2, 5), locationWeight: zeros(3, 7) };
const located =
  (more: object): Call =>
  (attention) =>
    new LocationSensitiveAttention(attention, { ...weights, ...location, ...more });
const stepped =
  (memory: object, options: object = {}, x: Tensor = zeros(2, 5)): Call =>
  (attention) => {
    using layer = new LocationSensitiveAttention(attention, { ...weights, ...location });
    return layer.step(x, { ...layer.memory(key), ...memory }, options);
  };
const locationWeights = { ...weights, ...location };
const steppedBack =
  (pass: object, options: object = {}): Call =>
  (attention) => {
    using layer = new LocationSensitiveAttention(attention, locationWeights);
    const given = { query: zeros(2, 5), memory: layer.memory(key), outputGradient: zeros(2, 4) };
    return locationLayerBackward(layer, { ...given, ...pass }, options);
  };
/** Going on from what a step gave, `more` of it changed. */
const afterwards =
  (more: object, ofWeights: object = {}): Call =>
  (attention) => {
    using layer = new LocationSensitiveAttention(attention, { ...locationWeights, scoreScale: 2 });
    const given = { query: zeros(2, 5), memory: layer.memory(key), outputGradient: zeros(2, 4) };
    const gave = locationLayerBackward(layer, given);
    const after = { ...gave, weights: { ...gave.weights, ...ofWeights }, ...more };
    return locationLayerBackward(layer, { ...given, after });
  };
const memoryBack =
  (pass: object): Call =>
  (attention) => {
    using layer = new LocationSensitiveAttention(attention, locationWeights);
    const memoryGradient = { key: zeros(2, 6, 7), value: zeros(2, 6, 4) };
    return locationMemoryBackward(layer, { key, memoryGradient, ...pass });
  };
const tacotron = {
  "query_layer.linear_layer.weight": zeros(7, 5),
  "memory_layer.linear_layer.weight": zeros(7, 4),
  "v.linear_layer.weight": ones(1, 7),
  "location_layer.location_conv.conv.weight": zeros(3, 2, 5),
  "location_layer.location_dense.linear_layer.weight": zeros(7, 3),
};
const unknown = "got an option that does not exist";

export const locationRefused: readonly Refusal[] = [
  [
    'LocationSensitiveAttention: "filters.dims" expected [filters, 2, K], got [3, 1, 5]',
    located({ filters: zeros(3, 1, 5) }),
  ],
  [
    'LocationSensitiveAttention: "locationWeight.dims" expected [3, 7], got [7, 3]',
    located({ locationWeight: zeros(7, 3) }),
  ],
  [
    'LocationSensitiveAttention: "scoreWeight" expected a tensor { data, dims }, got undefined',
    located({ scoreWeight: undefined }),
  ],
  [
    'fromTacotron2: "location_layer.location_dense.linear_layer.weight.dims" expected [out, in], got [7, 3, 1]',
    (attention) =>
      LocationSensitiveAttention.fromTacotron2(attention, {
        ...tacotron,
        "location_layer.location_dense.linear_layer.weight": zeros(7, 3, 1),
      }),
  ],
  [
    'fromTacotron2: "filters.dims" expected [filters, 2, K], got [3, 2]',
    (attention) =>
      LocationSensitiveAttention.fromTacotron2(attention, {
        ...tacotron,
        "location_layer.location_conv.conv.weight": zeros(3, 2),
      }),
  ],
  [
    'memory: "key.dims and value.dims" expected [B, S, Ek] and [B, S, Dv], got [2, 6, 4] and [2, 5, 4]',
    (attention) => {
      using layer = new LocationSensitiveAttention(attention, { ...weights, ...location });
      return layer.memory(key, zeros(2, 5, 4));
    },
  ],
  ['step: "query.dims" expected […, in] with in = 5, got [2, 4]', stepped({}, {}, zeros(2, 4))],
  ['step: "query.dims" expected [B, D], got [1, 2, 7]', stepped({}, {}, zeros(1, 2, 5))],
  ['step: "key.dims" expected [2, S, 7], got [2, 6, 4]', stepped({ key })],
  [
    'step: "memory" expected what memory() gave, { key, value }, got a tensor',
    (attention) => {
      using layer = new LocationSensitiveAttention(attention, { ...weights, ...location });
      return layer.step(zeros(2, 5), key as never);
    },
  ],
  [
    'step: "state.previous.dims" expected [2, 6], got [2, 5]',
    stepped({}, { state: { previous: zeros(2, 5), cumulative: zeros(2, 6) } }),
  ],
  [
    'locationLayerBackward: "layer" expected a LocationSensitiveAttention, got null',
    () => locationLayerBackward(null as never, none),
  ],
  [
    'locationLayerBackward: "pass" expected { query, memory, outputGradient, weightsGradient?, stateGradient?, after? }, got undefined',
    (attention) => {
      using layer = new LocationSensitiveAttention(attention, locationWeights);
      return locationLayerBackward(layer, none);
    },
  ],
  [
    'locationLayerBackward: "query.dims" expected […, in] with in = 5, got [2, 4]',
    steppedBack({ query: zeros(2, 4) }),
  ],
  [
    'locationLayerBackward: "memory" expected what memory() gave, { key, value }, got undefined',
    steppedBack({ memory: undefined }),
  ],
  [
    'locationLayerBackward: "outputGradient.dims" expected [2, 4], got [2, 1, 4]',
    steppedBack({ outputGradient: zeros(2, 1, 4) }),
  ],
  [
    'locationLayerBackward: "weightsGradient.dims" expected [2, 6], got [6]',
    steppedBack({ weightsGradient: zeros(6) }),
  ],
  [
    'locationLayerBackward: "stateGradient.cumulative.dims" expected [2, 6], got [2, 5]',
    steppedBack({ stateGradient: { previous: zeros(2, 6), cumulative: zeros(2, 5) } }),
  ],
  [
    `locationLayerBackward: "accumulate" expected one of state, keyLengths, alpha, ${unknown}`,
    steppedBack({}, { accumulate: true }),
  ],
  [
    'locationLayerBackward: "after" expected what the step after gave, got 1',
    steppedBack({ after: 1 }),
  ],
  [
    'locationLayerBackward: "after.stateGradient" expected { previous, cumulative }, got null',
    afterwards({ stateGradient: undefined }),
  ],
  [
    'locationLayerBackward: "after.stateGradient.previous" expected a tensor { data, dims }, got undefined',
    afterwards({ stateGradient: { cumulative: zeros(2, 6) } }),
  ],
  [
    'locationLayerBackward: "after.memoryGradient.value.dims" expected [2, 6, 4], got [2, 6, 7]',
    afterwards({ memoryGradient: { key: zeros(2, 6, 7), value: zeros(2, 6, 7) } }),
  ],
  [
    'locationLayerBackward: "after.weights" expected an object, got undefined',
    afterwards({ weights: undefined }),
  ],
  [
    'locationLayerBackward: "after.weights.query.weight.dims" expected [5, 7], got [7, 5]',
    afterwards({}, { query: { weight: zeros(7, 5) } }),
  ],
  [
    'locationLayerBackward: "after.weights.filters.dims" expected [3, 2, 5], got [3, 2, 4]',
    afterwards({}, { filters: zeros(3, 2, 4) }),
  ],
  [
    'locationLayerBackward: "after.weights.scoreScale" expected a number, got undefined',
    afterwards({}, { scoreScale: undefined }),
  ],
  [
    'locationMemoryBackward: "layer" expected a LocationSensitiveAttention, got null',
    () => locationMemoryBackward(null as never, none),
  ],
  [
    'locationMemoryBackward: "key.dims and value.dims" expected [B, S, Ek] and [B, S, Dv], got [2, 6, 4] and [2, 5, 4]',
    memoryBack({ value: zeros(2, 5, 4) }),
  ],
  [
    'locationMemoryBackward: "key.dims" expected […, in] with in = 4, got [2, 6, 5]',
    memoryBack({ key: zeros(2, 6, 5), value: zeros(2, 6, 4) }),
  ],
  [
    'locationMemoryBackward: "memoryGradient" expected what memory() gave, { key, value }, got undefined',
    memoryBack({ memoryGradient: undefined }),
  ],
  [
    'locationMemoryBackward: "memoryGradient.key.dims" expected [2, 6, 7], got [2, 6, 4]',
    memoryBack({ memoryGradient: { key, value: key } }),
  ],
];
