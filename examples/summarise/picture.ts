// Attention between sentences in the terminal.

import pc from "picocolors";
import type { Embedded } from "./attention";
import { attendersOf } from "./looks";
import type { Summary } from "./summarise";

const HEIGHTS = "▁▂▃▄▅▆▇█";
/** Of those that attend to a sentence so many are named. */
const NAMED = 3;

type Shown = Pick<Summary, "chosen" | "received" | "looks">;

/** Broken to a width, all lines but the first indented. */
export function wrapped(text: string, width: number, indent: number): string {
  const lines: string[] = [];
  for (const word of text.split(/\s+/u)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width - indent) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** From the text's beginning to its end: what each part receives as a height, and marks under the chosen. */
export function strip(received: readonly number[], chosen: readonly number[], width: number) {
  const parts = Math.min(width, received.length);
  const partOf = (i: number) => Math.floor((i * parts) / received.length);
  const most = new Array<number>(parts).fill(0);
  received.forEach((share, i) => {
    most[partOf(i)] = Math.max(most[partOf(i)], share);
  });
  const top = Math.max(...most, Number.MIN_VALUE);
  const marked = new Set(chosen.map(partOf));
  return [
    most.map((share) => HEIGHTS[Math.round((share / top) * (HEIGHTS.length - 1))]).join(""),
    most.map((_, part) => (marked.has(part) ? "▲" : " ")).join(""),
  ].map((line, i) => (i ? pc.magenta(line) : pc.cyan(line)));
}

/** Of each chosen sentence, those that give it most of their attention. */
export function links({ sentences }: Embedded, { chosen, looks, received }: Shown, width: number) {
  const digits = `${sentences.length}`.length;
  return chosen.flatMap((to) => {
    const from = attendersOf(to, looks).slice(0, NAMED);
    const head = `${pc.bold(`${to + 1}`.padStart(digits))}  receives ${received[to].toFixed(2)} times the mean`;
    return [
      head,
      ...from.map(({ from, weight }) => {
        const share = `${(weight * 100).toFixed(1)} %`.padStart(7);
        const text = clipped(sentences[from].text, width - digits * 2 - 16);
        return `${" ".repeat(digits)}  ${pc.cyan(share)}  of ${`${from + 1}`.padStart(digits)}  ${pc.dim(text)}`;
      }),
    ];
  });
}

/** The text by paragraphs, what was chosen in bold or, without colours, between marks. */
export function highlighted({ sentences }: Embedded, { chosen }: Shown, width: number): string {
  const paragraphs: string[][] = [];
  sentences.forEach(({ text, paragraph }, i) => {
    const own = chosen.includes(i);
    const shown = own && !pc.isColorSupported ? `[[ ${text} ]]` : text;
    const lines = wrapped(shown, width, 0);
    paragraphs[paragraph] ??= [];
    paragraphs[paragraph].push(own ? pc.bold(pc.magenta(lines)) : lines);
  });
  return paragraphs
    .filter(Boolean)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function clipped(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
