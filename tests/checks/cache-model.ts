// A cache beside plain arrays of the same tokens, and what attend over each sequence alone gives.

import assert from "node:assert/strict";
import { type AttendOptions, type AttendResult, type Tensor, tensor } from "wasm-attention";
import { type AppendOptions, type AttentionCache, createCache } from "wasm-attention/cache";
import { random, randomArray, type Whole } from "../engines";
import type { Drawn } from "./cache";

/** The tokens of a sequence as rows [token][Hkv · size]. */
interface Text {
  keys: Float32Array[];
  values: Float32Array[];
  /** Tokens that may be gone are those before it. */
  appended: number;
}

/** [1, heads, tokens, size] of rows. */
function plain(rows: readonly Float32Array[], heads: number, size: number): Tensor {
  const data = new Float32Array(heads * rows.length * size);
  for (const [token, row] of rows.entries()) {
    for (let h = 0; h < heads; h++) {
      const part = row.subarray(h * size, (h + 1) * size);
      data.set(part, (h * rows.length + token) * size);
    }
  }
  return tensor(data, [1, heads, rows.length, size]);
}

export class CacheModel {
  readonly cache: AttentionCache;
  readonly texts = new Map<number, Text>();
  readonly #attention: Whole;
  readonly #drawn: Drawn;
  readonly #next: () => number;
  #made = 0;

  constructor(attention: Whole, drawn: Drawn) {
    const { keyValueHeads, headSize, valueSize, pageSize, sequences, window, numbers } = drawn;
    const sinks = window ? drawn.sinks : 0;
    const sizes = { keyValueHeads, headSize, valueSize, pageSize, numbers };
    const options = { ...sizes, sequences, window, sinks };
    this.#attention = attention;
    this.#drawn = drawn;
    this.cache = createCache(attention, options);
    this.#next = random(drawn.seed);
    for (const id of this.cache.sequences)
      this.texts.set(id, { keys: [], values: [], appended: 0 });
  }

  get ids(): number[] {
    return [...this.texts.keys()];
  }

