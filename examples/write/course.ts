// Learning to write: windows of the text, the loss of each next piece, its gradient, Adam.

import type { Attention } from "wasm-attention";
import { Adam, rateAt } from "../training/block";
import type { Random } from "../training/random";
import type { LanguageModel } from "./language-model";

export interface Course {
  readonly steps: number;
  /** Windows of a step, and pieces of each. */
  readonly batch: number;
  readonly length: number;
  /** The highest rate of learning. */
  readonly rate: number;
}

/** Trains on the pieces of a text; yields the loss of each step. */
export function* train(
  attention: Attention<"blocks" | "positions" | "training">,
  model: LanguageModel,
  pieces: Int32Array,
  { steps, batch, length, rate }: Course,
  random: Random,
): Generator<number, void, void> {
  const adam = new Adam(model.parameters);
  const schedule = { steps, rate, warmUp: Math.ceil(steps / 10) };
  for (let step = 0; step < steps; step++) {
    const ids = new Int32Array(batch * length);
    const targets = new Int32Array(batch * length);
    for (let row = 0; row < ids.length; row += length) {
      const from = random.below(pieces.length - length);
      ids.set(pieces.subarray(from, from + length), row);
      targets.set(pieces.subarray(from + 1, from + 1 + length), row);
    }
    const loss = model.learn(ids, targets, batch);
    adam.step(rateAt(attention, step, schedule));
    model.update();
    yield loss;
  }
}
