// What the page and its worker say to each other.

import type { Report } from "../exam";
import type { Look } from "../look";
import type { Question } from "../questions";

/** To the worker. */
export type Wish =
  /** Another scene. */
  | { readonly type: "scene" }
  /** About the scene that is there. */
  | { readonly type: "ask"; readonly question: string };

/** From the worker. */
export type News =
  | {
      readonly type: "ready";
      readonly build: string;
      readonly parameters: number;
      readonly report: Report;
      /** Patches along a side. */
      readonly across: number;
    }
  | {
      readonly type: "scene";
      /** [64, 64], 255 is ink. */
      readonly pixels: Uint8Array;
      /** That can be asked about it, one of each kind, with what is right. */
      readonly questions: readonly Question[];
    }
  | {
      readonly type: "answered";
      readonly question: string;
      readonly look: Look;
      readonly milliseconds: number;
    }
  /** A question that cannot be asked, and why. */
  | { readonly type: "refused"; readonly reason: string };
