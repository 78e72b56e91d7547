// Images and text together: how many held-out questions about scenes of digits the model that comes with
// examples/see answers right, and how long one takes; with easy-VQA where DATA_DIR has it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readDigits } from "../../examples/digits/images";
import { createEngine } from "../../examples/see/engine";
import { percent } from "../../examples/see/evaluation";
import { examine } from "../../examples/see/exam";
import { learnEasyVqa } from "../../examples/see/learn-easy-vqa";
import { look } from "../../examples/see/look";
import { Scenes } from "../../examples/see/scenes";
import { EASY_VQA } from "../../examples/see/sizes";
import { readerOf } from "../../examples/see/weights";
import { seeded } from "../../examples/training/random";
import type { Run } from "./application";

const MODEL = new URL("../../examples/see/model.safetensors", import.meta.url);
/** Questions that are timed, one by one. */
const TIMED = 200;

/** At least 95 % of the questions about scenes, and more than 90 % of easy-VQA's. */
export const run: Run = async () => {
  const attention = await createEngine();
  const reader = await readerOf(attention, readFileSync(MODEL));
  const scenes = new Scenes(readDigits("test"));
  const { all, blind, kinds } = examine(reader, scenes);
  console.log(`see: questions about scenes answered right: ${percent(all)} of ${all.of}`);
  console.log(`see: the same without looking: ${percent(blind)}`);
  for (const [kind, share] of kinds) console.log(`see:   ${kind}: ${percent(share)}`);
  const random = seeded(3);
  const times = Array.from({ length: TIMED }, () => {
    const { pixels } = scenes.draw(random);
    const begin = performance.now();
    look(attention, reader, pixels, "what is above the five?");
    return performance.now() - begin;
  }).sort((a, b) => a - b);
  console.log(`see: one question about one picture: ${times[TIMED >> 1].toFixed(2)} ms (median)`);
  const folder = join(process.env.DATA_DIR ?? "", "easy-vqa");
  let learnt = true;
  if (process.env.DATA_DIR && existsSync(folder)) {
    const share = learnEasyVqa(attention, { folder, steps: EASY_VQA.steps });
    console.log(`see: easy-VQA: ${percent(share)} of ${share.of}`);
    learnt = share.right / share.of > 0.9;
  } else console.log("see: easy-VQA is left out: no easy-vqa in DATA_DIR");
  attention.dispose();
  return all.right / all.of >= 0.95 && learnt;
};
