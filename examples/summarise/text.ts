// A text as sentences, and sentences as words.

export interface Sentence {
  readonly text: string;
  /** In lower case; letters and digits of any script. */
  readonly words: readonly string[];
  /** Which paragraph of the text it stands in, from 0. */
  readonly paragraph: number;
}

/** "1 word", "1,008 words". */
export const counted = (n: number, what: string) =>
  `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
const ENDED = /[.!?…:]["'”’)\]]*\s*$/u;
/** A hyphen at the end of a line, between small letters. */
const BROKEN_WORD = /(?<=\p{Ll})-\s*\n\s*(?=\p{Ll})/gu;
const SPEAKER = /^\p{Lu}[^!?:]{0,60}:\s/u;
/** The end of a segment that no sentence ends with. */
const ABBREVIATED =
  /\b(?:Mrs?|Ms|Dr|Prof|Hon|St|Rev|Capt|Gen|Sen|vs|e\.g|i\.e|et al|Figs?|Nos?|\p{Lu})\.\s*$/u;
/** Of a line of text that was broken to a width. */
const WIDTH = 120;

export const wordsOf = (text: string): string[] =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu) ?? [];

/** Every sentence that has a word in it; a blank line, or a line that ends, begins a paragraph. */
export function sentencesOf(text: string): Sentence[] {
  return paragraphsOf(text).flatMap((lines, paragraph) =>
    segmentsOf(lines)
      .map((text) => ({ text, words: wordsOf(text), paragraph }))
      .filter(({ words }) => words.length > 0),
  );
}

function segmentsOf(paragraph: string): string[] {
  const segments: string[] = [];
  let begun = "";
  for (const { segment } of segmenter.segment(paragraph)) {
    begun += segment;
    if (ABBREVIATED.test(begun)) continue;
    segments.push(begun.trim());
    begun = "";
  }
  return begun ? [...segments, begun.trim()] : segments;
}

/** Of a text whose lines were broken to a width, what stands between blank lines; of another, its lines. */
function paragraphsOf(text: string): string[] {
  const lines = text.split(/\r?\n/u);
  if (!isWrapped(lines)) return lines.filter((line) => line.trim());
  return text
    .split(/\r?\n\s*\r?\n/u)
    .map((lines) => lines.replace(BROKEN_WORD, "").replace(/\s+/gu, " ").trim())
    .filter(Boolean);
}

/** No line is long, those that go on in the next are of like length, and most of them end amid a sentence. */
function isWrapped(lines: readonly string[]): boolean {
  const followed = lines.filter((line, i) => line.trim() && lines[i + 1]?.trim());
  const widest = Math.max(0, ...lines.map(({ length }) => length));
  const full = followed.filter((line) => line.length > widest * 0.7).length;
  const ended = followed.filter((line) => ENDED.test(line)).length;
  return widest <= WIDTH && full > followed.length * 0.6 && ended < followed.length / 2;
}

/** Most paragraphs begin with who speaks, as in minutes and plays: "Name: what is said". */
export function isTalk(sentences: readonly Sentence[]): boolean {
  const first = sentences.filter(({ paragraph }, i) => paragraph !== sentences[i - 1]?.paragraph);
  return first.filter(({ text }) => SPEAKER.test(text)).length > first.length * 0.6;
}

/** Words of a sentence that is more than a cry or a greeting. */
const LEAST = 4;
/** Words of the middle one of paragraphs that have headings between them. */
const PARAGRAPH = 40;

/** Of each sentence, whether it is only some words, or a heading: a paragraph far shorter than the others. */
export function saysLittle(sentences: readonly Sentence[]): boolean[] {
  const lengths = new Map<number, number>();
  for (const { paragraph, words } of sentences)
    lengths.set(paragraph, (lengths.get(paragraph) ?? 0) + words.length);
  const sorted = [...lengths.values()].sort((a, b) => a - b);
  const middle = sorted[sorted.length >> 1] ?? 0;
  const heading = middle >= PARAGRAPH ? middle / 4 : 0;
  return sentences.map(
    ({ paragraph, words }) => words.length < LEAST || (lengths.get(paragraph) as number) < heading,
  );
}

/** Most paragraphs are of one sentence: reviews, points, an abstract by sentences. */
export function isList(sentences: readonly Sentence[]): boolean {
  const paragraphs = new Set(sentences.map(({ paragraph }) => paragraph));
  return paragraphs.size * 2 > sentences.length;
}
