// Faults in the other attentions.

import type { Mutant } from "./mutant";

/** The build that kernels are compiled into. */
const only = "portable";

export const variants: readonly Mutant[] = [
  {
    name: "variants: softmax's gradient without its mean",
    file: "assembly/variants/strip-backward.ts",
    find: "f32x4.mul(weight, f32x4.sub(v128.load(g + at), mean))",
    replace: "f32x4.mul(weight, v128.load(g + at))",
    tests: ["tests/variant-backward.test.ts"],
    only,
  },
  {
    name: "variants: half the keys' additive gradients without the tanh's own",
    file: "assembly/variants/additive-backward.ts",
    find: "f32x4.sub(one, f32x4.mul(t1, t1))",
    replace: "one",
    tests: ["tests/variant-backward.test.ts"],
    only,
  },
  {
    name: "variants: a key that is the value gets no gradient as such",
    file: "src/variants/additive-layer-backward.ts",
    find: "if (!given.own) add(gradients.keyGradient.data, valueGradient.data);",
    replace: "",
    tests: ["tests/variant-layers.test.ts"],
    only,
  },
  {
    name: "variants: v is not normalised",
    file: "src/variants/layer-weights.ts",
    find: "(scoreScale * v) / norm",
    replace: "scoreScale * v",
    tests: ["tests/variant-layers.test.ts"],
    only,
  },
  {
    name: "variants: energies without their offset",
    file: "src/variants/monotonic-layer.ts",
    find: "(data[i] as number) + offset",
    replace: "data[i] as number",
    tests: ["tests/variant-steps.test.ts"],
    only,
  },
  {
    name: "variants: weights that a budget holds at 1 have gradients",
    file: "assembly/variants/budget.ts",
    find: "return weight <= 0 || weight >= 1;",
    replace: "return weight <= 0;",
    tests: ["tests/normmax.test.ts"],
    only,
  },
  {
    name: "variants: normmax's gradient without what its norm takes",
    file: "assembly/variants/normmax.ts",
    find: "raisedAny(p / norm, 2 - alpha) - p * along",
    replace: "raisedAny(p / norm, 2 - alpha)",
    tests: ["tests/normmax.test.ts"],
    only,
  },
  {
    name: "variants: keys just above the threshold are left out",
    file: "assembly/variants/threshold.ts",
    find: "(<f64>rough - 1e-6) / factor",
    replace: "(<f64>rough + 0.05) / factor",
    tests: ["tests/entmax.test.ts"],
    only,
  },
  {
    name: "variants: heads that share a mask's gradient do not wait for each other",
    file: "assembly/variants/strip-backward.ts",
    find: "packed + headReady(frame, item - packed)",
    replace: "packed",
    tests: ["tests/normalizer-biases.test.ts"],
    only,
  },
  {
    name: "variants: tokens past a length are taken in",
    file: "assembly/variants/chunk.ts",
    find: "const there = t < seen;",
    replace: "const there = true;",
    tests: ["tests/linear-attention.test.ts"],
    only,
  },
  {
    name: "variants: what later steps gave is not gone on from",
    file: "src/variants/location-layer-backward.ts",
    find: "add((own[name] as Tensor).data, data);",
    replace: "add((own[name] as Tensor).data, new Float32Array(0));",
    tests: ["tests/location-layer.test.ts"],
    only,
  },
];
