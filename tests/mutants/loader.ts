// Faults in what is around a call: memory, places, options.

import type { Mutant } from "./mutant";

export const loader: readonly Mutant[] = [
  {
    name: "arena: a freed block does not join the range after it",
    file: "src/memory/arena.ts",
    find: "before.end = after.end;",
    replace: "before.end = end;",
    tests: ["tests/memory.test.ts"],
  },
  {
    name: "arena: growth counts the free range at the end twice",
    file: "src/memory/arena.ts",
    find: "const pages = Math.ceil(missing / PAGE);",
    replace: "const pages = Math.floor(missing / PAGE);",
    tests: ["tests/memory.test.ts"],
  },
  {
    name: "an out over an input is written while that is read",
    file: "src/run/staging.ts",
    find: "input.address < end && address < input.address + input.bytes",
    replace: "input.address < 0",
    tests: ["tests/linear.test.ts"],
    only: "writes where it is told",
  },
  {
    name: "a frame keeps what the call before wrote",
    file: "src/instance/instance.ts",
    find: "return engine.words.fill(0);",
    replace: "return engine.words;",
    tests: ["tests/bits.test.ts", "tests/attend.test.ts"],
  },
  {
    name: "lower-right by the padded lengths",
    file: "src/check/visibility.ts",
    find: "lowerRight ? columns - rows",
    replace: "lowerRight ? keys - queries",
    tests: ["tests/attend.test.ts"],
  },
  {
    name: "packed keys start where the queries do",
    file: "src/attend/packed.ts",
    find: "[first + Sequence.keyStart] = keys.starts[b]",
    replace: "[first + Sequence.keyStart] = queries.starts[b]",
    tests: ["tests/packed.test.ts"],
  },
  {
    name: "a mask of one column has a stride",
    file: "src/check/mask.ts",
    find: "size === 1 ? 0 : stride",
    replace: "size === 1 && axis < 3 ? 0 : stride",
    tests: ["tests/attend.test.ts"],
  },
  {
    name: "BLHD: the strides of heads and rows exchanged",
    file: "src/check/shapes.ts",
    find: "{ batch: heads * rows * size, head: size, row: heads * size }",
    replace: "{ batch: heads * rows * size, head: heads * size, row: size }",
    tests: ["tests/attend.test.ts"],
  },
  {
    name: "dropout: kept weights are not made larger",
    file: "src/check/dropout.ts",
    find: "factor: 1 / (1 - probability)",
    replace: "factor: 1",
    tests: ["tests/dropout.test.ts"],
  },
  {
    name: "float16: ties away from even",
    file: "src/tensor/halffloat.ts",
    find: "0xfff + odd",
    replace: "0x1000",
    tests: ["tests/halffloat.test.ts"],
  },
  {
    name: "a gradient in out is written instead of added",
    file: "src/run/staging.ts",
    find: "if (added) add(target, at(region.address));",
    replace: "if (added && !target) add(target, at(region.address));",
    tests: ["tests/linear-backward.test.ts", "tests/backward.test.ts"],
  },
];
