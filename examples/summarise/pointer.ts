// The trained summariser: an encoder and decoder that points at sentences, one after the other.
//
// A sentence is its embedding and the signals of summarise.ts → size → a block in which sentences attend to each
// other: the memory. A step reads what was pointed at before it (first the question, or the mean of the text)
// → a block that attends to the earlier steps and to the memory → a query. It points by one more attention,
// softmax(query · keyᵀ / √size + prior), over the sentences that were not pointed at yet; the prior is the score
// that a sentence has without any training. Its values are the unit matrix, so that its output is the weights, and
// the gradient of the loss, −ln of the right sentence's weight, goes back through them by attendBackward.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import { attendBackward } from "wasm-attention/training";
import { readSafetensors } from "wasm-attention/weights";
import { LayerNorm, type Parameter } from "../training/block";
import { Block, DecoderBlock, Linear } from "../training/layers";
import { type Random, seeded } from "../training/random";
import { writeSafetensors } from "../write/safetensors";
import type { Embedded, Look } from "./attention";
import type { Signals } from "./summarise";

type Trainable = Attention<"blocks" | "training">;

const EMBEDDING = 512;
/** Signals beside the embedding, and whether a row is where a step begins. */
const SIGNALS = 8;
const SIZE = 64;
const SHAPE = { size: SIZE, heads: 4, hidden: 64 };
/** An embedding has length 1: a small share of the input at first, or so few texts are learnt by heart. */
const EMBEDDED = 2;
const SCALE = 1 / Math.sqrt(SIZE);
const SURE = 1e-30;

export interface Pointed {
  /** In the order of the text. */
  readonly chosen: readonly number[];
  /** Of each step, where it looked, most first. */
  readonly looks: readonly (readonly Look[])[];
}

export class Pointer {
  readonly parameters: readonly Parameter[];
  readonly #attention: Trainable;
  readonly #input: Linear;
  readonly #start: Linear;
  readonly #encoder: Block;
  readonly #memoryNorm: LayerNorm;
  readonly #decoder: DecoderBlock;
  readonly #outputNorm: LayerNorm;
  readonly #query: Linear;
  readonly #key: Linear;

