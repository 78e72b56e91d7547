// Learning to answer: pictures with some questions each, the loss, its gradient, Adam.

import type { Attention, Tensor } from "wasm-attention";
import { Adam, lossOf, rateAt } from "../training/block";
import type { Random } from "../training/random";
import type { Seeing, Shape, Wanted } from "./model";
import { pack } from "./rows";

/** A picture, and questions about it with the numbers of their answers. */
export interface Example {
  /** [side, side, channels] */
  readonly pixels: Uint8Array;
  /** The word for what each patch shows, or −1 [patches]. */
  readonly names?: readonly number[];
  readonly questions: readonly { readonly ids: readonly number[]; readonly answer: number }[];
}

export interface Course {
  readonly steps: number;
  /** Pictures of a step. */
  readonly batch: number;
  /** The highest rate of learning. */
  readonly rate: number;
}

/** Bytes as numbers up to 2. */
const SCALE = 1 / 128;

/** Pictures as [pictures, side, side, channels]. */
export function picturesOf(pictures: readonly Uint8Array[], { side, channels }: Shape): Tensor {
  const dims = [pictures.length, side, side, channels];
  const one = side * side * channels;
  const data = new Float32Array(pictures.length * one);
  pictures.forEach((pixels, at) => {
    for (let i = 0; i < one; i++) data[at * one + i] = pixels[i] * SCALE;
  });
  return { data, dims };
}

/** Trains on what `draw` gives; yields the loss of each step. */
export function* train(
  attention: Attention<"blocks" | "positions" | "training">,
  model: Seeing,
  draw: (random: Random, done: number) => Example,
  { steps, batch, rate }: Course,
  random: Random,
): Generator<number, void, void> {
  const adam = new Adam(model.parameters);
  const schedule = { steps, rate, warmUp: Math.ceil(steps / 20) };
  for (let step = 0; step < steps; step++) {
    const examples = Array.from({ length: batch }, () => draw(random, step / steps));
    const loss = learn(attention, model, examples);
    adam.step(rateAt(attention, step, schedule));
    model.update();
    yield loss;
  }
}

/** Adds to the gradients; the loss of the answers, or of the names where nothing is asked. */
function learn(
  attention: Attention<"blocks">,
  model: Seeing,
  examples: readonly Example[],
): number {
  const named = Int32Array.from(examples.flatMap((example) => example.names ?? []));
  const naming = examples.every(({ names }) => names) && named.some((name) => name >= 0);
  const answers = examples.flatMap(({ questions }) => questions.map(({ answer }) => answer));
  if (answers.length === 0) {
    if (!naming) return 0;
    const pictures = examples.map(({ pixels }) => pixels);
    const names = lossOf(attention, model.name(picturesOf(pictures, model.shape)), named);
    model.nameBackward(names.gradient);
    return names.loss;
  }
  const { logits, names } = forward(model, examples, { record: true, names: naming });
  const { loss, gradient } = lossOf(attention, logits, Int32Array.from(answers));
  model.backward(gradient, names && lossOf(attention, names, named).gradient);
  return loss;
}

/** The number of the likeliest answer to each question. */
export function answer(model: Seeing, examples: readonly Example[], atOnce = 64): number[] {
  const answers: number[] = [];
  for (let from = 0; from < examples.length; from += atOnce) {
    const { data, dims } = forward(model, examples.slice(from, from + atOnce)).logits;
    for (let at = 0; at < data.length; at += dims[1]) {
      const logits = data.subarray(at, at + dims[1]);
      answers.push(logits.indexOf(Math.max(...logits)));
    }
  }
  return answers;
}

function forward(model: Seeing, examples: readonly Example[], wanted?: Wanted) {
  const pictures = examples.map(({ pixels }) => pixels);
  const asked = pack(examples.map(({ questions }) => questions.map(({ ids }) => ids)));
  return model.forward(picturesOf(pictures, model.shape), asked, wanted);
}
