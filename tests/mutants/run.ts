// npm run mutants [-- TEXT…]: faults are put into a copy of the sources, one at a time, and each has to
// turn a test red; those whose names contain a TEXT, or all. Two run side by side. Says which were not
// noticed, and exits with 1.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { kernels } from "./kernels";
import { layers } from "./layers";
import { loader } from "./loader";
import type { Mutant } from "./mutant";
import { quantized } from "./quantized";
import { threads } from "./threads";
import { copyOf, type Outcome, Tree } from "./tree";
import { variants } from "./variants";

const labels: Record<Outcome, string> = {
  red: "noticed",
  green: "NOT NOTICED",
  "not built": "NOT BUILT",
  "not found": "NOT FOUND",
};
const LANES = Math.min(2, availableParallelism());

const { positionals } = parseArgs({ allowPositionals: true });
const mutants = [...kernels, ...loader, ...threads, ...layers, ...quantized, ...variants].filter(
  ({ name }) => positionals.length === 0 || positionals.some((text) => name.includes(text)),
);
if (mutants.length === 0) throw new Error("no mutant is called so");
for (const [index, { name }] of mutants.entries()) {
  const same = mutants.findIndex((other) => other.name === name);
  if (same !== index) throw new Error(`two mutants are called ${name}`);
}

const began = performance.now();
const seconds = (since: number) => `${Math.round((performance.now() - since) / 1000)} s`;
const first = new Tree();
const trees = [first];
const left: Mutant[] = [];
process.once("SIGINT", () => {
  for (const tree of trees) tree.remove();
  process.exit(1);
});
try {
  await first.build();
  while (trees.length < LANES) trees.push(copyOf(first));
  console.log(`${trees.length} copies of the sources, built in ${seconds(began)}`);

  // Red has to come of the fault.
  const single = mutants.flatMap(({ tests, only }) =>
    tests.map((test) => ({ tests: [test], only })),
  );
  const unchanged = new Map(single.map((test) => [JSON.stringify(test), test]));
  await each([...unchanged.values()], async (tree, test) => {
    if (!(await tree.passes(test))) throw new Error(`${test.tests} is red without a fault`);
  });
  console.log(`green without a fault: ${unchanged.size} files of tests, ${seconds(began)}`);

  await each(mutants, async (tree, mutant) => {
    const start = performance.now();
    const outcome = await tree.outcomeOf(mutant);
    if (outcome !== "red") left.push(mutant);
    console.log(`${labels[outcome]} ${mutant.name}, ${seconds(start)}`);
  });
} finally {
  for (const tree of trees) tree.remove();
}
console.log(`${mutants.length - left.length} of ${mutants.length} noticed, ${seconds(began)}`);
if (left.length > 0) process.exitCode = 1;

/** Hands the work to the copies, each of which does one thing at a time. */
async function each<Work>(work: readonly Work[], run: (tree: Tree, work: Work) => Promise<void>) {
  const waiting = [...work];
  await Promise.all(
    trees.map(async (tree) => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await run(tree, next);
    }),
  );
}
