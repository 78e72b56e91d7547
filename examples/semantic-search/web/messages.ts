// What the page and its worker say to each other.

import type { Inspection } from "../encoder";

export interface Question {
  readonly id: number;
  readonly text: string;
}

export type Message =
  | { readonly type: "progress"; readonly share: number }
  | { readonly type: "ready"; readonly build: string; readonly sentences: number }
  | { readonly type: "failed"; readonly reason: string }
  | {
      readonly type: "answer";
      readonly id: number;
      readonly ranking: readonly { sentence: string; score: number }[];
      readonly inspection: Inspection;
      readonly milliseconds: number;
    };
