// What is learnt of easy-VQA: first patches learn the words for what they show, then questions are asked.
//
// Until then four pictures are laid into one, a quarter each (a mosaic: Bochkovskiy et al. 2020): most of a
// picture is paper, and so four shapes are seen in the time of one.

import { type Random, shuffle } from "../training/random";
import type { Example } from "./course";
import { CHANNELS, type EasyVqa, numbered, type Pictured, SIDE } from "./easy-vqa";
import { wordsOf } from "./words";

/** Questions about a picture in a step. */
const AT_ONCE = 6;
/** Until so much of a course is done, nothing is asked. */
const NAMED = 0.45;
/** Patches along a side of a picture, and pixels along a side of a patch. */
const ACROSS = 8;
const PATCH = SIDE / ACROSS;
/** Of a mosaic: every shape fits, but for a pixel of the largest. */
const HALF = SIDE / 2;
/** A channel that is another than paper's; of every colour one is. */
const INK = 64;

/** Something to learn from; `done` is how much of the course is over, from 0 to 1. */
export function draw(task: EasyVqa, random: Random, done: number): Example {
  return done < NAMED ? mosaic(task, random) : asked(task, random);
}

/** Some questions about one of the pictures. */
function asked({ training, ...task }: EasyVqa, random: Random): Example {
  const { pixels, questions } = drawn(training, random);
  const shown = shownBy(questions, task);
  const some = shuffle([...questions], random).slice(0, AT_ONCE);
  return {
    pixels,
    names: namesOf(pixels, () => shown, random),
    questions: numbered(some, task),
  };
}

/** Four of the pictures in one, of which nothing is asked. */
function mosaic({ training, ...task }: EasyVqa, random: Random): Example {
  const pixels = new Uint8Array(SIDE * SIDE * CHANNELS);
  const shown = [0, 1, 2, 3].map((quarter) => {
    const picture = drawn(training, random);
    lay(picture.pixels, windowOf(picture.pixels, random), pixels, quarter);
    return shownBy(picture.questions, task);
  });
  return { pixels, names: namesOf(pixels, (quarter) => shown[quarter], random), questions: [] };
}

/** One of the pictures, as it is or mirrored: no question is about sides. */
function drawn(training: readonly Pictured[], random: Random): Pictured {
  const { pixels, questions } = training[random.below(training.length)];
  return { pixels: random.below(2) ? mirrored(pixels) : pixels, questions };
}

/** The words for what a picture shows: answers that stand in, or under, a question that is not for yes or no. */
export function shownBy(
  questions: Pictured["questions"],
  { words, answers }: Pick<EasyVqa, "words" | "answers">,
): number[] {
  const open = questions.filter(([, answer]) => answer !== "yes" && answer !== "no");
  const said = new Set(open.flatMap(([text, answer]) => [...wordsOf(text), answer]));
  const ids = answers.filter((name) => said.has(name)).map((name) => words.names.indexOf(name));
  return ids.filter((id) => id >= 0);
}

/** Of each patch with ink one of the words for what its quarter shows, or −1. */
function namesOf(
  pixels: Uint8Array,
  shownIn: (quarter: number) => readonly number[],
  random: Random,
): number[] {
  return Array.from({ length: ACROSS * ACROSS }, (_, patch) => {
    const [row, column] = [Math.floor(patch / ACROSS), patch % ACROSS];
    const shown = shownIn(Math.floor((2 * row) / ACROSS) * 2 + Math.floor((2 * column) / ACROSS));
    const ink = shown.length > 0 && inked(pixels, row * PATCH, column * PATCH);
    return ink ? shown[random.below(shown.length)] : -1;
  });
}

function inked(pixels: Uint8Array, top: number, left: number): boolean {
  for (let y = top; y < top + PATCH; y++) {
    const row = (y * SIDE + left) * CHANNELS;
    for (let at = row; at < row + PATCH * CHANNELS; at++) if (pixels[at] > INK) return true;
  }
  return false;
}

/** Where a window of half the side begins that the shape lies in: one of those places. */
export function windowOf(pixels: Uint8Array, random: Random): readonly [top: number, left: number] {
  let [top, bottom, left, right] = [SIDE, 0, SIDE, 0];
  for (let at = 0; at < pixels.length; at++) {
    if (pixels[at] <= INK) continue;
    const place = Math.floor(at / CHANNELS);
    const [y, x] = [Math.floor(place / SIDE), place % SIDE];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
  }
  const begin = (first: number, last: number) => {
    const from = Math.max(0, last + 1 - HALF);
    return from + random.below(Math.max(0, Math.min(first, HALF) - from) + 1);
  };
  return [begin(top, bottom), begin(left, right)];
}

/** A window of a picture, into a quarter of another. */
export function lay(
  pixels: Uint8Array,
  [top, left]: readonly [top: number, left: number],
  into: Uint8Array,
  quarter: number,
): void {
  const [row, column] = [Math.floor(quarter / 2) * HALF, (quarter % 2) * HALF];
  for (let y = 0; y < HALF; y++) {
    const from = ((top + y) * SIDE + left) * CHANNELS;
    const to = ((row + y) * SIDE + column) * CHANNELS;
    into.set(pixels.subarray(from, from + HALF * CHANNELS), to);
  }
}

/** Left is right. */
export function mirrored(pixels: Uint8Array): Uint8Array {
  const result = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += CHANNELS) {
    const x = (at / CHANNELS) % SIDE;
    const from = at + (SIDE - 1 - 2 * x) * CHANNELS;
    for (let channel = 0; channel < CHANNELS; channel++)
      result[at + channel] = pixels[from + channel];
  }
  return result;
}
