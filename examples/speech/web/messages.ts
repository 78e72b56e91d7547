// What the page and its worker say to each other.

import type { Spectrum } from "../spectrogram";
import type { Word } from "../words";

/** To the worker: a sound of 16 kHz, in place of the one before, which is left where it is. */
export interface Wish {
  readonly id: number;
  /** Where it begins, in seconds. */
  readonly at: number;
  readonly sound: Float32Array;
}

/** One piece of a sound, of at most 20 seconds. */
export interface Piece {
  /** Where it begins, and how long it is, in seconds. */
  readonly at: number;
  readonly seconds: number;
  readonly spectrum: Spectrum;
  readonly words: readonly Word[];
}

/** From the worker; `id` is that of the sound. */
export type News =
  | { readonly type: "progress"; readonly share: number }
  | { readonly type: "ready"; readonly build: string; readonly parameters: number }
  /** The text of the piece that is being heard. */
  | { readonly type: "said"; readonly id: number; readonly text: string }
  | { readonly type: "heard"; readonly id: number; readonly piece: Piece }
  /** Of the whole sound, and the time that was spent on it. */
  | {
      readonly type: "done";
      readonly id: number;
      readonly seconds: number;
      readonly milliseconds: number;
    };
