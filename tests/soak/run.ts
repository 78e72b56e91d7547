// npm run soak [-- --tokens 100000 --conversations 50 --numbers float32 --seed 1 --build portable]:
// conversations that are forked, cut, begun on documents again, exported and imported; memory comes back to
// its start, and each goes on as a new text of its pieces would.

import { parseArgs } from "node:util";
import type { CacheNumbers } from "wasm-attention/cache";
import { engine, type Variant } from "../engines";
import { talkOn, writerOf } from "./talks";

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "100000" },
    conversations: { type: "string", default: "50" },
    numbers: { type: "string", default: "float32" },
    seed: { type: "string", default: "1" },
    build: { type: "string", default: "relaxed" },
  },
});
const [tokens, conversations] = [Number(values.tokens), Number(values.conversations)];
const numbers = values.numbers as CacheNumbers;
const attention = await engine(values.build as Variant);
const { used } = attention.memory;
const writer = await writerOf(attention);
const count = (n: number) => n.toLocaleString("en");
const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

/** After so many tenths, what there was of memory. */
let tenths = 0;
const begin = performance.now();
const counts = talkOn(attention, writer, {
  tokens,
  conversations,
  numbers,
  seed: Number(values.seed),
  progress({ generated }) {
    if (generated * 10 < (tenths + 1) * tokens) return;
    tenths = Math.floor((generated * 10) / tokens);
    globalThis.gc?.();
    const { used, reserved } = attention.memory;
    const heap = process.memoryUsage().heapUsed;
    console.log(
      `${count(generated).padStart(9)} pieces: ${megabytes(used)} of ${megabytes(reserved)} in use, heap ${megabytes(heap)}`,
    );
  },
});
const seconds = (performance.now() - begin) / 1000;
writer.dispose();
if (attention.memory.used !== used)
  throw new Error(`${attention.memory.used - used} bytes are left`);
const { generated, forks, truncations, begun, imports, checks, found } = counts;
console.log(
  `${numbers}, ${attention.variant}: ${count(generated)} pieces in ${conversations} conversations, ${seconds.toFixed(0)} s, ${count(Math.round(generated / seconds))} a second; ` +
    `${forks} forks, ${truncations} truncations, ${begun} begun (${count(found)} pieces found again), ${imports} imported; ` +
    `${checks} times the bits of a new text; memory is back at its start`,
);
