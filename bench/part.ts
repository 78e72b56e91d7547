// The child process of one thread count: everything that is timed in it, told to the parent.

import { readFileSync } from "node:fs";
import { type Attention, createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { integers } from "wasm-attention/integers";
import { quantized } from "wasm-attention/quantized";
import { training } from "wasm-attention/training";
import { variants } from "wasm-attention/variants";
import { benchAttend } from "./attend";
import { backwardCases, benchBackward } from "./backward";
import { bartCases, benchBart } from "./bart/index";
import { benchBlock, blockCases } from "./block";
import { byHand } from "./by-hand";
import { appendCases, benchAppend, benchCache, cacheCases } from "./caches";
import { cases, decoding, halved, layers, linears, small } from "./cases";
import { benchCopies } from "./copies";
import { benchIntegers, integerCases } from "./integers";
import { benchLayer, benchLinear } from "./linear";
import { hurry } from "./paired";
import { gelus } from "./peers/gelu";
import { onnxruntime } from "./peers/onnxruntime";
import type { Peer } from "./peers/peer";
import { benchQuantized, quantizedCases } from "./quantized";
import { compileRoofline } from "./roofline/compile";
import { type Roofline, roofline, STREAM_BYTES } from "./roofline/index";
import type { Row } from "./rows";
import { variantBenches } from "./variants";

export type Message = { readonly row: Row } | { readonly line: string };

/** What the parent asks for; `ops` and `peers` are everything where they are undefined. */
export interface Asked {
  readonly threads: number;
  readonly quick: boolean;
  readonly ops?: readonly string[] | undefined;
  readonly peers?: readonly string[] | undefined;
}

const { threads, quick, ops, peers: names } = JSON.parse(process.argv[2]) as Asked;
const wants = (op: string) => !ops || ops.includes(op);
process.on("disconnect", () => process.exit(1));
if (quick) hurry();
const send = (message: Message) => void process.send?.(message);
const report = (row: Row) => send({ row });

type Whole = Attention<"training" | "cache" | "blocks" | "integers" | "quantized" | "variants">;

async function engines(): Promise<Whole[]> {
  const relaxed = readFileSync(new URL("../dist/workerd/core.relaxed.wasm", import.meta.url));
  const extensions = [training, cache, blocks, integers, quantized, variants] as const;
  const made = [await createAttention({ reproducible: true, threads, extensions })];
  if (WebAssembly.validate(relaxed)) made.push(await createAttention({ threads, extensions }));
  for (const engine of made) {
    if (engine.threads !== threads)
      throw new Error(`not ${threads} threads: ${engine.threadsFallback}`);
  }
  return made;
}

function describe(roof: Roofline): string {
  const giga = (rate: number) => (rate / 1e9).toFixed(1);
  return (
    `${roof.build}: ${giga(roof.tiles(64).best())} GFLOP/s in tiles of head size 64, ` +
    `${giga(roof.registers.best())} on registers, ${giga(roof.exponentials.best())}·10⁹ e^x/s, ` +
    `${giga(roof.read(STREAM_BYTES).best())} GB/s read`
  );
}

async function peersOf(): Promise<Peer[]> {
  const web = onnxruntime(threads);
  if (threads > 1) return [web];
  const { tfjs } = await import("./peers/tfjs");
  const { naive } = await import("./peers/naive");
  const { onnxruntimeNode } = await import("./peers/onnxruntime-node");
  const { jax } = await import("./peers/jax");
  return [web, tfjs, naive, onnxruntimeNode, jax];
}

const isAsked = ({ name }: { name: string }) => !names || names.includes(name);
const peers = (await peersOf()).filter(isAsked);
const some = <T>(op: string, all: readonly T[]) =>
  wants(op) ? (quick ? all.slice(0, 1) : all) : [];
const hands = Object.entries(gelus).filter(([name]) => isAsked({ name }));
const asked = Object.fromEntries(quick ? hands.slice(0, 1) : hands);
for (const attention of await engines()) {
  const roof = await roofline(attention.variant, compileRoofline(attention.variant));
  if (threads === 1) send({ line: describe(roof) });
  for (const c of some("attend", cases)) {
    await benchAttend(attention, roof, peers, c, "Float32Arrays", report);
  }
  for (const c of some("integers", integerCases)) await benchIntegers(attention, c, report);
  for (const c of some("decode", decoding)) {
    await benchAttend(attention, roof, peers, c, "allocated", report);
  }
  for (const c of some("cache", cacheCases)) await benchCache(attention, c, report);
  for (const c of threads === 1 ? some("append", appendCases) : []) {
    await benchAppend(attention, c, report);
  }
  // Too small to be shared.
  for (const c of threads === 1 ? some("small", [small]) : []) {
    await benchAttend(attention, roof, peers, c, "Float32Arrays", report);
    await benchAttend(attention, roof, peers, c, "allocated", report);
  }
  for (const c of some("linear", linears)) await benchLinear(attention, roof, peers, c, report);
  for (const c of some("quantized", quantizedCases)) await benchQuantized(attention, c, report);
  for (const c of some("layer", layers)) await benchLayer(attention, roof, peers, c, report);
  const beside = [...peers, ...[byHand(attention)].filter(isAsked)];
  for (const c of some("block", blockCases)) await benchBlock(attention, roof, beside, c, report);
  for (const c of hands.length > 0 ? some("bart", bartCases) : []) {
    await benchBart(attention, c, asked, { rounds: quick ? 3 : 9, report });
  }
  for (const c of threads === 1 ? some("backward", backwardCases) : []) {
    await benchBackward(attention, c, report);
  }
  for (const bench of threads === 1 ? some("variants", variantBenches) : []) {
    await bench(attention, peers, report);
  }
  for (const c of threads === 2 ? some("threads", halved) : []) {
    await benchCopies(attention, c, report);
  }
  attention.dispose();
}
// What was sent arrives first.
process.send?.({ line: `${threads} threads: done` }, () => process.exit(0));
