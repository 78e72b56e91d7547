// The same model on easy-VQA: it learns the folder's pictures, and is tested on others.

import pc from "picocolors";
import type { Attention } from "wasm-attention";
import { orEnd } from "../arguments";
import { seeded } from "../training/random";
import { answer, train } from "./course";
import { CHANNELS, numbered, readEasyVqa, SIDE } from "./easy-vqa";
import { draw } from "./easy-vqa-lessons";
import { counted, follow } from "./engine";
import { Blind, byKind, percent, type Share, shareOf } from "./evaluation";
import { Seeing } from "./model";
import { EASY_VQA, SIZES } from "./sizes";

export function learnEasyVqa(
  attention: Attention<"blocks" | "positions" | "training">,
  { folder, test, steps }: { folder: string; test?: string; steps: number },
): Share {
  const { task, exam } = orEnd(() => {
    const task = readEasyVqa(folder, test);
    // Before anything is learnt: a word that is not known ends the demo.
    const exam = task.heldOut.map(({ pixels, questions }) => ({
      pixels,
      questions: numbered(questions, task),
    }));
    return { task, exam };
  });
  const { words, answers, training, heldOut } = task;
  const random = seeded(2026);
  const model = new Seeing(
    attention,
    {
      ...SIZES,
      side: SIDE,
      channels: CHANNELS,
      words: words.names.length,
      answers: answers.length,
    },
    random,
  );
  const parameters = model.parameters.reduce((sum, { data }) => sum + data.length, 0);
  console.log(`
${pc.bold("The same model learns easy-VQA")}
  ${counted(training.length)} pictures to learn from, ${counted(heldOut.length)} held out; ${words.names.length} words, ${answers.length} answers
  ${counted(parameters)} parameters, ${attention.variant} build, threads: ${attention.threads}, Node ${process.versions.node}
`);
  const course = { ...EASY_VQA, steps };
  const lesson = (drawn: typeof random, done: number) => draw(task, drawn, done);
  const spent = follow(train(attention, model, lesson, course, random), steps);

  const questions = heldOut.flatMap((picture) => picture.questions);
  const guesses = answer(model, exam);
  const kindOf = (right: string) => (right === "yes" || right === "no" ? "yes or no" : "what");
  const marks = questions.map(([, right], i) => ({
    kind: kindOf(right),
    right: answers[guesses[i]] === right,
  }));
  const blindly = new Blind(training.flatMap((picture) => picture.questions));
  const blind = questions.map(([text, right]) => ({
    kind: "",
    right: blindly.answer(text) === right,
  }));
  const all = shareOf(marks);
  console.log(
    `  ${pc.bold(percent(all))} of ${counted(all.of)} questions about ${counted(heldOut.length)} held-out pictures answered right`,
  );
  console.log(`  ${percent(shareOf(blind))} without looking`);
  for (const [kind, share] of byKind(marks))
    console.log(`    ${percent(share).padStart(8)} of ${counted(share.of)}  ${kind}`);
  console.log(
    `  after ${spent.seconds.toFixed(0)} s of training, ${spent.cpuSeconds.toFixed(0)} s of processors\n`,
  );
  model.dispose();
  return all;
}
