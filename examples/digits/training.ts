// Learning the digits: batches in a shuffled order, the loss, its gradient, Adam.

import type { Attention, Tensor } from "wasm-attention";
import { Adam, lossOf, rateAt } from "../training/block";
import { type Random, shuffle } from "../training/random";
import { CLASSES, type DigitTransformer } from "./model";
import { type Digits, patchesOf } from "./patches";

/** Images at once where nothing is learnt. */
const MOST_AT_ONCE = 500;

export interface Course {
  readonly steps: number;
  /** Images of a step. */
  readonly batch: number;
  /** The highest rate of learning. */
  readonly rate: number;
}

export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Of this step's images, before it was made. */
  readonly loss: number;
}

/** Trains; stops after each step to say how it went. */
export function* train(
  attention: Attention<"blocks" | "positions" | "training">,
  model: DigitTransformer,
  digits: Digits,
  { steps, batch, rate }: Course,
  random: Random,
): Generator<Progress, void, void> {
  const adam = new Adam(model.parameters);
  const schedule = { steps, rate, warmUp: Math.ceil(steps / 20) };
  const order = Array.from({ length: digits.count }, (_, index) => index);
  let next = digits.count;
  for (let step = 0; step < steps; step++) {
    if (next + batch > digits.count) {
      shuffle(order, random);
      next = 0;
    }
    const indices = order.slice(next, next + batch);
    next += batch;
    const { logits } = model.forward(patchesOf(digits, indices), { record: true });
    const targets = Int32Array.from(indices, (index) => digits.labels[index]);
    const { loss, gradient } = lossOf(attention, logits, targets);
    model.backward(gradient);
    adam.step(rateAt(attention, step, schedule));
    model.update();
    yield { step: step + 1, loss };
  }
}

/** What the model takes each image for. */
export function recognise(model: DigitTransformer, digits: Digits, count = digits.count): number[] {
  return inParts(count, (indices) => {
    const { data } = model.forward(patchesOf(digits, indices)).logits;
    return indices.map((_, row) => {
      const logits = data.subarray(row * CLASSES, (row + 1) * CLASSES);
      return logits.indexOf(Math.max(...logits));
    });
  });
}

/** What the model has learnt of the first images: [count, 64]. */
export function represent(model: DigitTransformer, digits: Digits, count = digits.count): Tensor {
  const rows = inParts(count, (indices) => {
    const { data, dims } = model.forward(patchesOf(digits, indices)).representation;
    return indices.map((_, row) => data.subarray(row * dims[1], (row + 1) * dims[1]));
  });
  const size = rows[0].length;
  const data = new Float32Array(count * size);
  rows.forEach((row, at) => {
    data.set(row, at * size);
  });
  return { data, dims: [count, size] };
}

function inParts<T>(count: number, run: (indices: number[]) => T[]): T[] {
  const results: T[] = [];
  for (let from = 0; from < count; from += MOST_AT_ONCE) {
    const length = Math.min(MOST_AT_ONCE, count - from);
    results.push(...run(Array.from({ length }, (_, i) => from + i)));
  }
  return results;
}
