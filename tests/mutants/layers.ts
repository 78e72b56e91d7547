// Faults in the multi-head layer and what stands beside attend.

import type { Mutant } from "./mutant";

export const layers: readonly Mutant[] = [
  {
    name: "PyTorch: k_proj_weight and v_proj_weight exchanged",
    file: "src/weights/state-dict.ts",
    find: 'key: projection("key", 1),',
    replace: 'key: projection("value", 1),',
    tests: ["tests/multihead.test.ts"],
  },
  {
    name: "Keras: as many key heads as query heads",
    file: "src/layer/projections.ts",
    find: "keyValueHeads: key.dims[1]",
    replace: "keyValueHeads: query.dims[1]",
    tests: ["tests/multihead.test.ts"],
  },
  {
    name: "Keras: the biases one place further on",
    file: "src/layer/projections.ts",
    find: "tensorAt(2 * index + 1)",
    replace: "tensorAt((2 * index + 3) % 8)",
    tests: ["tests/multihead.test.ts"],
  },
  {
    name: "the value's gradient is lost where the key stands for it",
    file: "src/training/multihead.ts",
    find: "if (!given.value) add(ofKey.data, ofValue.data);",
    replace: "",
    tests: ["tests/multihead-backward.test.ts"],
  },
  {
    name: "a layer's gradients are written instead of added",
    file: "src/training/targets.ts",
    find: "if (this.#accumulate) add(data, gradient.data);",
    replace: "if (this.#accumulate === null) add(data, gradient.data);",
    tests: ["tests/multihead-backward.test.ts"],
  },
  {
    name: "the sum of the slopes' gradients over batches goes by batch",
    file: "src/training/bias.ts",
    find: "totals[index % heads] += sum;",
    replace: "totals[Math.floor(index / (sums.length / heads))] += sum;",
    tests: ["tests/backward.test.ts"],
  },
  {
    name: "appended keys: the mean over heads is their sum",
    file: "src/layer/appended.ts",
    find: "const share = Math.fround(1 / heads);",
    replace: "const share = 1;",
    tests: ["tests/appended.test.ts"],
  },
  {
    name: "appended keys: scale is not passed on",
    file: "src/layer/appended.ts",
    find: "{ heads, keyValueHeads, scale, softcap, queryLengths, weights, logSumExp, scores }",
    replace: "{ heads, keyValueHeads, softcap, queryLengths, weights, logSumExp, scores }",
    tests: ["tests/appended.test.ts"],
  },
  {
    name: "appended keys: queryLengths are not passed on",
    file: "src/layer/appended.ts",
    find: "{ heads, keyValueHeads, scale, softcap, queryLengths, weights, logSumExp, scores }",
    replace: "{ heads, keyValueHeads, scale, softcap, weights, logSumExp, scores }",
    tests: ["tests/appended.test.ts"],
  },
];
