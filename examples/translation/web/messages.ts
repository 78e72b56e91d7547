// What the page and its worker say to each other.

import type { Written } from "../train";

/** To the worker. */
export type Wish =
  | { readonly type: "look"; readonly number: number }
  | { readonly type: "run"; readonly running: boolean }
  | { readonly type: "restart" };

/** From the worker. */
export type News =
  | {
      readonly type: "ready";
      readonly build: string;
      readonly parameters: number;
      readonly pairs: number;
      readonly steps: number;
    }
  | {
      readonly type: "progress";
      /** How often it was begun anew. */
      readonly round: number;
      /** Losses of the steps since the last progress. */
      readonly losses: readonly number[];
      readonly milliseconds: number;
    }
  | {
      readonly type: "look";
      readonly number: number;
      readonly source: string;
      /** What the model writes, and whether it is `target`. */
      readonly written: Written;
      readonly right: boolean;
      readonly target: string;
    }
  /** Of so many held-out numbers, those exactly right. */
  | { readonly type: "match"; readonly right: number; readonly of: number }
  | { readonly type: "done" };
