// What the command line asks for.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { commandLine, orEnd, wholeNumber } from "../arguments";
import { CHAPTERS, readChapter } from "./files";
import { sentencesOf } from "./text";

const HELP = `npm run demo:summarise [-- file.txt] [options]

  file.txt           the text; without it a chapter of Moby Dick
  --chapter N        which chapter, from 1 to ${CHAPTERS} (42)
  --query "…"        what the summary is to answer
  --sentences N      how many sentences (5)
  --trained          let the trained pointer choose them
  --whole            print the whole text too, the summary highlighted
  --plain            print nothing but the summary, a sentence a line
  --help             this`;

interface Arguments {
  readonly text: string;
  readonly title: string;
  readonly query: string | undefined;
  readonly sentences: number;
  readonly trained: boolean;
  readonly plain: boolean;
  readonly whole: boolean;
}

export function readArguments(): Arguments {
  const { values, positionals } = commandLine({
    allowPositionals: true,
    options: {
      chapter: { type: "string", default: "42" },
      query: { type: "string" },
      sentences: { type: "string", default: "5" },
      trained: { type: "boolean", default: false },
      plain: { type: "boolean", default: false },
      whole: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const { query, trained, plain, whole } = values;
  const sentences = wholeNumber("sentences", values.sentences);
  const chapter = wholeNumber("chapter", values.chapter);
  return orEnd(() => {
    if (positionals.length > 1) throw new Error(`one file, got ${positionals.length}`);
    if (query?.trim() === "") throw new Error('--query expected a question, got ""');
    if (chapter > CHAPTERS)
      throw new Error(`--chapter expected 1 to ${CHAPTERS}, got "${chapter}"`);
    const [file] = positionals;
    const text = file === undefined ? readChapter(chapter) : readFileSync(file, "utf8");
    if (sentencesOf(text).length === 0) throw new Error("the text has no sentence in it");
    const title = file === undefined ? `Moby Dick, chapter ${chapter}` : basename(file);
    return { text, title, query, sentences, trained, plain, whole };
  });
}
