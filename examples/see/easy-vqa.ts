// easy-VQA (vzhou842/easy-VQA): pictures of one shape in one colour, questions in English, 13 answers.
//
// A folder has `questions.jsonl`, a line a picture: { offset, bytes, questions: [[question, answer], ...] };
// `images.bin`, the PNG files one after another; and `answers.json`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { type Random, shuffle } from "../training/random";
import type { Example } from "./course";
import { Words } from "./words";

export const SIDE = 64;
export const CHANNELS = 3;
/** Pictures of the folder's end that are not trained on, where there is no other folder to test with. */
const KEPT = 400;
/** Questions about a picture in a step. */
const AT_ONCE = 6;
/** Until so much of a course is done, nothing is asked: patches learn the words for what they show. */
const NAMED = 0.1;
/** Patches along a side of a picture, and pixels along a side of a patch. */
const ACROSS = 8;
const PATCH = SIDE / ACROSS;
/** A channel that is another than paper's; of every colour one is. */
const INK = 64;

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

/**
 * Some questions about one of the pictures, mirrored or turned: no question is about sides. `done` is how much of
 * the course is over, from 0 to 1.
 */
export function draw({ training, ...task }: EasyVqa, random: Random, done: number): Example {
  const { pixels: upright, questions } = training[random.below(training.length)];
  const pixels = turned(upright, random.below(8));
  const shown = shownBy(questions, task.words);
  const some = done < NAMED ? [] : shuffle([...questions], random).slice(0, AT_ONCE);
  return {
    pixels,
    names: inked(pixels).map((ink) =>
      ink && shown.length ? shown[random.below(shown.length)] : -1,
    ),
    questions: numbered(some, task),
  };
}

/** The words for what a picture shows, its shape and its colour: answers that questions have among their words. */
function shownBy(questions: Pictured["questions"], { names }: Words): readonly number[] {
  const ids = questions.map(([, answer]) => names.indexOf(answer));
  return [...new Set(ids)].filter((id) => id >= 0);
}

/** Whether there is ink in each patch. */
function inked(pixels: Uint8Array): boolean[] {
  return Array.from({ length: ACROSS * ACROSS }, (_, patch) => {
    const [top, left] = [Math.floor(patch / ACROSS) * PATCH, (patch % ACROSS) * PATCH];
    for (let y = top; y < top + PATCH; y++) {
      const row = (y * SIDE + left) * CHANNELS;
      for (let at = row; at < row + PATCH * CHANNELS; at++) if (pixels[at] > INK) return true;
    }
    return false;
  });
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

/** One of the eight ways to lay a square: bits for rows, columns and the diagonal. */
export function turned(pixels: Uint8Array, way: number): Uint8Array {
  const result = new Uint8Array(pixels.length);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [row, column] = way & 4 ? [x, y] : [y, x];
      const fromRow = way & 1 ? SIDE - 1 - row : row;
      const fromColumn = way & 2 ? SIDE - 1 - column : column;
      const from = (fromRow * SIDE + fromColumn) * CHANNELS;
      const to = (y * SIDE + x) * CHANNELS;
      for (let channel = 0; channel < CHANNELS; channel++) {
        result[to + channel] = pixels[from + channel];
      }
    }
  }
  return result;
}
