// What every application's file exports: `run`, which prints its figures.

export interface Options {
  /** How often what is timed beside a peer is timed, in turns. */
  readonly turns: number;
}

/** False where the figures fall short of the application's bar; true also where its data is not there. */
export type Run = (options: Options) => Promise<boolean>;

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
