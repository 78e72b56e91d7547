// A cache through a random history beside plain arrays of the same tokens: whatever was appended, cut,
// forked and reordered, attend gives the bits of one attend over each sequence alone.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type AttendOptions, type Tensor, tensor } from "wasm-attention";
import {
  type AppendOptions,
  type AttentionCache,
  type CacheAttendOptions,
  createCache,
} from "wasm-attention/cache";
import { random, randomArray, type Whole } from "../engines";

const tokens = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 }) },
  fc.constantFrom(1, 1, 63, 65, 127, 128, 129, 300),
);
const which = fc.integer({ min: 0, max: 7 });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ append: fc.array(tokens, { minLength: 1, maxLength: 3 }) }) },
  { weight: 5, arbitrary: fc.record({ attend: fc.array(which, { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ truncate: which, by: fc.integer({ min: 0, max: 140 }) }) },
  { weight: 1, arbitrary: fc.record({ fork: which }) },
  { weight: 1, arbitrary: fc.record({ reorder: fc.array(which, { minLength: 8, maxLength: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ release: which }) },
);

export const cacheProblems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  keyValueHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  headSize: fc.constantFrom(1, 5, 8, 32, 64),
  valueSize: fc.constantFrom(1, 4, 9, 32, 40),
  pageSize: fc.constantFrom(1, 7, 16, 32, 64, 100, 128, 128, 256),
  sequences: fc.integer({ min: 1, max: 3 }),
  window: fc.constantFrom(undefined, undefined, 1, 20, 130, 200),
  sinks: fc.constantFrom(0, 0, 3, 150),
  steps: fc.array(step, { minLength: 2, maxLength: 12 }),
});

type Drawn = typeof cacheProblems extends fc.Arbitrary<infer T> ? T : never;

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
    const { keyValueHeads, headSize, valueSize, pageSize, sequences, window } = drawn;
    const sinks = window ? drawn.sinks : 0;
    const options = { keyValueHeads, headSize, valueSize, pageSize, sequences, window, sinks };
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
    else if ("attend" in step) this.attend(step.attend);
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

  /** The last tokens of some sequences at once, by some of the options. */
  attend(indices: readonly number[]): void {
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
    const options: CacheAttendOptions = { ...common, causal, sequences, queryLengths };
    const got = this.cache.attend(query, { ...options, logSumExp: true, weights: true });
    const S = Math.max(...sequences.map((id) => this.#text(id).keys.length));
    assert.deepEqual(got.weights.dims, [B, heads, L, S]);
    for (const [b, id] of sequences.entries()) {
      const rows = queryLengths[b] as number;
      const from = b * heads * L * headSize;
      const part = tensor(query.data.slice(from, from + heads * L * headSize), [
        1,
        heads,
        L,
        headSize,
      ]);
      const want = this.alone(id, part, rows, { ...common, causal: causal && "lower-right" });
      const where = `sequence ${id} of ${this.#text(id).keys.length}`;
      const size = want.output.data.length;
      same(
        got.output.data.subarray(b * size, (b + 1) * size),
        want.output.data,
        `output, ${where}`,
      );
      const lse = want.logSumExp.data;
      const keys = this.#text(id).keys.length;
      for (let row = 0; row < heads * L; row++) {
        const from = (b * heads * L + row) * S;
        const weights = want.weights.data.subarray(row * keys, (row + 1) * keys);
        same(got.weights.data.subarray(from, from + keys), weights, `weights, ${where}`);
      }
      same(got.logSumExp.data.subarray(b * heads * L, (b + 1) * heads * L), lse, `lse, ${where}`);
    }
  }

  /** The same by one attend over plain arrays. */
  alone(id: number, query: Tensor, rows: number, options: AttendOptions) {
    const { keyValueHeads, headSize, valueSize, window } = this.#drawn;
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

export function checkCache(attention: Whole, drawn: Drawn): void {
  const { used } = attention.memory;
  const model = new CacheModel(attention, drawn);
  for (const step of drawn.steps) model.take(step);
  model.cache.dispose();
  assert.equal(attention.memory.used, used);
}
