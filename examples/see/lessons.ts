// What is learnt of the scenes, and what is asked about those that nothing is learnt of.

import { type Random, seeded } from "../training/random";
import type { Example } from "./course";
import { ANSWERS, anyKind, ask, EVERY_WORD, type Question } from "./questions";
import type { Scene, Scenes } from "./scenes";
import { Words } from "./words";

export const WORDS = Words.of(EVERY_WORD);

/** Questions about a scene in a step. */
const AT_ONCE = 8;
/** In three of ten, what is at a place: that teaches what a digit looks like. */
const PLAIN = 0.3;

export function numbered(scene: Scene, questions: readonly Question[]): Example {
  return {
    pixels: scene.pixels,
    questions: questions.map(({ text, answer }) => ({
      ids: WORDS.encode(text),
      answer: ANSWERS.indexOf(answer),
    })),
  };
}

/** A scene to learn from. */
export function lesson(scenes: Scenes, random: Random): Example {
  const scene = scenes.draw(random);
  const questions = Array.from({ length: AT_ONCE }, () => {
    const kind = random.uniform() < PLAIN ? "what is at" : anyKind(random);
    return ask(scene, kind, random);
  });
  return numbered(scene, questions);
}

export interface HeldOut {
  readonly scene: Scene;
  readonly questions: readonly Question[];
}

/** The questions that are kept for testing: always the same. */
export function heldOut(scenes: Scenes, { count = 500, each = 4, seed = 7 } = {}): HeldOut[] {
  const random = seeded(seed);
  return Array.from({ length: count }, () => {
    const scene = scenes.draw(random);
    const questions = Array.from({ length: each }, () => ask(scene, anyKind(random), random));
    return { scene, questions };
  });
}
