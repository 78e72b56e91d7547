// RNNsearch (Bahdanau, Cho, Bengio 2015): a bidirectional GRU reads the source; a GRU writes, and before each
// word attends to the source's states by its own. Sequences run through time, so arrays are [time, batch, size].

import { type Attention, type Tensor, tensor } from "wasm-attention";
import { Embedding, lossOf, type Parameter } from "../training/block";
import type { Random } from "../training/random";
import { BEGIN, END, PADDING } from "../translation/pieces";
import type { Model } from "../translation/train";
import { greedy } from "../write/sampling";
import { AdditiveAttention } from "./additive";
import type { Attending, Looks, Sizes } from "./attending";
import { Encoder } from "./encoder";
import { Gru } from "./gru";
import { add, apart, beside, joined, Product, tanh } from "./product";

const SIZE = 64;
const STATE = 128;
const HIDDEN = 64;

/** Of one step of writing. */
interface Written {
  readonly state: Float32Array;
  readonly context: Float32Array;
  /** [B, S] */
  readonly weights: Float32Array;
}

export class RecurrentTranslator implements Model {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"blocks">;
  readonly #encoder: Encoder;
  readonly #begin: Product;
  readonly #embed: Embedding;
  readonly #word: Product;
  readonly #context: Product;
  readonly #gru: Gru;
  readonly #looks: Looks;
  readonly #output: Product;

  constructor(
    attention: Attention<"blocks" | "training" | "variants">,
    sources: number,
    targets: number,
    random: Random,
    looks = (sizes: Sizes, random: Random): Looks =>
      new AdditiveAttention(attention, sizes, random),
  ) {
    this.#attention = attention;
    this.#encoder = new Encoder(attention, { vocabulary: sources, size: SIZE }, random);
    const memory = this.#encoder.memorySize;
    this.#begin = new Product(attention, this.#encoder.stateSize, STATE, random);
    this.#embed = new Embedding(attention, targets, SIZE, random);
    this.#word = new Product(attention, SIZE, 3 * STATE, random);
    this.#context = new Product(attention, memory, 3 * STATE, random);
    this.#gru = new Gru(attention, STATE, random);
    const sizes = { state: STATE, memory, hidden: HIDDEN };
    this.#looks = looks(sizes, random);
    this.#output = new Product(attention, STATE + memory, targets, random);
    this.parameters = [this.#encoder, this.#embed, ...this.#parts()].flatMap(
      ({ parameters }) => parameters,
    );
  }

