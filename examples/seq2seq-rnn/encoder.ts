// Two GRUs over the source, one from its beginning and one from its end: row t of the memory is what both
// have made of it when they were there.

import type { Attention } from "wasm-attention";
import { tensor } from "wasm-attention";
import { Embedding, type Parameter } from "../training/block";
import type { Random } from "../training/random";
import { PADDING } from "../translation/pieces";
import type { Memory } from "./attending";
import { Gru } from "./gru";
import { add, apart, beside, joined, Product } from "./product";

const STATE = 64;

export interface Read {
  readonly memory: Memory;
  /** The states of the GRU that ends at the first word, [B, state]. */
  readonly last: Float32Array;
  /** [S, B, size] */
  readonly words: Float32Array;
}

interface Direction {
  readonly input: Product;
  readonly gru: Gru;
}

export class Encoder {
  readonly parameters: readonly Parameter[];
  readonly stateSize = STATE;
  readonly memorySize = 2 * STATE;
  readonly #size: number;
  readonly #embed: Embedding;
  readonly #directions: readonly Direction[];

  constructor(
    attention: Attention<"blocks" | "training">,
    { vocabulary, size }: { vocabulary: number; size: number },
    random: Random,
  ) {
    this.#size = size;
    this.#embed = new Embedding(attention, vocabulary, size, random);
    this.#directions = [0, 1].map(() => ({
      input: new Product(attention, size, 3 * STATE, random),
      gru: new Gru(attention, STATE, random),
    }));
    this.parameters = [this.#embed, ...this.#parts()].flatMap(({ parameters }) => parameters);
  }

  read(sources: readonly (readonly number[])[], record: boolean): Read {
    const lengths = sources.map(({ length }) => length);
    const [batch, longest] = [sources.length, Math.max(...lengths)];
    const ids = Int32Array.from({ length: longest * batch }, (_, at) => {
      return sources[at % batch][Math.floor(at / batch)] ?? PADDING;
    });
    const words = this.#embed.forward(ids, longest).data;
    const [ahead, behind] = this.#directions.map(({ input, gru }, index) => {
      const given = input.forward(words);
      const states: Float32Array[] = [];
      let state: Float32Array = new Float32Array(batch * STATE);
      for (const t of times(longest, index === 1)) {
        const live = lengths.map((length) => t < length);
        const now = given.subarray(t * batch * 3 * STATE, (t + 1) * batch * 3 * STATE);
        state = gru.step(now, state, { live, record });
        states[t] = state;
      }
      return states;
    });
    const rows = beside(joined(ahead), joined(behind), [STATE, STATE]);
    const memory = { rows: swapped(rows, longest, this.memorySize), lengths, longest };
    return { memory, last: behind[0], words };
  }

  /** From the gradients of the memory and of its last states. */
  backward({ memory, words }: Read, ofMemory: Float32Array, ofLast: Float32Array): void {
    const { lengths, longest } = memory;
    const batch = lengths.length;
    const sides = apart(swapped(ofMemory, batch, this.memorySize), [STATE, STATE]);
    const ofWords = this.#directions.map(({ input, gru }, index) => {
      const given: Float32Array[] = [];
      let carried: Float32Array = new Float32Array(batch * STATE);
      for (const t of times(longest, index === 0)) {
        add(carried, sides[index].subarray(t * batch * STATE, (t + 1) * batch * STATE));
        if (index === 1 && t === 0) add(carried, ofLast);
        const back = gru.backward(carried);
        given[t] = back.given;
        carried = back.state;
      }
      const gradient = input.backward(words, joined(given));
      input.gather();
      gru.gather();
      return gradient;
    });
    const all = add(ofWords[0], ofWords[1]);
    this.#embed.backward(tensor(all, [all.length / this.#size, this.#size]));
  }

  update(): void {
    for (const part of this.#parts()) part.update();
  }

  dispose(): void {
    for (const part of this.#parts()) part.dispose();
  }

  #parts() {
    return this.#directions.flatMap(({ input, gru }) => [input, gru]);
  }
}

/** 0 to count − 1, or from the end. */
const times = (count: number, reversed: boolean) =>
  Array.from({ length: count }, (_, i) => (reversed ? count - 1 - i : i));

/** [first, second, size] → [second, first, size] */
function swapped(x: Float32Array, first: number, size: number): Float32Array {
  const second = x.length / size / first;
  const result = new Float32Array(x.length);
  for (let i = 0; i < first; i++)
    for (let j = 0; j < second; j++) {
      const row = (i * second + j) * size;
      result.set(x.subarray(row, row + size), (j * first + i) * size);
    }
  return result;
}
