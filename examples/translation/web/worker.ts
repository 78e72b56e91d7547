// The engine and the training, off the page's thread. Between two steps the page's wishes are heard.

import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { training as gradients } from "wasm-attention/training";
import { failedBy } from "../../page/work";
import { seeded } from "../../training/random";
import { numberPair, numbers } from "../corpus";
import { Training } from "../train";
import type { News, Wish } from "./messages";

const SCHEDULE = { steps: 800, warmUp: 100, rate: 3e-3 };
/** Milliseconds between two news of the loss, and two looks at the alignment. */
const NEWS = 80;
const LOOK = 400;
/** Steps between two tests on a few held-out numbers. */
const TEST = 50;
const FEW = 100;

const say = (news: News) => postMessage(news);
/** Lets messages that wait come in. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

let number = 4321;
let running = true;
let round = 0;
let wake = () => {};

async function start() {
  const attention = await createAttention({ extensions: [blocks, positions, gradients, cache] });
  const corpus = numbers(seeded(1));
  let training = new Training(attention, corpus, 1);
  const build = `${attention.variant} build${attention.fused ? ", fused multiply-add" : ""}`;
  const { parameterCount: parameters } = training;
  say({ type: "ready", build, parameters, pairs: corpus.training.length, steps: SCHEDULE.steps });

  const look = () => {
    const pair = numberPair(number);
    const written = training.write(pair.source);
    say({ type: "look", number, ...pair, written, right: training.isRight(written.text, pair) });
  };
  const test = (count: number) => {
    const share = training.exactMatch(corpus.heldOut.slice(0, count));
    say({ type: "match", right: Math.round(share * count), of: count });
  };

  addEventListener("message", ({ data }: MessageEvent<Wish>) => {
    if (data.type === "look") {
      number = data.number;
      look();
    } else if (data.type === "run") {
      running = data.running;
    } else {
      round++;
      running = true;
    }
    wake();
  });

  for (;;) {
    const begun = round;
    look();
    let losses: number[] = [];
    let told = performance.now();
    let looked = told;
    let step = 0;
    let tested = 0;
    for (const loss of training.steps(SCHEDULE)) {
      losses.push(loss);
      step++;
      const now = performance.now();
      if (now - told >= NEWS || step === SCHEDULE.steps) {
        say({ type: "progress", round, losses, milliseconds: (now - told) / losses.length });
        losses = [];
        if (now - looked >= LOOK) {
          look();
          looked = now;
        }
        if (step - tested >= TEST) {
          test(FEW);
          tested = step;
        }
        await pause();
        while (!running && round === begun) await woken();
        told = performance.now();
      }
      if (round !== begun) break;
    }
    if (round === begun) {
      look();
      test(corpus.heldOut.length);
      say({ type: "done" });
      while (round === begun) await woken();
    }
    training.dispose();
    training = new Training(attention, corpus, 1 + round);
  }
}

function woken(): Promise<void> {
  return new Promise((resolve) => {
    wake = resolve;
  });
}

start().catch((error) => postMessage(failedBy(error)));
