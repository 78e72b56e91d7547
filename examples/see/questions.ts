// What can be asked about four digits, in words, and what is right.

import type { Random } from "../training/random";
import { NONE, type Scene } from "./scenes";

export const ONE = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const MANY = ONE.map((name) => (name === "six" ? "sixes" : name === "zero" ? "zeros" : `${name}s`));
const PLACES = ["top left", "top right", "bottom left", "bottom right"];

export const ANSWERS: readonly string[] = [...ONE, "yes", "no", "nothing", ...PLACES];

/** A side, the step there along rows and columns, and how it is said. */
const SIDES = [
  { text: "above", row: -1, column: 0 },
  { text: "below", row: 1, column: 0 },
  { text: "left of", row: 0, column: -1 },
  { text: "right of", row: 0, column: 1 },
] as const;

export interface Question {
  readonly kind: Kind;
  readonly text: string;
  readonly answer: string;
}

export const KINDS = ["next to", "how many", "is there", "where", "what is at", "largest"] as const;
export type Kind = (typeof KINDS)[number];

type Digits = Scene["digits"];

const nameOf = (digit: number): string => (digit === NONE ? "nothing" : ONE[digit]);
const present = (digits: Digits) => digits.filter((digit) => digit !== NONE);
type Asked = Omit<Question, "kind">;

const pick = <T>(items: readonly T[], random: Random): T => items[random.below(items.length)];

/** Digits that a scene has once only. */
const single = (digits: Digits) =>
  present(digits).filter((digit) => digits.indexOf(digit) === digits.lastIndexOf(digit));

/** One that is there twice out of three times. */
const oneOf = (digits: Digits, random: Random) =>
  random.below(3) < 2 ? pick(present(digits), random) : random.below(10);

/** What is next to the quarter on this side: a digit, or nothing. */
export function beside(digits: Digits, quarter: number, side: (typeof SIDES)[number]): string {
  const [row, column] = [(quarter >> 1) + side.row, (quarter & 1) + side.column];
  const inside = row >= 0 && row < 2 && column >= 0 && column < 2;
  return inside ? nameOf(digits[row * 2 + column]) : "nothing";
}

/** Undefined where a scene has no digit that could be meant. */
const ASK: Record<Kind, (digits: Digits, random: Random) => Asked | undefined> = {
  "next to": (digits, random) => {
    const singles = single(digits);
    if (singles.length === 0) return undefined;
    const digit = pick(singles, random);
    const quarter = digits.indexOf(digit);
    // Three times of four something is there.
    const something = random.below(4) > 0;
    const sides = SIDES.filter(
      (side) => (beside(digits, quarter, side) !== "nothing") === something,
    );
    const side = pick(sides.length > 0 ? sides : SIDES, random);
    return {
      text: `what is ${side.text} the ${ONE[digit]}?`,
      answer: beside(digits, quarter, side),
    };
  },
  "how many": (digits, random) => {
    const digit = oneOf(digits, random);
    const count = digits.filter((other) => other === digit).length;
    return { text: `how many ${MANY[digit]}?`, answer: ONE[count] };
  },
  "is there": (digits, random) => {
    const there = random.below(2) === 0;
    const absent = ONE.map((_, digit) => digit).filter((digit) => !digits.includes(digit));
    const name = ONE[pick(there ? present(digits) : absent, random)];
    const article = name === "eight" ? "an" : "a";
    return { text: `is there ${article} ${name}?`, answer: there ? "yes" : "no" };
  },
  where: (digits, random) => {
    const singles = single(digits);
    if (singles.length === 0) return undefined;
    const digit = pick(singles, random);
    return { text: `where is the ${ONE[digit]}?`, answer: PLACES[digits.indexOf(digit)] };
  },
  "what is at": (digits, random) => {
    const quarter = random.below(4);
    return { text: `what is at the ${PLACES[quarter]}?`, answer: nameOf(digits[quarter]) };
  },
  largest: (digits, random) => {
    const all = present(digits);
    const [text, digit] =
      random.below(2) === 0 ? ["largest", Math.max(...all)] : ["smallest", Math.min(...all)];
    return { text: `what is the ${text} digit?`, answer: ONE[digit] };
  },
};

/** A question of a kind, or of another where a scene has no answer to it. */
export function ask(scene: Scene, kind: Kind, random: Random): Question {
  const asked = ASK[kind](scene.digits, random);
  return asked ? { kind, ...asked } : ask(scene, "what is at", random);
}

/** One of each kind, and none twice. */
export function askEach(scene: Scene, random: Random): Question[] {
  const asked = KINDS.map((kind) => ask(scene, kind, random));
  return [...new Map(asked.map((question) => [question.text, question])).values()];
}

export const anyKind = (random: Random): Kind => pick(KINDS, random);

/** One of each form of question and each word. */
export const EVERY_WORD: readonly string[] = [
  ...SIDES.map(({ text }) => `what is ${text} the?`),
  "how many s?",
  ...ONE.map((name) => `is there a ${name}?`),
  ...PLACES.map((place) => `where is the, what is at the ${place}?`),
  "what is the largest, smallest digit, an?",
];

/** Digits that a text names, as one or as many. */
export const digitsNamed = (text: string): number[] =>
  ONE.flatMap((name, digit) =>
    text
      .toLowerCase()
      .match(/\p{L}+/gu)
      ?.some((word) => word === name || word === MANY[digit])
      ? [digit]
      : [],
  );
