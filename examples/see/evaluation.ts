// How many questions are answered right, kind by kind, beside what an answer without looking has.

export interface Share {
  readonly right: number;
  readonly of: number;
}

/** A question that was answered. */
export interface Marked {
  readonly kind: string;
  readonly right: boolean;
}

export const shareOf = (marks: readonly Marked[]): Share => ({
  right: marks.filter(({ right }) => right).length,
  of: marks.length,
});

/** In the order in which the kinds come. */
export function byKind(marks: readonly Marked[]): Map<string, Share> {
  const kinds = new Map<string, Marked[]>();
  for (const mark of marks) {
    const same = kinds.get(mark.kind);
    if (same) same.push(mark);
    else kinds.set(mark.kind, [mark]);
  }
  return new Map([...kinds].map(([kind, same]) => [kind, shareOf(same)]));
}

/** Of questions with their answers: to each question the answer it has most often. */
export class Blind {
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(questions: Iterable<readonly [question: string, answer: string]>) {
    for (const [question, answer] of questions) {
      const answers = this.#counts.get(question) ?? new Map<string, number>();
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      this.#counts.set(question, answers);
    }
  }

  /** Undefined for a question that was not among them. */
  answer(question: string): string | undefined {
    const answers = [...(this.#counts.get(question) ?? [])];
    return answers.sort(([, a], [, b]) => b - a)[0]?.[0];
  }
}

export const percent = ({ right, of }: Share) => `${((100 * right) / of).toFixed(2)} %`;
