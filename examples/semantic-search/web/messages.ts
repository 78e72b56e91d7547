// What the page and its worker say to each other.

import type { Inspection } from "../encoder";

/** What the heads attend in. */
export type Numbers = "float32" | "int16" | "int8";

/** To the worker. */
export type Wish =
  | {
      readonly type: "question";
      readonly id: number;
      readonly text: string;
      readonly numbers: Numbers;
    }
  /** Sentences to search in instead, or the example's own again. */
  | { readonly type: "sentences"; readonly sentences: readonly string[] | undefined };

export interface Ranked {
  readonly sentence: string;
  /** From −1 to 1, 1 for the same meaning. */
  readonly score: number;
}

/** What float32 makes of the same question. */
export interface Beside {
  /** Whether its first sentence is the same. */
  readonly first: boolean;
  /** Sentences of the ranking that it has too. */
  readonly found: number;
  readonly milliseconds: number;
}

/** From the worker. */
export type News =
  | { readonly type: "progress"; readonly share: number }
  | { readonly type: "ready"; readonly build: string; readonly sentences: number }
  /** So many sentences have been read. */
  | { readonly type: "sentences"; readonly count: number }
  | {
      readonly type: "answer";
      readonly id: number;
      readonly ranking: readonly Ranked[];
      readonly inspection: Inspection;
      readonly milliseconds: number;
      readonly numbers: Numbers;
      /** Where the numbers are others. */
      readonly beside?: Beside | undefined;
    };
