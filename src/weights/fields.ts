// The fields of a GGUF header one after another, out of the beginning of a file.

import { ArgumentError } from "../errors";
import type { Metadata } from "./file";

/** The beginning ends in the middle of what is named: at least `needed` bytes of the file are. */
export class Ended extends Error {
  readonly needed: number;

  constructor(what: string, needed: number) {
    super(what);
    this.needed = needed;
  }
}

/** Lists in lists: the format has no use for more, and each level takes a call. */
const MOST_DEPTH = 8;

/** By their type, as DataView calls them; 7 is a boolean, 8 a text, 9 a list. */
const NUMBERS = [
  "Uint8",
  "Int8",
  "Uint16",
  "Int16",
  "Uint32",
  "Int32",
  "Float32",
  "",
  "",
  "",
  "BigUint64",
  "BigInt64",
  "Float64",
] as const;
/** Of values by their type: numbers, the length of a text, type and length of a list. */
const LEAST_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];

export class Fields {
  at = 0;
  readonly #operation: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(operation: string, bytes: Uint8Array) {
    this.#operation = operation;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }

  u64(what: string): number {
    return Number(this.#view.getBigUint64(this.#take(8, what), true));
  }

  text(what: string): string {
    const length = this.u64(what);
    const from = this.#take(length, what);
    return new TextDecoder().decode(this.#bytes.subarray(from, from + length));
  }

  /** A value with its type before it. */
  value(name: string): Metadata {
    return this.#valueOf(this.u32(name), name, 0);
  }

  #valueOf(type: number, name: string, depth: number): Metadata {
    const number = NUMBERS[type];
    if (number) {
      const value = this.#view[`get${number}`](this.#take(LEAST_BYTES[type] as number, name), true);
      return typeof value === "bigint" ? plain(value) : value;
    }
    if (type === 7) return this.#view.getUint8(this.#take(1, name)) !== 0;
    if (type === 8) return this.text(name);
    if (type === 9) return this.#list(name, depth);
    throw new ArgumentError(this.#operation, name, "a value of a type from 0 to 12", `${type}`);
  }

  #list(name: string, depth: number): Metadata[] {
    const type = this.u32(name);
    const length = this.u64(name);
    if (depth >= MOST_DEPTH) {
      throw new ArgumentError(this.#operation, name, `up to ${MOST_DEPTH} lists in lists`, "more");
    }
    const values: Metadata[] = [];
    // A length that lies is found out before memory is taken for it.
    this.#reach(length * (LEAST_BYTES[type] ?? 1), name);
    for (let left = length; left > 0; left--) values.push(this.#valueOf(type, name, depth + 1));
    return values;
  }

  /** Where `length` bytes begin, and past them. */
  #take(length: number, what: string): number {
    const from = this.at;
    this.#reach(length, what);
    this.at += length;
    return from;
  }

  #reach(length: number, what: string): void {
    const needed = this.at + length;
    if (!(needed <= this.#bytes.length)) throw new Ended(what, needed);
  }
}

/** A number where it is exact. */
function plain(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
