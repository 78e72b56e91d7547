// What is learnt of the scenes, and what is asked about those that nothing is learnt of.

import { type Random, seeded } from "../training/random";
import type { Example } from "./course";
import {
  ANSWERS,
  anyKind,
  ask,
  EVERY_WORD,
  KINDS,
  type Kind,
  ONE,
  type Question,
} from "./questions";
import { NONE, type Scene, type Scenes, SIDE } from "./scenes";
import { Words } from "./words";

export const WORDS = Words.of(EVERY_WORD);

/** Questions about a scene in a step. */
const AT_ONCE = 8;
/** Until so much of a course is done, nothing is asked: patches learn the words for what they show. */
const NAMED = 0.08;
/** Then scenes have two to four digits, later always four. */
const FOUR = 0.2;
/** For which a word has to find its digit: asked twice as often. */
const HARD: readonly Kind[] = ["next to", "where", "is there", "how many"];
const PRACTISED: readonly Kind[] = [...KINDS, ...HARD];

/** Patches along a side of a scene, and pixels along a side of a patch. */
const ACROSS = 8;
const PATCH = SIDE / ACROSS;
/** A pixel that is more ink than paper. */
const INK = 128;

/** The word for what each patch shows: the digit whose ink is there. */
export function namesOf({ pixels, digits }: Scene): number[] {
  return Array.from({ length: ACROSS * ACROSS }, (_, patch) => {
    const [row, column] = [Math.floor(patch / ACROSS), patch % ACROSS];
    const digit = digits[Math.floor((2 * row) / ACROSS) * 2 + Math.floor((2 * column) / ACROSS)];
    if (digit === NONE) return -1;
    for (let y = row * PATCH; y < (row + 1) * PATCH; y++)
      for (let x = column * PATCH; x < (column + 1) * PATCH; x++)
        if (pixels[y * SIDE + x] > INK) return WORDS.encode(ONE[digit])[0];
    return -1;
  });
}

export function numbered(scene: Scene, questions: readonly Question[]): Example {
  return {
    pixels: scene.pixels,
    names: namesOf(scene),
    questions: questions.map(({ text, answer }) => ({
      ids: WORDS.encode(text),
      answer: ANSWERS.indexOf(answer),
    })),
  };
}

/** A scene to learn from; `done` is how much of the course is over, from 0 to 1. */
export function lesson(scenes: Scenes, random: Random, done: number): Example {
  const count = done < FOUR ? 2 + random.below(3) : 4;
  const scene = scenes.draw(random, count);
  const questions = Array.from({ length: done < NAMED ? 0 : AT_ONCE }, () => {
    return ask(scene, PRACTISED[random.below(PRACTISED.length)], random);
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