  #id(index: number): number {
    return this.ids[index % this.texts.size] as number;
  }

  #text(id: number): Text {
    return this.texts.get(id) as Text;
  }

  random(count: number): Float32Array {
    return randomArray(count, this.#drawn.seed + ++this.#made);
  }

  take(step: Drawn["steps"][number]): void {
    const { cache, texts } = this;
    if ("append" in step) this.append(step.append);
    else if ("attend" in step) {
      const { query, options, check } = this.ask(step.attend);
      check(cache.attend(query, options));
    } else if ("store" in step) {
      const id = this.#id(step.store);
      const { keys, values, appended } = this.#text(id);
      const stored = cache.import(cache.export(id));
      texts.set(stored, { keys: [...keys], values: [...values], appended });
    } else if ("shift" in step) this.shift(this.#id(step.shift), step.keep, step.drop);
    else if ("truncate" in step) this.truncate(this.#id(step.truncate), step.by);
    else if ("fork" in step) {
      const text = this.#text(this.#id(step.fork));
      const fork = cache.fork(this.#id(step.fork));
      texts.set(fork, { ...text, keys: [...text.keys], values: [...text.values] });
    } else if ("reorder" in step) {
      const from = this.ids.map((_, i) => this.#id(step.reorder[i % 8] as number));
      cache.reorder(from);
      const copies = from.map((id) => {
        const { keys, values, appended } = this.#text(id);
        return { keys: [...keys], values: [...values], appended };
      });
      for (const [i, id] of this.ids.entries()) texts.set(id, copies[i] as Text);
    } else if (texts.size > 1) {
      const id = this.#id(step.release);
      cache.release(id);
      texts.delete(id);
    }
  }

  /** Different lengths for some sequences, a skipped row among them. */
  append(lengths: readonly number[]): void {
    const { keyValueHeads, headSize, valueSize } = this.#drawn;
    const chosen = this.ids.slice(0, lengths.length);
    const sequences = [...chosen, -1];
    const counts = [...lengths.slice(0, chosen.length), 5];
    const L = Math.max(...counts);
    const B = sequences.length;
    const layout = this.#next() < 0 ? "BHLD" : "BLHD";
    const make = (size: number) => {
      const axes = layout === "BHLD" ? [keyValueHeads, L] : [L, keyValueHeads];
      return tensor(this.random(B * keyValueHeads * L * size), [B, ...axes, size]);
    };
    const [key, value] = [make(headSize), make(valueSize)];
    const asked = {
      sequences: Int32Array.from(sequences),
      lengths: Uint16Array.from(counts),
      layout,
    };
    this.cache.append(key, value, asked as AppendOptions);
    const rowOf = ({ data }: Tensor, size: number, b: number, token: number) => {
      const row = new Float32Array(keyValueHeads * size);
      for (let h = 0; h < keyValueHeads; h++) {
        const index = layout === "BHLD" ? h * L + token : token * keyValueHeads + h;
        const at = (b * keyValueHeads * L + index) * size;
        row.set(data.subarray(at, at + size), h * size);
      }
      return row;
    };
    for (const [b, id] of chosen.entries()) {
      const text = this.#text(id);
      if (counts[b]) text.appended = text.keys.length;
      for (let token = 0; token < (counts[b] as number); token++) {
        text.keys.push(rowOf(key, headSize, b, token));
        text.values.push(rowOf(value, valueSize, b, token));
      }
      assert.equal(this.cache.length(id), text.keys.length);
    }
  }

  truncate(id: number, by: number): void {
    const text = this.#text(id);
    const length = Math.max(0, text.keys.length - by);
    try {
      this.cache.truncate(id, length);
    } catch (error) {
      // A window's tokens may be gone.
      assert.ok(this.#drawn.window && length > 0, String(error));
      assert.equal((error as { argument?: string }).argument, "length");
      return;
    }
    text.keys.length = length;
    text.values.length = length;
    text.appended = Math.min(text.appended, length);
  }

  shift(id: number, keep: number, drop: number): void {
    const { keys, values } = this.#text(id);
    const options = { keep, drop };
    if (this.#drawn.window || keep + drop > keys.length) {
      assert.throws(() => this.cache.shift(id, options), { name: "ArgumentError" });
      return;
    }
    // Rows of fewer bits are rounded once more.
    if (this.#drawn.numbers !== "float32") return;
    this.cache.shift(id, options);
    for (const rows of [keys, values]) rows.splice(keep, drop);
  }

  /** The last tokens of some sequences at once, by some of the options, and what is to come of it. */
  ask(indices: readonly number[]) {
    const { keyValueHeads, group, headSize, window } = this.#drawn;
    const sequences = [...new Set(indices.map((index) => this.#id(index)))];
    const heads = keyValueHeads * group;
    const most = sequences.map((id) => {
      const { keys, appended } = this.#text(id);
      return Math.max(keys.length - (window ? appended : 0), 0);
    });
    const L = Math.max(1, Math.min(70, Math.ceil(Math.abs(this.#next()) * Math.max(...most))));
    const queryLengths = most.map((rows) => Math.min(rows, L));
    const B = sequences.length;
    const query = tensor(this.random(B * heads * L * headSize), [B, heads, L, headSize]);
    const some = <T>(value: T): T | undefined => (this.#next() > 0.3 ? value : undefined);
    const common = {
      alibi: some({ slopes: this.random(heads) }),
      sinks: some(this.random(heads)),
      softcap: some(2),
    };
    const causal = this.#next() > -0.6;
    const returned = { logSumExp: true, weights: true } as const;
    const options = { ...common, ...returned, causal, sequences, queryLengths };
    const lengths = sequences.map((id) => this.#text(id).keys.length);
    const S = Math.max(...lengths);
    const wanted = sequences.map((id, b) => {
      const rows = queryLengths[b] as number;
      const from = b * heads * L * headSize;
      const part = tensor(query.data.slice(from, from + heads * L * headSize), [
        1,
        heads,
        L,
        headSize,
      ]);
      return this.alone(id, part, rows, { ...common, causal: causal && "lower-right" });
    });
    const check = (got: AttendResult<typeof returned>) => {
      assert.deepEqual(got.weights.dims, [B, heads, L, S]);
      for (const [b, want] of wanted.entries()) {
        const where = `sequence ${sequences[b]} of ${lengths[b]}`;
        const size = want.output.data.length;
        same(
          got.output.data.subarray(b * size, (b + 1) * size),
          want.output.data,
          `output, ${where}`,
        );
        const lse = want.logSumExp.data;
        const keys = lengths[b] as number;
        for (let row = 0; row < heads * L; row++) {
          const from = (b * heads * L + row) * S;
          const weights = want.weights.data.subarray(row * keys, (row + 1) * keys);
          same(got.weights.data.subarray(from, from + keys), weights, `weights, ${where}`);
        }
        same(got.logSumExp.data.subarray(b * heads * L, (b + 1) * heads * L), lse, `lse, ${where}`);
      }
    };
    return { query, options, check };
  }

  /** The same by one attend over plain arrays. */
  alone(id: number, query: Tensor, rows: number, options: AttendOptions) {
    const { keyValueHeads, headSize, valueSize, window, numbers } = this.#drawn;
    const { keys, values } = this.#text(id);
    const S = keys.length;
    const L = query.dims[2] as number;
    const key = plain(keys, keyValueHeads, headSize);
    const value = plain(values, keyValueHeads, valueSize);
    const offset = options.causal ? {} : { queryOffset: S - rows };
    const all = {
      ...options,
      ...offset,
      queryLengths: [rows],
      logSumExp: true,
      weights: true,
    } as const;
    const sinks = window ? this.#drawn.sinks : 0;
    if (numbers !== "float32") {
      // Of the same numbers, with all tokens at once.
      const sizes = { keyValueHeads, headSize, valueSize, numbers, window, sinks };
      using whole = createCache(this.#attention, sizes);
      whole.append(key, value);
      const { causal = false, heads: _, keyValueHeads: __, keyLengths: ___, ...rest } = options;
      const asked = { ...rest, causal: causal && ("lower-right" as const), queryLengths: [rows] };
      return whole.attend(query, { ...asked, logSumExp: true, weights: true });
    }
    if (!window) return this.#attention.attend(query, key, value, all);
    if (!sinks)
      return this.#attention.attend(query, key, value, { ...all, window: { left: window - 1 } });
    const seen = Uint8Array.from({ length: L * S }, (_, at) => {
      const [i, j] = [Math.floor(at / S) + S - rows, at % S];
      return +(j < sinks || j > i - window);
    });
    const mask = { data: seen, dims: [L, S] };
    return this.#attention.attend(query, key, value, { ...all, mask });
  }
}

export function same(got: Float32Array, want: Float32Array, what: string): void {
  const bits = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
  if (bits(got).equals(bits(want))) return;
  assert.deepEqual([...got], [...want], what);
  assert.fail(`${what}: other bits`);
}
