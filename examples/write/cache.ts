// Keys and values of texts of equal length, side by side.

import type { Attention, Tensor } from "wasm-attention";

export class Cache {
  readonly #attention: Attention;
  readonly #heads: number;
  readonly #keyValueHeads: number;
  #keys: Float32Array[];
  #values: Float32Array[];

  constructor(
    attention: Attention,
    {
      heads,
      keyValueHeads = heads,
      sequences,
    }: { heads: number; keyValueHeads?: number; headSize: number; sequences: number },
  ) {
    this.#attention = attention;
    this.#heads = heads;
    this.#keyValueHeads = keyValueHeads;
    this.#keys = Array.from({ length: sequences }, () => new Float32Array());
    this.#values = Array.from({ length: sequences }, () => new Float32Array());
    this.size = 0;
  }
  size: number;

  get bytes(): number {
    return this.#keys.reduce((sum, { byteLength }) => sum + 2 * byteLength, 0);
  }

  length(sequence: number): number {
    return this.#keys[sequence].length / (this.size || 1);
  }

  append(key: Tensor, value: Tensor): void {
    const [, length, size] = key.dims;
    this.size = size;
    const grown = (rows: Float32Array[], { data }: Tensor) =>
      rows.map((before, b) => {
        const all = new Float32Array(before.length + length * size);
        all.set(before);
        all.set(data.subarray(b * length * size, (b + 1) * length * size), before.length);
        return all;
      });
    this.#keys = grown(this.#keys, key);
    this.#values = grown(this.#values, value);
  }

  attend(query: Tensor, options: { alibi?: { slopes: Float32Array }; weights?: boolean }) {
    const rows = (all: Float32Array[]) => {
      const data = new Float32Array(all.length * all[0].length);
      all.forEach((each, b) => {
        data.set(each, b * each.length);
      });
      return { data, dims: [all.length, all[0].length / this.size, this.size] };
    };
    return this.#attention.attend(query, rows(this.#keys), rows(this.#values), {
      ...options,
      layout: "BLE",
      heads: this.#heads,
      keyValueHeads: this.#keyValueHeads,
      causal: "lower-right",
    });
  }

  reorder(order: readonly number[]): void {
    this.#keys = order.map((from) => this.#keys[from]);
    this.#values = order.map((from) => this.#values[from]);
  }

  dispose(): void {
    this.#keys = [];
    this.#values = [];
  }
}
