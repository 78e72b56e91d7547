// Tokens a second of several ways, in turns.

import { type Generate, LENGTH, type Name } from "./ours";

export interface Measured {
  readonly model: Name;
  readonly where: string;
  readonly way: string;
  /** Of each turn. */
  readonly rates: readonly number[];
  /** The first tokens, to be looked at. */
  readonly ids: readonly number[];
}

export interface Way {
  readonly way: string;
  readonly generate: Generate;
  /** Tokens a second of the last turn by its own count, which leaves out what is around it. */
  readonly own?: () => number | undefined;
}

/** How it is measured: where, how often, and by which clock, in milliseconds. */
export interface Course {
  readonly where: string;
  readonly turns: number;
  readonly clock: () => number;
}

/** The first turn warms up. */
export async function measure(
  model: Name,
  ways: readonly Way[],
  { where, turns, clock }: Course,
): Promise<Measured[]> {
  const rates = ways.map((): number[] => []);
  const first: number[][] = [];
  for (let turn = 0; turn <= turns; turn++) {
    for (const [i, { generate, own }] of ways.entries()) {
      const begin = clock();
      const ids = await generate();
      const rate = (LENGTH * 1000) / (clock() - begin);
      if (ids.length !== LENGTH) throw new Error(`${ways[i].way}: ${ids.length} tokens`);
      first[i] = ids.slice(0, 12);
      if (turn) rates[i].push(own?.() ?? rate);
    }
  }
  return ways.map(({ way }, i) => ({ model, where, way, rates: rates[i], ids: first[i] }));
}
