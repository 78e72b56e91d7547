// What the command line asks for.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { commandLine, orEnd, wholeNumber } from "../arguments";
import { EASY_VQA } from "./sizes";

interface Arguments {
  /** Empty where none is asked. */
  readonly question: string;
  /** The number of the scene that it is asked about. */
  readonly scene: number;
  readonly easyVqa?: { readonly folder: string; readonly test?: string; readonly steps: number };
}

const HELP = `npm run demo:see [-- "what is above the five?"] [--scene N]
  what a trained model answers about scenes of four handwritten digits, and where its words look
npm run demo:see -- --easy-vqa [--data FOLDER] [--test FOLDER] [--steps N]
  the same model learns easy-VQA, coloured shapes: FOLDER has questions.jsonl, images.bin, answers.json;
  $DATA_DIR/easy-vqa where it is not named, and its last 400 pictures to test with
npm run demo:see:train [-- --check | --evaluate | --steps N]
  trains the model that comes with the example
npm run demo:see:web
  a page to ask on`;

export function readArguments(): Arguments {
  const { values, positionals } = commandLine({
    allowPositionals: true,
    options: {
      help: { type: "boolean", default: false },
      scene: { type: "string", default: "1" },
      "easy-vqa": { type: "boolean", default: false },
      data: { type: "string" },
      test: { type: "string" },
      steps: { type: "string", default: `${EASY_VQA.steps}` },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const scene = wholeNumber("scene", values.scene);
  const steps = wholeNumber("steps", values.steps);
  const question = positionals.join(" ");
  orEnd(() => {
    if (positionals.length > 0 && !question.trim()) throw new Error('a question expected, got ""');
  });
  if (!values["easy-vqa"]) return { question, scene };
  const folder = values.data ?? join(process.env.DATA_DIR ?? "../shared/data", "easy-vqa");
  const { test } = values;
  orEnd(() => {
    if (question) throw new Error("a question is asked about scenes, not about easy-VQA");
    for (const each of [folder, ...(test === undefined ? [] : [test])])
      if (!existsSync(join(each, "questions.jsonl")))
        throw new Error(`no questions.jsonl in ${each}: --data FOLDER says where easy-VQA is`);
  });
  return { question, scene, easyVqa: { folder, steps, ...(test === undefined ? {} : { test }) } };
}
