// Each form of a model: its bytes, its time, and what it still gets right.

import type { Attention } from "wasm-attention";
import type { DigitTransformer } from "../digits/model";
import type { Digits } from "../digits/patches";
import { nearest } from "../semantic-search/agreement";
import type { SentenceEncoder } from "../semantic-search/encoder";
import { SmallDigits } from "./digits";
import { FORMS, type Form } from "./forms";
import type { Row } from "./table";

type Engine = Attention<"blocks" | "positions" | "quantized" | "training">;

/** Images at once. */
const BATCH = 250;

/** Middle of some runs, in milliseconds. */
function time(run: () => unknown, rounds: number): number {
  const times = Array.from({ length: rounds }, () => {
    const begin = performance.now();
    run();
    return performance.now() - begin;
  });
  return times.sort((a, b) => a - b)[rounds >> 1] as number;
}

const shareOf = (count: number, is: (index: number) => boolean) =>
  Array.from({ length: count }, (_, index) => index).filter(is).length / count;

/** `order`: heads of each block, those first that can go. */
export function measureDigits(
  attention: Engine,
  model: DigitTransformer,
  digits: Digits,
  { order, images, rounds = 3 }: { order: number[][]; images: number; rounds?: number },
  forms: readonly Form[] = FORMS,
): Row[] {
  let first: number[] | undefined;
  return forms.map((form) => {
    const { used } = attention.memory;
    const small = new SmallDigits(attention, model, form, order);
    const bytes = attention.memory.used - used;
    const guesses: number[] = [];
    for (let from = 0; from < images; from += BATCH) {
      const count = Math.min(BATCH, images - from);
      guesses.push(
        ...small.recognise(
          digits,
          Array.from({ length: count }, (_, i) => from + i),
        ),
      );
    }
    const some = Array.from({ length: BATCH }, (_, i) => i);
    const milliseconds = time(() => small.recognise(digits, some), rounds);
    small.dispose();
    first ??= guesses;
    const float = first;
    return {
      name: form.name,
      bytes,
      milliseconds,
      right: shareOf(images, (i) => guesses[i] === digits.labels[i]),
      agreed: shareOf(images, (i) => guesses[i] === float[i]),
    };
  });
}

/** Forms in which the sentence encoder is tried. */
export const ENCODER_FORMS = FORMS.filter(({ pruned }) => !pruned);

/** What each question finds first; right is what float32 finds, agreed its five best. */
export async function measureSearch(
  attention: Engine,
  load: (form: Form) => Promise<SentenceEncoder>,
  { questions, sentences }: { questions: readonly string[]; sentences: readonly string[] },
  { rounds = 3, forms = ENCODER_FORMS }: { rounds?: number; forms?: readonly Form[] } = {},
): Promise<Row[]> {
  const rows: Row[] = [];
  let first: number[][] | undefined;
  for (const form of forms) {
    const { used } = attention.memory;
    const encoder = await load(form);
    const bytes = attention.memory.used - used;
    const found = encoder.encode(sentences);
    const best = encoder.encode(questions).map((asked) => nearest(asked, found, 5));
    first ??= best;
    const float = first;
    const milliseconds = time(() => encoder.encode(sentences), rounds);
    encoder.dispose();
    const kept = best.map((five, q) => five.filter((index) => float[q]?.includes(index)).length);
    rows.push({
      name: form.name,
      bytes,
      milliseconds,
      right: shareOf(questions.length, (q) => best[q]?.[0] === float[q]?.[0]),
      agreed: kept.reduce((sum, count) => sum + count, 0) / (5 * questions.length),
    });
  }
  return rows;
}
