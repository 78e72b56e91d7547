// What the page and its worker say to each other.

import type { CacheNumbers } from "wasm-attention/cache";
import type { Report } from "../evaluation";

/** To the worker. */
export type Wish =
  | { readonly type: "write"; readonly beginning: string }
  | { readonly type: "go on" }
  | { readonly type: "stop" }
  | { readonly type: "temperature"; readonly temperature: number }
  /** How keys and values are kept; a text goes on as it is. */
  | { readonly type: "numbers"; readonly numbers: CacheNumbers }
  /** Which pieces: from, and to before which. */
  | { readonly type: "look"; readonly from: number; readonly to: number };

/** From the worker. */
export type News =
  | {
      readonly type: "ready";
      readonly build: string;
      readonly parameters: number;
      readonly report: Report;
      readonly layers: number;
      readonly heads: number;
    }
  /** The beginning as pieces: a new text. */
  | { readonly type: "begun"; readonly pieces: readonly string[] }
  | {
      readonly type: "written";
      readonly pieces: readonly string[];
      /** Of the time that was spent writing them. */
      readonly milliseconds: number;
      /** Of keys and values, and the pages that they lie in. */
      readonly bytes: number;
      readonly pages: number;
    }
  | { readonly type: "stopped" }
  | {
      readonly type: "looked";
      readonly from: number;
      readonly to: number;
      /** Of each head of each layer [pieces up to `to`], the mean over the pieces that were asked for. */
      readonly weights: readonly Float32Array[];
    };
