// The vectors that are remembered, in one array with room at its end.

export class Memory {
  /** Products of numbers up to this, summed, stay finite in float32: no vector spoils another's answer. */
  readonly largest = 1e15;
  readonly #size: number;
  readonly #most: number;
  #room = new Float32Array(0);
  #length = 0;

  constructor(size: number, most: number) {
    this.#size = size;
    this.#most = most;
  }

  get count(): number {
    return this.#length / this.#size;
  }

  /** Those that are known now; what is added later lies behind them. */
  get vectors(): Float32Array<ArrayBuffer> {
    return this.#room.subarray(0, this.#length);
  }

  takes(vectors: Float32Array): boolean {
    return vectors.every((x) => Math.abs(x) <= this.largest); // not NaN either
  }

  /** Adds all of them, or none where there is no room for all. */
  add(vectors: Float32Array): boolean {
    const length = this.#length + vectors.length;
    if (length > this.#most * this.#size) return false;
    if (length > this.#room.length) {
      const room = new Float32Array(Math.min(2 * length, this.#most * this.#size));
      room.set(this.vectors);
      this.#room = room;
    }
    this.#room.set(vectors, this.#length);
    this.#length = length;
    return true;
  }
}
