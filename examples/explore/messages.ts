// What the page and its worker tell each other.

import type { Look, Picture } from "./models/model";

export type ModelName = "writer" | "sentences" | "digits" | "translator" | "speech";

export type Wish =
  | { readonly type: "load"; readonly model: ModelName }
  | {
      readonly type: "look";
      /** Given back with the answer. */
      readonly id: number;
      readonly model: ModelName;
      readonly input: string;
      readonly settings: readonly string[];
    };

export type News =
  | { readonly type: "ready"; readonly build: string }
  | {
      readonly type: "loaded";
      readonly model: ModelName;
      readonly settings: readonly string[];
      readonly beginning: string;
      readonly pictures?: readonly Picture[] | undefined;
      readonly across?: number | undefined;
    }
  | {
      readonly type: "looked";
      readonly id: number;
      readonly model: ModelName;
      /** One for each setting. */
      readonly looks: readonly Look[];
      readonly milliseconds: number;
    }
  | { readonly type: "refused"; readonly id: number; readonly reason: string };
