// The page: a loss that falls, a matrix that sharpens. All learning happens in the worker.

import { AttentionMap } from "../../page/attention-map";
import { find, suggest, write } from "../../page/elements";
import { Work } from "../../page/work";
import { drawLosses } from "./chart";
import type { News, Wish } from "./messages";

const MOST = 999_999;
const RANDOM = "any number";
const EXAMPLES = ["21", "777777", "100001", RANDOM];

const progress = find<HTMLProgressElement>("progress");
const toggle = find<HTMLButtonElement>("toggle");
const restart = find<HTMLButtonElement>("restart");
const number = find<HTMLInputElement>("number");
const chart = find<SVGSVGElement>("chart");
const map = new AttentionMap(find("map"), {
  rows: "piece written",
  columns: "piece looked at",
  first: 0,
  most: 1,
});

let losses: number[] = [];
let total = 1;
let round = 0;
let milliseconds = 0;
let frame = 0;
let state: "running" | "paused" | "done" = "running";
const work = new Work<News, Wish>(hear);

function hear(news: News) {
  switch (news.type) {
    case "ready":
      losses = [];
      round = 0;
      total = news.steps;
      for (const control of [toggle, restart, number]) control.disabled = false;
      write(
        "about",
        `${news.parameters.toLocaleString("en")} parameters · ${news.pairs.toLocaleString("en")} pairs · ${news.build}`,
      );
      become("running");
      ask();
      break;
    case "progress":
      if (news.round !== round) break;
      losses.push(...news.losses);
      // A mean of the last ones: a single step says little of how long the rest takes.
      milliseconds += (news.milliseconds - milliseconds) * (milliseconds ? 0.1 : 1);
      show();
      break;
    case "look":
      if (news.number === asked()) showWritten(news);
      break;
    case "match":
      write("match", `${((news.right / news.of) * 100).toFixed(news.of < 1000 ? 0 : 1)} %`);
      write("tested", `of ${news.of.toLocaleString("en")} held-out numbers`);
      break;
    case "done":
      become("done");
  }
}

const SAID = {
  running: "Training in this page",
  paused: "Paused",
  done: "Trained. Now translate a number of your own: it has seen 2 in 100 of them.",
};

/** The only place that is read aloud. */
function become(now: typeof state) {
  state = now;
  document.body.dataset.state = state;
  write("status", SAID[state]);
  toggle.textContent = state === "paused" ? "Go on" : "Pause";
  toggle.disabled = state === "done";
  if (state === "done") number.select();
  show();
}

function show() {
  const recent = losses.slice(-10);
  const loss = recent.reduce((a, b) => a + b, 0) / recent.length;
  write("loss", losses.length ? loss.toPrecision(2) : "–");
  write("step", `${losses.length}`);
  write("total", `of ${total} steps`);
  write("left", timeLeft());
  if (losses.length) write("pace", `${milliseconds.toFixed(0)} ms a step of 64 pairs`);
  progress.value = losses.length / total;
  document.body.dataset.step = `${losses.length}`;
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => drawLosses(chart, losses, total));
}

function timeLeft(): string {
  if (state === "done") return "none";
  if (losses.length === 0) return "–";
  const seconds = Math.ceil(((total - losses.length) * milliseconds) / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function showWritten({ source, target, written, right }: Extract<News, { type: "look" }>) {
  find("result").hidden = false;
  write("source", source);
  write("written", written.text || "nothing yet");
  find("written").className = right ? "right" : "wrong";
  write("verdict", right ? "✓ right" : `not yet: ${target}`);
  const { source: columns, target: rows, weights, heads } = written;
  const each = heads.map((weights, index) => ({ name: `head ${index + 1}`, weights }));
  map.show({ rows, columns, heads: [{ name: "mean", weights: weights.data }, ...each] });
}

/** The number in the field, or NaN. */
function asked(): number {
  const digits = number.value.trim().replaceAll(",", "");
  return /^\d{1,6}$/u.test(digits) ? Number(digits) : Number.NaN;
}

function ask() {
  const empty = number.value.trim() === "";
  const valid = !Number.isNaN(asked());
  number.setAttribute("aria-invalid", `${!valid && !empty}`);
  write(
    "range",
    valid || empty
      ? "A whole number from 0 to 999,999."
      : `“${number.value.trim()}” is no whole number from 0 to 999,999, in digits.`,
  );
  if (valid) work.wish({ type: "look", number: asked() });
  else find("result").hidden = true;
}

number.addEventListener("input", ask);
suggest(find("examples"), EXAMPLES, (text) => {
  number.value = text === RANDOM ? `${Math.floor(Math.random() * (MOST + 1))}` : text;
  ask();
});
toggle.addEventListener("click", () => {
  become(state === "running" ? "paused" : "running");
  work.wish({ type: "run", running: state === "running" });
});
restart.addEventListener("click", () => {
  losses = [];
  round++;
  write("match", "–");
  write("tested", "of held-out numbers");
  work.wish({ type: "restart" });
  become("running");
});
new ResizeObserver(() => drawLosses(chart, losses, total)).observe(chart);
