// What the page can ask of every model.

import { int8, int16, type Precision } from "wasm-attention/integers";
import type { AttentionMaps } from "wasm-attention/view";

/** How the heads attend while a text is read, by name; the first is how the model was trained. */
export type Settings<How> = Readonly<Record<string, How>>;

/** Heads as they were trained, but for the numbers in which they attend. */
export const IN_INTEGERS: Settings<{ readonly precision: Precision }> = {
  "attention in int16": { precision: int16 },
  "attention in int8": { precision: int8 },
};

export interface Look {
  readonly maps: AttentionMaps;
  /** What the model made of it, in words. */
  readonly says: string;
}

/** One of those to choose from, instead of a text. */
export interface Picture {
  /** [height, width], 0 is paper and 255 is ink. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly name: string;
}

export interface Explored {
  /** Names of the settings. */
  readonly settings: readonly string[];
  readonly beginning: string;
  readonly pictures?: readonly Picture[];
  /** Patches along a side of a picture, where they are what the model looks at. */
  readonly across?: number;
  /** `input` is a text, or the number of a picture. */
  look(input: string, setting: string): Look;
}

/** The setting of that name. */
export function settingOf<How>(settings: Settings<How>, name: string): How {
  const found = settings[name];
  if (found === undefined) throw new Error(`There is no setting "${name}".`);
  return found;
}

export const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;
