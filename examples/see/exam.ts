// The exam of the scenes: 2,000 questions about 500 scenes of handwriting that nothing was learnt of.

import { seeded } from "../training/random";
import { answer } from "./course";
import { Blind, byKind, percent, type Share, shareOf } from "./evaluation";
import { heldOut, numbered } from "./lessons";
import type { Reader } from "./look";
import { ANSWERS, anyKind, ask } from "./questions";
import type { Scenes } from "./scenes";

/** What train.ts writes down. */
export interface Report {
  readonly steps: number;
  readonly batch: number;
  readonly right: number;
  readonly of: number;
  readonly kinds: Readonly<Record<string, Share>>;
}

export interface Exam {
  readonly all: Share;
  /** To each question the answer that it has most often. */
  readonly blind: Share;
  readonly kinds: ReadonlyMap<string, Share>;
  /** In words. */
  readonly lines: readonly string[];
}

/** Questions that the blind answers are counted on. */
const COUNTED = 50_000;

export function examine({ model }: Pick<Reader, "model">, scenes: Scenes): Exam {
  const asked = heldOut(scenes);
  const guesses = answer(
    model,
    asked.map(({ scene, questions }) => numbered(scene, questions)),
  );
  const questions = asked.flatMap((of) => of.questions);
  const marks = questions.map(({ kind, answer }, i) => ({
    kind,
    right: ANSWERS[guesses[i]] === answer,
  }));
  const blindly = blindOf(scenes);
  const blind = questions.map(({ kind, text, answer }) => ({
    kind,
    right: blindly.answer(text) === answer,
  }));
  const [all, none, kinds] = [shareOf(marks), shareOf(blind), byKind(marks)];
  const lines = [
    `${percent(all)} of ${all.of.toLocaleString("en")} held-out questions about ${asked.length} scenes of the test images answered right`,
    `${percent(none)} without looking, by the answer that each question has most often`,
    ...[...kinds].map(([kind, share]) => {
      const example = questions.find((question) => question.kind === kind)?.text;
      return `  ${percent(share).padStart(8)} of ${share.of}  ${example}`;
    }),
  ];
  return { all, blind: none, kinds, lines };
}

function blindOf(scenes: Scenes): Blind {
  const random = seeded(11);
  return new Blind(
    Array.from({ length: COUNTED }, () => {
      const { text, answer } = ask(scenes.draw(random), anyKind(random), random);
      return [text, answer] as const;
    }),
  );
}
