// npm run demo:see [-- "what is above the five?" --scene 3 | --easy-vqa]: questions about pictures. A small
// model, trained by train.ts and kept in this folder, answers about scenes of handwritten digits; the same
// model learns easy-VQA here and now.

import { readFileSync } from "node:fs";
import pc from "picocolors";
import { orEnd } from "../arguments";
import { readDigits } from "../digits/images";
import { terminalLines } from "../digits/picture";
import { seeded } from "../training/random";
import { readArguments } from "./arguments";
import { counted, createEngine } from "./engine";
import { examine, type Report } from "./exam";
import { learnEasyVqa } from "./learn-easy-vqa";
import { look, meanOf } from "./look";
import { drawScene } from "./picture";
import { ask, digitsNamed, KINDS } from "./questions";
import { type Scene, Scenes } from "./scenes";
import { readerOf } from "./weights";

/** Of a scene in the terminal. */
const STEP = 2;
const { question, scene: number, easyVqa } = readArguments();
const attention = await createEngine();
if (easyVqa) learnEasyVqa(attention, easyVqa);
else await answerScenes();
attention.dispose();

async function answerScenes() {
  const file = (name: string) => readFileSync(new URL(name, import.meta.url));
  const bytes = file("model.safetensors");
  const report: Report = JSON.parse(file("report.json").toString());
  const reader = await readerOf(attention, bytes);
  // Before anything is printed: a word it does not know ends the demo.
  const ids = orEnd(() => reader.words.encode(question || "?"));
  const parameters = reader.model.parameters.reduce((sum, { data }) => sum + data.length, 0);
  console.log(`
${pc.bold("A question looks at a picture")}
  ${counted(parameters)} parameters in ${counted(bytes.length)} bytes, trained in ${report.steps.toLocaleString("en")} steps of ${report.batch} scenes
  ${attention.variant} build, threads: ${attention.threads}, Node ${process.versions.node}
`);
  const scenes = new Scenes(readDigits("test"));
  if (ids.length === 1) {
    const begin = performance.now();
    const { lines } = examine(reader, scenes);
    const seconds = (performance.now() - begin) / 1000;
    for (const line of lines) console.log(`  ${line}`);
    console.log(`  in ${seconds.toFixed(1)} s\n`);
  }

  const random = seeded(number);
  const scene = sceneFor(scenes, question);
  const show = (text: string, right?: string) => {
    const { words, answers, weights } = look(attention, reader, scene.pixels, text);
    const [first, second] = answers.map(
      ({ name, probability }) => `${name} ${(100 * probability).toFixed(1)} %`,
    );
    const mark =
      right === undefined ? "" : right === answers[0].name ? pc.green(" ✓") : pc.red(` ✗ ${right}`);
    console.log(`  ${text} ${pc.bold(first)}${mark}, ${pc.dim(second)}`);
    return { words, maps: meanOf(weights) };
  };
  if (question) {
    const { words, maps } = show(question);
    draw(scene, words, maps);
  } else {
    const looks = KINDS.map((kind) => {
      const { text, answer } = ask(scene, kind, random);
      return show(text, answer);
    });
    draw(scene, looks[0].words, looks[0].maps);
  }

  function sceneFor(scenes: Scenes, question: string): Scene {
    const named = digitsNamed(question);
    for (;;) {
      const drawn = scenes.draw(random);
      const once = (digit: number) => drawn.digits.filter((other) => other === digit).length === 1;
      if (named.slice(0, 4).every(once)) return drawn;
    }
  }
}

/** The scene, and where its words look, side by side as far as there is room. */
function draw(scene: Scene, words: readonly string[], maps: readonly Float32Array[]) {
  const room = Math.max(1, Math.floor(((process.stdout.columns ?? 100) - 2) / (64 / STEP + 2)));
  const pictures = [
    { name: "the scene", picture: drawScene(scene.pixels, undefined, STEP) },
    ...words.map((name, i) => ({
      name: `“${name}” looks here`,
      picture: drawScene(scene.pixels, maps[i], STEP),
    })),
  ];
  for (let from = 0; from < pictures.length; from += room) {
    const row = pictures.slice(from, from + room);
    console.log(`\n  ${row.map(({ name }) => name.padEnd(64 / STEP)).join("  ")}`);
    const lines = terminalLines(
      row.map(({ picture }) => picture),
      pc.isColorSupported,
    );
    for (const line of lines) console.log(`  ${line}`);
  }
  console.log();
}
