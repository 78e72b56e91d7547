// What is learnt of the scenes, and what is asked about those that nothing is learnt of.

import { type Random, seeded } from "../training/random";
import type { Example } from "./course";
import { ANSWERS, anyKind, ask, EVERY_WORD, KINDS, type Kind, type Question } from "./questions";
import type { Scene, Scenes } from "./scenes";
import { Words } from "./words";

export const WORDS = Words.of(EVERY_WORD);

/** Questions about a scene in a step. */
const AT_ONCE = 8;
/** Where a course is so far, scenes no longer have one or two digits only; and then always four. */
const TWO = 0.1;
const FOUR = 0.4;
/** Until then three of ten questions more ask what is at a place: that teaches the digits. */
const BEGINNING = 0.15;
const PLAIN = 0.3;
/** What takes two looks is asked more often then. */
const HARD: readonly Kind[] = ["next to", "where"];
const PRACTISED: readonly Kind[] = [...KINDS, ...HARD];

export function numbered(scene: Scene, questions: readonly Question[]): Example {
  return {
    pixels: scene.pixels,
    questions: questions.map(({ text, answer }) => ({
      ids: WORDS.encode(text),
      answer: ANSWERS.indexOf(answer),
    })),
  };
}

/** A scene to learn from; `done` is how much of the course is over, from 0 to 1. */
export function lesson(scenes: Scenes, random: Random, done: number): Example {
  const count = done < FOUR ? 1 + random.below(done < TWO ? 2 : 4) : 4;
  const scene = scenes.draw(random, count);
  const questions = Array.from({ length: AT_ONCE }, () => {
    const plain = done < BEGINNING && random.uniform() < PLAIN;
    const kind = plain ? "what is at" : PRACTISED[random.below(PRACTISED.length)];
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
