// Tokens as words, each with where in the sound it looked.

import type { Token } from "./listener";
import { HEADS } from "./shape";
import { timeOf } from "./sound";

export interface Word {
  readonly text: string;
  /** Weights over the frames of the sound, the mean of its tokens. */
  readonly look: Float32Array;
  /** The same of every head, of each layer [heads, frames]. */
  readonly looks: readonly Float32Array[];
  /** Seconds, where the most of its look is. */
  readonly time: number;
}

export interface Spelling {
  pieceOf(id: number): string;
  textOf(ids: readonly number[]): string;
}

export function wordsOf(tokens: readonly Token[], { pieceOf, textOf }: Spelling): readonly Word[] {
  const groups: Token[][] = [];
  for (const token of tokens) {
    if (groups.length === 0 || pieceOf(token.id).startsWith("▁")) groups.push([]);
    groups[groups.length - 1].push(token);
  }
  return groups
    .map((group) => {
      const look = meanOf(group.map(({ look }) => look));
      const looks = group[0].looks.map((_, layer) =>
        meanOf(group.map(({ looks }) => looks[layer])),
      );
      const text = textOf(group.map(({ id }) => id));
      return { text, look, looks, time: timeOf(peak(look)) };
    })
    .filter(({ text }) => text !== "");
}

/** Of every layer the words' looks [heads, words, frames], as <attention-view> takes them. */
export function mapsOf(words: readonly Word[]) {
  return words[0].looks.map((_, layer) => {
    const frames = words[0].look.length;
    const data = new Float32Array(HEADS * words.length * frames);
    words.forEach(({ looks }, row) => {
      for (let head = 0; head < HEADS; head++) {
        const look = looks[layer].subarray(head * frames, (head + 1) * frames);
        data.set(look, (head * words.length + row) * frames);
      }
    });
    return { data, dims: [HEADS, words.length, frames] };
  });
}

function meanOf(rows: readonly Float32Array[]): Float32Array {
  if (rows.length === 1) return rows[0];
  return rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length);
}

/** The frame around which there is the most, the nearer the more it counts. */
function peak(look: Float32Array): number {
  const at = (i: number) => look[i] ?? 0;
  let best = 0;
  let most = -1;
  for (let i = 0; i < look.length; i++) {
    const sum = 3 * at(i) + 2 * (at(i - 1) + at(i + 1)) + at(i - 2) + at(i + 2);
    if (sum > most) {
      most = sum;
      best = i;
    }
  }
  return best;
}
