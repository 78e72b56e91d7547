// Learning to answer: pictures with some questions each, the loss, its gradient, Adam.

import type { Attention, Tensor } from "wasm-attention";
import { Adam, lossOf, rateAt } from "../training/block";
import type { Random } from "../training/random";
import type { Seeing } from "./model";
import { acrossOf, type Cut, cutPatches, patchPixels } from "./patches";
import { pack } from "./rows";

/** A picture, and questions about it with the numbers of their answers. */
export interface Example {
  /** [side, side, channels] */
  readonly pixels: Uint8Array;
  readonly questions: readonly { readonly ids: readonly number[]; readonly answer: number }[];
}

export interface Course {
  readonly steps: number;
  /** Pictures of a step. */
  readonly batch: number;
  /** The highest rate of learning. */
  readonly rate: number;
}

/** Pictures as [pictures, patches, pixels]. */
export function patchesOf(pictures: readonly Uint8Array[], cut: Cut): Tensor {
  const dims = [pictures.length, acrossOf(cut) ** 2, patchPixels(cut)];
  const one = dims[1] * dims[2];
  const data = new Float32Array(dims[0] * one);
  pictures.forEach((pixels, at) => {
    cutPatches(pixels, cut, data.subarray(at * one, (at + 1) * one));
  });
  return { data, dims };
}

/** Trains on what `draw` gives; yields the loss of each step. */
export function* train(
  attention: Attention<"blocks" | "positions" | "training">,
  model: Seeing,
  draw: (random: Random) => Example,
  { steps, batch, rate }: Course,
  random: Random,
): Generator<number, void, void> {
  const adam = new Adam(model.parameters);
  const schedule = { steps, rate, warmUp: Math.ceil(steps / 20) };
  for (let step = 0; step < steps; step++) {
    const examples = Array.from({ length: batch }, () => draw(random));
    const { logits } = forward(model, examples, true);
    const answers = examples.flatMap(({ questions }) => questions.map(({ answer }) => answer));
    const { loss, gradient } = lossOf(attention, logits, Int32Array.from(answers));
    model.backward(gradient);
    adam.step(rateAt(attention, step, schedule));
    model.update();
    yield loss;
  }
}

/** The number of the likeliest answer to each question. */
export function answer(model: Seeing, examples: readonly Example[], atOnce = 64): number[] {
  const answers: number[] = [];
  for (let from = 0; from < examples.length; from += atOnce) {
    const { data, dims } = forward(model, examples.slice(from, from + atOnce), false).logits;
    for (let at = 0; at < data.length; at += dims[1]) {
      const logits = data.subarray(at, at + dims[1]);
      answers.push(logits.indexOf(Math.max(...logits)));
    }
  }
  return answers;
}

function forward(model: Seeing, examples: readonly Example[], record: boolean) {
  const pictures = examples.map(({ pixels }) => pixels);
  const asked = pack(examples.map(({ questions }) => questions.map(({ ids }) => ids)));
  return model.forward(patchesOf(pictures, model.shape.cut), asked, { record });
}
