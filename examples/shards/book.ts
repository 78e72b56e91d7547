// Sentences of Moby Dick with their chapters.

import { CHAPTERS, readChapter } from "../summarise/files";
import { sentencesOf } from "../summarise/text";

export interface Sentence {
  readonly text: string;
  /** From 0. */
  readonly chapter: number;
}

export const chapters = CHAPTERS;

/** The first so many. */
export function readSentences(most: number): Sentence[] {
  const found: Sentence[] = [];
  for (let chapter = 0; chapter < CHAPTERS && found.length < most; chapter++) {
    const sentences = sentencesOf(readChapter(chapter + 1));
    found.push(...sentences.map(({ text }) => ({ text, chapter })));
  }
  return found.slice(0, most);
}