  /** The mean loss of a piece; the parameters' gradients are added to. */
  learn(sources: readonly number[][], targets: readonly number[][]): number {
    const [batch, length] = [targets.length, Math.max(...targets.map(({ length }) => length)) + 1];
    const read = this.#encoder.read(sources, true);
    const first = this.#first(read.last);
    const attending = this.#looks.begin(read.memory);
    const ids = steps(length, batch, (t, b) => (t ? (targets[b][t - 1] ?? PADDING) : BEGIN));
    const wanted = steps(length, batch, (t, b) =>
      t === targets[b].length ? END : (targets[b][t] ?? -1),
    );
    const words = this.#embed.forward(ids, length).data;
    const given = this.#word.forward(words);
    const written: Written[] = [];
    for (let t = 0; t < length; t++) {
      const before = written.at(-1)?.state ?? first;
      const word = given.subarray(t * batch * 3 * STATE, (t + 1) * batch * 3 * STATE);
      written.push(this.#step(attending, word, before, true));
    }
    const rows = beside(
      joined(written.map(({ state }) => state)),
      joined(written.map(({ context }) => context)),
      [STATE, this.#encoder.memorySize],
    );
    const logits = tensor(this.#output.forward(rows), [length * batch, this.#embedCount()]);
    const { loss, gradient } = lossOf(this.#attention, logits, wanted);
    this.#backward({ read, first, attending, words, written, rows }, gradient.data);
    return loss;
  }

  update(): void {
    for (const part of [this.#encoder, ...this.#parts()]) part.update();
  }

  dispose(): void {
    for (const part of [this.#encoder, ...this.#parts()]) part.dispose();
  }

  /** Piece by piece, always the likeliest; at most `most` pieces. */
  translate(sources: readonly number[][], most: number): number[][] {
    const written: number[][] = sources.map(() => []);
    const done = sources.map(() => false);
    const write = this.#writer(sources);
    let next = sources.map(() => BEGIN);
    for (let length = 0; length < most && done.includes(false); length++) {
      const { logits } = write(next);
      const count = this.#embedCount();
      next = written.map((ids, b) => {
        const id = greedy(logits.subarray(b * count, (b + 1) * count));
        done[b] ||= id === END;
        ids.push(id);
        return id;
      });
    }
    return written.map((ids) => {
      const end = ids.indexOf(END);
      return end < 0 ? ids : ids.slice(0, end);
    });
  }

  /** How it looks at a source while it writes a target: [1, target + end, source]. */
  align(source: readonly number[], target: readonly number[]): Tensor {
    const write = this.#writer([[...source]]);
    const rows = [BEGIN, ...target].map((id) => write([id]).weights);
    return tensor(joined(rows), [1, rows.length, source.length]);
  }

  /** Takes the next word of each text, and says what may follow. */
  #writer(sources: readonly number[][]) {
    const { memory, last } = this.#encoder.read(sources, false);
    const attending = this.#looks.begin(memory);
    let state = this.#first(last);
    return (ids: readonly number[]) => {
      const word = this.#word.forward(this.#embed.forward(Int32Array.from(ids), 1).data);
      const step = this.#step(attending, word, state, false);
      state = step.state;
      const row = beside(state, step.context, [STATE, this.#encoder.memorySize]);
      return { logits: this.#output.forward(row), weights: step.weights };
    };
  }

  #step(attending: Attending, word: Float32Array, before: Float32Array, record: boolean): Written {
    const { context, weights } = attending.step(before, record);
    const given = add(this.#context.forward(context), word);
    const live = new Array(before.length / STATE).fill(true);
    return { state: this.#gru.step(given, before, { live, record }), context, weights };
  }

  /** tanh(W ←h_1 + b), the paper's first state of the decoder. */
  #first(last: Float32Array): Float32Array {
    return this.#begin.forward(last).map(tanh);
  }

  #backward(
    pass: {
      readonly read: ReturnType<Encoder["read"]>;
      readonly first: Float32Array;
      readonly attending: Attending;
      readonly words: Float32Array;
      readonly written: readonly Written[];
      readonly rows: Float32Array;
    },
    ofLogits: Float32Array,
  ): void {
    const { read, first, attending, words, written, rows } = pass;
    const size = this.#encoder.memorySize;
    const ofRows = this.#output.backward(rows, ofLogits);
    const [ofStates, ofContexts] = apart(ofRows, [STATE, size]);
    const ofWords: Float32Array[] = [];
    let carried: Float32Array = new Float32Array(first.length);
    for (let t = written.length - 1; t >= 0; t--) {
      const own = ofStates.subarray(t * first.length, (t + 1) * first.length);
      const { given, state } = this.#gru.backward(add(carried, own));
      ofWords.unshift(given);
      const { context } = written[t];
      const ofContext = this.#context.backward(context, given);
      add(ofContext, ofContexts.subarray(t * context.length, (t + 1) * context.length));
      carried = add(state, attending.backward(ofContext));
    }
    const ofWord = this.#word.backward(words, joined(ofWords));
    this.#embed.backward(tensor(ofWord, [ofWord.length / SIZE, SIZE]));
    const ofFirst = carried.map((value, i) => value * (1 - first[i] * first[i]));
    const ofLast = this.#begin.backward(read.last, ofFirst);
    this.#encoder.backward(read, attending.end(), ofLast);
    for (const part of [this.#begin, this.#word, this.#context, this.#gru, this.#output])
      part.gather();
  }

  #parts() {
    return [this.#begin, this.#word, this.#context, this.#gru, this.#looks, this.#output];
  }

  #embedCount(): number {
    return this.#embed.table.dims[0];
  }
}

/** An id for each time and batch. */
export function steps(length: number, batch: number, of: (t: number, b: number) => number) {
  return Int32Array.from({ length: length * batch }, (_, at) =>
    of(Math.floor(at / batch), at % batch),
  );
}