  constructor(attention: Trainable, random: Random) {
    const inputs = EMBEDDING + SIGNALS;
    this.#attention = attention;
    this.#input = new Linear(attention, inputs, SIZE, random);
    this.#start = new Linear(attention, EMBEDDING, SIZE, random);
    this.#encoder = new Block(attention, SHAPE, random);
    this.#memoryNorm = new LayerNorm(attention, SIZE, random);
    this.#decoder = new DecoderBlock(attention, SHAPE, random);
    this.#outputNorm = new LayerNorm(attention, SIZE, random);
    this.#query = new Linear(attention, SIZE, SIZE, random);
    this.#key = new Linear(attention, SIZE, SIZE, random);
    const parts = [
      ...[this.#input, this.#start, this.#encoder, this.#memoryNorm],
      ...[this.#decoder, this.#outputNorm, this.#query, this.#key],
    ];
    this.parameters = parts.flatMap(({ parameters }) => parameters);
  }

  static async read(attention: Trainable, bytes: Uint8Array): Promise<Pointer> {
    const file = await readSafetensors(bytes);
    const pointer = new Pointer(attention, seeded(1));
    for (const [i, { data }] of pointer.parameters.entries()) {
      data.set((await file.tensor(`${i}`)).data);
    }
    pointer.update();
    return pointer;
  }

  pack(): Uint8Array {
    const tensors = this.parameters.map(
      ({ data, dims }, i) => [`${i}`, { dtype: "F32", shape: dims, data }] as const,
    );
    return writeSafetensors({ tensors: new Map(tensors), metadata: {} });
  }

  /** The mean loss of pointing at `targets` in their order; the parameters' gradients are added to. */
  learn(signals: Signals, text: Embedded, targets: readonly number[]): number {
    const pass = this.#forward(signals, text, targets.slice(0, -1), true);
    const { weights, query, key, value, mask, logSumExp } = pass;
    const count = text.sentences.length;
    const gradient = new Float32Array(weights.data.length);
    let loss = 0;
    for (const [step, target] of targets.entries()) {
      const weight = Math.max(weights.data[step * count + target], SURE);
      loss -= Math.log(weight) / targets.length;
      gradient[step * count + target] = -1 / (weight * targets.length);
    }
    const back = attendBackward(
      this.#attention,
      {
        query,
        key,
        value,
        output: weights,
        logSumExp,
        outputGradient: tensor(gradient, weights.dims),
      },
      { scale: SCALE, mask },
    );
    const decoded = this.#outputNorm.backward(this.#query.backward(back.queryGradient));
    const decoder = this.#decoder.backward(batched(decoded));
    const memory = added(this.#key.backward(back.keyGradient), decoder.memory);
    const encoded = this.#encoder.backward(this.#memoryNorm.backward(batched(memory)));
    // A sentence is read by the encoder and, where it was pointed at, by the next step.
    const rows = encoded.data.slice();
    targets.slice(0, -1).forEach((target, step) => {
      for (let k = 0; k < SIZE; k++)
        rows[target * SIZE + k] += decoder.x.data[(step + 1) * SIZE + k];
    });
    this.#input.backward(tensor(rows, [count, SIZE]));
    this.#start.backward(tensor(decoder.x.data.slice(0, SIZE), [1, SIZE]));
    return loss;
  }

  /** Points at `steps` sentences, always the likeliest. */
  point(signals: Signals, text: Embedded, steps: number): Pointed {
    const count = text.sentences.length;
    const order: number[] = [];
    const looks: Look[][] = [];
    while (order.length < Math.min(steps, count)) {
      const { weights } = this.#forward(signals, text, order, false);
      const line = weights.data.subarray(order.length * count, (order.length + 1) * count);
      const ranked = Array.from(line, (weight, to) => ({ to, weight }));
      ranked.sort((a, b) => b.weight - a.weight || a.to - b.to);
      looks.push(ranked.slice(0, 8));
      order.push(ranked[0].to);
    }
    return { chosen: order.sort((a, b) => a - b), looks };
  }

  /** After the parameters have moved. */
  update(): void {
    for (const part of this.#prepared()) part.update();
  }

  dispose(): void {
    for (const part of this.#prepared()) part.dispose();
  }

  #prepared() {
    return [this.#input, this.#start, this.#encoder, this.#decoder, this.#query, this.#key];
  }

  /** One step more than was pointed at. */
  #forward(signals: Signals, text: Embedded, before: readonly number[], record: boolean) {
    const count = text.sentences.length;
    const steps = before.length + 1;
    const rows = this.#input.forward(rowsOf(signals, text));
    const start = this.#start.forward(startOf(signals, text));
    const memory = this.#memoryNorm.forward(
      this.#encoder.forward(batched(rows), { record }).output,
    );
    const read = new Float32Array(steps * SIZE);
    read.set(start.data);
    before.forEach((sentence, step) => {
      read.set(rows.data.subarray(sentence * SIZE, (sentence + 1) * SIZE), (step + 1) * SIZE);
    });
    const x = tensor(read, [1, steps, SIZE]);
    const decoded = this.#decoder.forward(x, memory, { causal: true, record }).output;
    const query = flat(this.#query.forward(this.#outputNorm.forward(flat(decoded))));
    const key = flat(this.#key.forward(flat(memory)));
    const value = unitMatrix(count);
    const mask = priorOf(signals, text, before);
    const options = { scale: SCALE, mask, logSumExp: true } as const;
    const { output, logSumExp } = this.#attention.attend(query, key, value, options);
    return { weights: output, logSumExp, query, key, value, mask };
  }
}

/** [sentences, 512 + 8] */
function rowsOf(signals: Signals, { sentences, embeddings }: Embedded): Tensor {
  const width = EMBEDDING + SIGNALS;
  const data = new Float32Array(sentences.length * width);
  const { attended, common, length, alike, talk, asked, scores } = signals;
  embeddings.forEach((embedding, i) => {
    for (let k = 0; k < EMBEDDING; k++) data[i * width + k] = EMBEDDED * embedding[k];
    const first = Math.log(1 + i) / Math.log(1 + sentences.length);
    const own = [
      attended[i],
      common[i],
      length[i],
      alike[i],
      scores[i] / 2,
      first,
      +talk,
      +!!asked,
    ];
    data.set(own, i * width + EMBEDDING);
  });
  return tensor(data, [sentences.length, width]);
}

/** [1, 512]: the question's embedding, or the mean of the text's. */
function startOf({ asked }: Signals, { embeddings }: Embedded): Tensor {
  const data = new Float32Array(EMBEDDING);
  const all = asked ? [asked] : embeddings;
  for (const each of all)
    for (let k = 0; k < EMBEDDING; k++) data[k] += (EMBEDDED * each[k]) / all.length;
  return tensor(data, [1, EMBEDDING]);
}

/** [steps, sentences]: the scores without training, and −∞ at what was pointed at. */
function priorOf({ scores }: Signals, { sentences }: Embedded, before: readonly number[]): Tensor {
  const count = sentences.length;
  const data = new Float32Array((before.length + 1) * count);
  for (let step = 0; step <= before.length; step++) {
    data.set(scores, step * count);
    for (const sentence of before.slice(0, step))
      data[step * count + sentence] = Number.NEGATIVE_INFINITY;
  }
  return tensor(data, [before.length + 1, count]);
}

function unitMatrix(size: number): Tensor {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return tensor(data, [size, size]);
}

const batched = ({ data, dims }: Tensor) => tensor(data, [1, ...dims.slice(-2)]);
const flat = ({ data, dims }: Tensor) => tensor(data, dims.slice(-2));

function added(x: Tensor, y: Tensor): Tensor {
  return { data: x.data.map((value, i) => value + y.data[i]), dims: x.dims };
}
