// Tokens as words, each with where in the sound it looked.

import type { Token } from "./listener";
import { timeOf } from "./sound";

export interface Word {
  readonly text: string;
  /** Weights over the frames of the sound, the mean of its tokens. */
  readonly look: Float32Array;
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
      return { text: textOf(group.map(({ id }) => id)), look, time: timeOf(peak(look)) };
    })
    .filter(({ text }) => text !== "");
}

function meanOf(rows: readonly Float32Array[]): Float32Array {
  return rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length);
}

/** The frame around which five have the most. */
function peak(look: Float32Array): number {
  let best = 0;
  let most = -1;
  for (let i = 0; i < look.length; i++) {
    const sum = look.subarray(Math.max(0, i - 2), i + 3).reduce((a, b) => a + b, 0);
    if (sum > most) {
      most = sum;
      best = i;
    }
  }
  return best;
}
