// Faults in weights of few bits and in models made smaller.

import type { Mutant } from "./mutant";

export const quantized: readonly Mutant[] = [
  {
    name: "quantized: the sum of a segment's numbers is that of its first half",
    file: "assembly/quantized/fours.ts",
    find: "for (let i = 0; i < place.count; i++) {",
    replace: "for (let i = 0; i < (place.count + 1) / 2; i++) {",
    tests: ["tests/quantized.test.ts"],
    only: "14 bits and to 8, relaxed",
  },
  {
    name: "quantized: the tail of a row's low bits is lost",
    file: "assembly/quantized/fours-input.ts",
    find: "if (two) store<u8>(at + plane, (q + zero) & 127);",
    replace: "",
    // On processors without a product of bytes in one instruction no other test comes here.
    tests: ["tests/assembly/fours.spec.ts"],
  },
  {
    name: "quantized: Q3_K without the high bits of its scales",
    file: "assembly/quantized/blocks-of-256.ts",
    find: "const scale = ((low & 15) | ((high & 3) << 4)) - 32;",
    replace: "const scale = (low & 15) - 32;",
    tests: ["tests/quantized.test.ts"],
    only: "stands for what its format says, portable",
  },
  {
    name: "quantized: a gate of few bits is forgotten",
    file: "src/blocks/fused.ts",
    find: 'if (gated) staging.tensor(ActivateFrame.gate, "gate", gated);',
    replace: "",
    tests: ["tests/quantized-fused.test.ts"],
  },
  {
    name: "pruneHeads: the output's projection keeps the first heads",
    file: "src/compress/heads.ts",
    find: 'output: projectionOf(partOf(output, "inputs", spread(kept, valueSize))),',
    replace: 'output: projectionOf(partOf(output, "inputs", spread([...kept.keys()], valueSize))),',
    tests: ["tests/compress.test.ts"],
    only: "pruneHeads",
  },
];
