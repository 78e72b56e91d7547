// Weights by name, as a file stores them.

export interface Stored {
  readonly dims: readonly number[];
  /** The elements from `from` to before `to` of the first axis, all by default, as float32. */
  floats(from?: number, to?: number): Float32Array<ArrayBuffer>;
}

export interface Weights {
  /** Numbers in all, but for those that say how others are to be read. */
  readonly parameters: number;
  has(name: string): boolean;
  /** @throws Error that names what is missing. */
  get(name: string): Stored;
}
