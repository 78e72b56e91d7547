// Faults in the multi-head layer and what stands beside attend.

import type { Mutant } from "./mutant";

export const layers: readonly Mutant[] = [
  {
    name: "PyTorch: k_proj_weight and v_proj_weight exchanged",
    file: "src/projections.ts",
    find: "key: projection(1, weights.k_proj_weight),",
    replace: "key: projection(1, weights.v_proj_weight),",
    tests: ["tests/multihead.test.ts"],
  },
  {
    name: "Keras: as many key heads as query heads",
    file: "src/projections.ts",
    find: 'keyValueHeads: kernel(1, "[in, heads, size]")',
    replace: 'keyValueHeads: kernel(0, "[in, heads, size]")',
    tests: ["tests/multihead.test.ts"],
  },
  {
    name: "Keras: the biases one place further on",
    file: "src/projections.ts",
    find: "weights[2 * index + 1]).data",
    replace: "weights[(2 * index + 3) % 8]).data",
    tests: ["tests/multihead.test.ts"],
  },
  {
    name: "the value's gradient is lost where the key stands for it",
    file: "src/multihead-backward.ts",
    find: "if (!given.value) add(ofKey.data, ofValue.data);",
    replace: "",
    tests: ["tests/multihead-backward.test.ts"],
  },
  {
    name: "a layer's gradients are written instead of added",
    file: "src/multihead-backward.ts",
    find: "if (accumulate) add(data, gradient.data);",
    replace: "if (accumulate === null) add(data, gradient.data);",
    tests: ["tests/multihead-backward.test.ts"],
  },
  {
    name: "the sum of the slopes' gradients over batches goes by batch",
    file: "src/backward.ts",
    find: "totals[index % heads] += sum;",
    replace: "totals[Math.floor(index / (sums.length / heads))] += sum;",
    tests: ["tests/backward.test.ts"],
  },
  {
    name: "appended keys: the mean over heads is their sum",
    file: "src/appended.ts",
    find: "const share = Math.fround(1 / heads);",
    replace: "const share = 1;",
    tests: ["tests/appended.test.ts"],
  },
  {
    name: "appended keys: scale is not passed on",
    file: "src/appended.ts",
    find: "return { layout, heads, keyValueHeads, scale, softcap, queryLengths, dropout: apart };",
    replace: "return { layout, heads, keyValueHeads, softcap, queryLengths, dropout: apart };",
    tests: ["tests/appended.test.ts"],
  },
  {
    name: "appended keys: queryLengths are not passed on",
    file: "src/appended.ts",
    find: "return { layout, heads, keyValueHeads, scale, softcap, queryLengths, dropout: apart };",
    replace: "return { layout, heads, keyValueHeads, scale, softcap, dropout: apart };",
    tests: ["tests/appended.test.ts"],
  },
];
