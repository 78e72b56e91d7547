// Engines made and disposed again and again, then held until the browser refuses memory.

import { createAttention, MemoryError, tensor } from "wasm-attention";
import { report } from "./report";

export interface Memory {
  /** Outputs of 200 engines, each disposed before the next. */
  outputs: number[];
  rounds: Round[];
}

/** Engines of 1 GiB held until the next was refused; then all are let go of. */
interface Round {
  held: number;
  refusal: Refusal;
  /** Of one that was to grow by 2 GiB meanwhile; undefined where they may. */
  growth: Refusal | undefined;
  /** Of more than any linear memory may have. */
  tooLarge: Refusal | undefined;
  /** What an engine computes after it. */
  after: number;
}

interface Refusal {
  name: string;
  message: string;
}

const x = tensor(Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2]);

void report(async (): Promise<Memory> => {
  const outputs: number[] = [];
  for (let i = 0; i < 200; i++) outputs.push(await once());
  return { outputs, rounds: [await fill(), await fill()] };
});

/** 8 MB of an engine written to: kept, 200 of them would be 1.6 GB. */
async function once(): Promise<number> {
  const attention = await createAttention();
  attention.allocate([2 ** 21]).data.fill(1);
  const { output } = attention.attend(x, x, x);
  attention.dispose();
  return output.data[0];
}

async function fill(): Promise<Round> {
  const small = await createAttention();
  const engines = [small];
  let refusal: Refusal | undefined;
  while (!refusal && engines.length < 100_000) {
    refusal = await refusalOf(async () => {
      engines.push(await createAttention({ initialMemory: 2 ** 30 }));
    });
  }
  let growth: Refusal | undefined;
  for (const attention of engines.slice(0, 40)) {
    growth ??= await refusalOf(() => attention.allocate([2 ** 29]));
  }
  const tooLarge = await refusalOf(() => small.allocate([2 ** 30, 1]));
  for (const attention of engines) attention.dispose();
  if (!refusal) throw new Error(`${engines.length} engines of 1 GiB, and none is refused`);
  return { held: engines.length - 1, refusal, growth, tooLarge, after: await once() };
}

async function refusalOf(work: () => unknown): Promise<Refusal | undefined> {
  try {
    await work();
  } catch (error) {
    const { name, message } = error as Error;
    return { name: error instanceof MemoryError ? name : `not ours: ${name}`, message };
  }
}
