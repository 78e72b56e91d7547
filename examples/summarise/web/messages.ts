// What the page and its worker say to each other.

import type { Look } from "../attention";

/** To the worker. */
export interface Wish {
  readonly type: "summarise";
  readonly id: number;
  readonly text: string;
  readonly query: string | undefined;
  readonly sentences: number;
  /** Whether the trained pointer chooses. */
  readonly trained: boolean;
}

export interface Summarised {
  readonly type: "summary";
  readonly id: number;
  readonly sentences: readonly { readonly text: string; readonly paragraph: number }[];
  readonly words: number;
  readonly chosen: readonly number[];
  readonly received: readonly number[];
  readonly looks: readonly (readonly Look[])[];
  /** To embed the sentences, 0 where they were known, and to attend and choose. */
  readonly milliseconds: { readonly embedding: number; readonly attention: number };
}

/** From the worker. */
export type News =
  | { readonly type: "progress"; readonly share: number }
  | { readonly type: "ready"; readonly build: string }
  | { readonly type: "reading"; readonly id: number; readonly share: number }
  | Summarised;
