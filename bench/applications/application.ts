// What the table of applications says of one.

export interface Row {
  readonly what: string;
  /** Its quality, by a name, ours and the peer's. */
  readonly measure: string;
  readonly ours: string;
  readonly theirs: string;
  /** Time of ours and the peer's, and theirs ÷ ours. */
  readonly ourTime: string;
  readonly theirTime: string;
  readonly ratio: number;
  /** What falls short of the bar; nothing where it is reached. */
  readonly short?: string | undefined;
}

export interface Course {
  /** Turns of each. */
  readonly turns: number;
  /** Milliseconds of the process, whatever else the machine does. */
  readonly clock: () => number;
}

export interface Application {
  /** What the rows are measured against. */
  readonly peer: string;
  /** No rows where its data is not there; it says so then. */
  run(course: Course): Promise<readonly Row[]>;
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
