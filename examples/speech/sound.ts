// Sound as Moonshine hears it: one channel of 16 kHz, in pieces of at most 20 seconds that are cut where it is
// quiet.

export const RATE = 16000;
/** Samples from one frame of the encoder to the next: the strides of its convolutions, 64 · 3 · 2. */
export const HOP = 384;
/** Samples that a frame sees: 127 + 64 · 6 + 192 · 2. */
export const FIELD = 895;

/** Frames of silence before and after a sound: words at its very edges are heard better so. */
export const EDGE = 4;

const LONGEST = 20 * RATE;
const WINDOW = RATE / 10;

/** Seconds at the middle of a frame. */
export const timeOf = (frame: number): number => (frame * HOP + FIELD / 2) / RATE;

export interface Piece {
  /** Where it begins, in seconds. */
  readonly at: number;
  readonly samples: Float32Array;
}

/** The sound with silence around it. */
export function padded(sound: Float32Array): Float32Array {
  const wide = new Float32Array(sound.length + 2 * EDGE * HOP);
  wide.set(sound, EDGE * HOP);
  return wide;
}

/** From half the longest length on, the quietest tenth of a second is where a piece ends. */
export function cut(sound: Float32Array): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  while (sound.length - from > LONGEST) {
    const to = quietest(sound, from + LONGEST / 2, from + LONGEST);
    pieces.push({ at: from / RATE, samples: sound.subarray(from, to) });
    from = to;
  }
  if (from < sound.length) pieces.push({ at: from / RATE, samples: sound.subarray(from) });
  return pieces;
}

/** Root of the mean square of so many equal parts. */
export function loudness(sound: Float32Array, parts: number): Float32Array {
  return Float32Array.from({ length: parts }, (_, part) => {
    const edge = (part: number) => Math.floor((part * sound.length) / parts);
    return Math.sqrt(power(sound, edge(part), Math.max(edge(part + 1), edge(part) + 1)));
  });
}

function quietest(sound: Float32Array, from: number, to: number): number {
  let best = from;
  let least = Number.POSITIVE_INFINITY;
  for (let at = from; at + WINDOW <= to; at += WINDOW / 2) {
    const here = power(sound, at, at + WINDOW);
    if (here < least) {
      least = here;
      best = at + WINDOW / 2;
    }
  }
  return best;
}

function power(sound: Float32Array, from: number, to: number): number {
  let squares = 0;
  for (let i = from; i < to; i++) squares += sound[i] * sound[i];
  return squares / (to - from);
}
