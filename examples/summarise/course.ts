// Learning to point: texts in a shuffled order, the loss of each right sentence, its gradient, Adam.

import type { Attention } from "wasm-attention";
import { Adam, rateAt } from "../training/block";
import { type Random, shuffle } from "../training/random";
import type { Embedded } from "./attention";
import type { Pointer } from "./pointer";
import type { Signals } from "./summarise";

export interface Lesson {
  readonly text: Embedded;
  readonly signals: Signals;
  /** The right sentences, the best first. */
  readonly targets: readonly number[];
}

export interface Course {
  readonly steps: number;
  /** Texts of a step. */
  readonly batch: number;
  /** The highest rate of learning. */
  readonly rate: number;
}

/** Yields the mean loss of each step. */
export function* train(
  attention: Attention<"positions">,
  pointer: Pointer,
  lessons: readonly Lesson[],
  { steps, batch, rate }: Course,
  random: Random,
): Generator<number, void, void> {
  const adam = new Adam(pointer.parameters);
  const schedule = { steps, rate, warmUp: Math.ceil(steps / 10) };
  let left: Lesson[] = [];
  for (let step = 0; step < steps; step++) {
    let loss = 0;
    for (let i = 0; i < batch; i++) {
      if (left.length === 0) left = shuffle([...lessons], random);
      const { signals, text, targets } = left.pop() as Lesson;
      loss += pointer.learn(signals, text, targets) / batch;
    }
    for (const { gradient } of pointer.parameters)
      for (let i = 0; i < gradient.length; i++) gradient[i] /= batch;
    adam.step(rateAt(attention, step, schedule));
    pointer.update();
    yield loss;
  }
}
