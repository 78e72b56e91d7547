// easy-VQA (vzhou842/easy-VQA): pictures of one shape in one colour, questions in English, 13 answers.
//
// A folder has `questions.jsonl`, a line a picture: { offset, bytes, questions: [[question, answer], ...] };
// `images.bin`, the PNG files one after another; and `answers.json`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import type { Example } from "./course";
import { Words } from "./words";

export const SIDE = 64;
export const CHANNELS = 3;
/** Pictures of the folder's end that are not trained on, where there is no other folder to test with. */
const KEPT = 400;

export interface Pictured {
  /** [64, 64, 3], 0 is white. */
  readonly pixels: Uint8Array;
  readonly questions: readonly (readonly [question: string, answer: string])[];
}

export function readPictures(folder: string): Pictured[] {
  const images = readFileSync(join(folder, "images.bin"));
  const lines = readFileSync(join(folder, "questions.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const { offset, bytes, questions } = JSON.parse(line);
    return { pixels: pixelsOf(images.subarray(offset, offset + bytes)), questions };
  });
}

function pixelsOf(file: Buffer): Uint8Array {
  const { width, height, data } = PNG.sync.read(file);
  if (width !== SIDE || height !== SIDE) throw new Error(`a picture of ${width} × ${height}`);
  const pixels = new Uint8Array(width * height * CHANNELS);
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = 255 - data[Math.floor(i / CHANNELS) * 4 + (i % CHANNELS)];
  return pixels;
}

export interface EasyVqa {
  readonly words: Words;
  /** 13, or what the folder's list says. */
  readonly answers: readonly string[];
  readonly training: readonly Pictured[];
  readonly heldOut: readonly Pictured[];
}

/** Trained on one folder; tested on another, or on the pictures at the end of the first. */
export function readEasyVqa(folder: string, test?: string): EasyVqa {
  const all = readPictures(folder);
  const training = test === undefined ? all.slice(0, -KEPT) : all;
  const heldOut = test === undefined ? all.slice(-KEPT) : readPictures(test);
  const answers: string[] = JSON.parse(readFileSync(join(folder, "answers.json"), "utf8"));
  const words = Words.of(training.flatMap(({ questions }) => questions.map(([text]) => text)));
  return { words, answers, training, heldOut };
}

export function numbered(
  questions: Pictured["questions"],
  { words, answers }: Pick<EasyVqa, "words" | "answers">,
): Example["questions"] {
  return questions.map(([text, answer]) => ({
    ids: words.encode(text),
    answer: answers.indexOf(answer),
  }));
}
