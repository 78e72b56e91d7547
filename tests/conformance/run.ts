// npm run conformance -- DIR: every case of a folder, put to the public API on both builds.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AttentionError, type Tensor } from "wasm-attention";
import { engine, variants, type Whole } from "../engines";
import { type Case, numbers, type Value } from "./case";
import { leftOut, operators } from "./operators";

const directory = process.argv[2] ?? process.env.CONFORMANCE_DIR;
if (!directory) {
  console.error("usage: npm run conformance -- DIR");
  process.exit(2);
}

const cases = readdirSync(directory, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".json"))
  .sort()
  .map((file) => JSON.parse(readFileSync(join(directory, file), "utf8")) as Case)
  .filter((c) => typeof c.op === "string" && Array.isArray(c.inputs));

const engines = await Promise.all(variants.map((variant) => engine(variant)));
const skipped = new Map<string, number>();
let passed = 0;
let failed = 0;
for (const c of cases) {
  const reason = leftOut(c);
  if (reason) {
    console.log(`skipped ${c.name}: ${reason}`);
    skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
    continue;
  }
  const faults = engines.flatMap((attention) =>
    faultsOf(attention, c).map((fault) => `${attention.variant}: ${fault}`),
  );
  if (faults.length === 0) passed++;
  else {
    failed++;
    console.log(`FAILED ${c.name} (${c.domain} ${c.op})`);
    for (const fault of faults) console.log(`  ${fault}`);
  }
}
let skips = 0;
for (const count of skipped.values()) skips += count;
console.log(`${passed} passed, ${failed} failed, ${skips} skipped`);
if (failed || passed === 0) process.exit(1);

/** What is wrong with a case, nothing if it passes. */
function faultsOf(attention: Whole, c: Case): string[] {
  const operator = operators[`${c.domain} ${c.op}`];
  if (!operator) return [`no mapping for ${c.domain} ${c.op}`];
  const used = attention.memory.used;
  const faults: string[] = [];
  try {
    const outputs = operator(attention, c);
    if (c.expect === "failure") return [`should be refused: ${c.message}`];
    for (const [index, wanted] of c.outputs.entries()) {
      const fault = wanted && faultOf(outputs[index], wanted, c);
      if (fault) faults.push(fault);
    }
  } catch (error) {
    const refused = c.expect === "failure" && error instanceof AttentionError;
    if (!refused) faults.push(String(error));
  }
  const left = attention.memory.used - used;
  if (left) faults.push(`${left} bytes stay allocated`);
  return faults;
}

/** The worst element of an output that is out of tolerance. */
function faultOf(got: Tensor | undefined, wanted: Value, c: Case): string | undefined {
  const { name, shape } = wanted;
  if (!got) return `${name} is missing`;
  if (got.dims.join() !== shape.join()) return `${name} has dims [${got.dims}], not [${shape}]`;
  const { rtol, atol } = wanted.tolerance ?? c.tolerance;
  const expected = numbers(wanted);
  let worst = 0;
  let at = -1;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [got.data[i], expected[i]];
    if (Object.is(a, b) || a === b) continue;
    const share = Math.abs(a - b) / (atol + rtol * Math.abs(b));
    const excess = Number.isFinite(share) ? share : Number.POSITIVE_INFINITY;
    if (excess > 1 && excess > worst) [worst, at] = [excess, i];
  }
  if (at < 0) return undefined;
  const place = shape.map((size, axis) => {
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    return Math.floor(at / inner) % size;
  });
  return `${name}[${place}] = ${got.data[at]}, expected ${expected[at]} (${worst.toPrecision(3)} of the tolerance)`;
}
