// The page: a loss that falls, a matrix that sharpens. All learning happens in the worker.

import { heat } from "../../semantic-search/heatmap";
import type { Alignment } from "../train";
import { drawLosses } from "./chart";
import type { News, Wish } from "./messages";

const find = <T extends Element>(id: string) => document.getElementById(id) as unknown as T;
const status = find<HTMLElement>("status");
const progress = find<HTMLProgressElement>("progress");
const toggle = find<HTMLButtonElement>("toggle");
const restart = find<HTMLButtonElement>("restart");
const number = find<HTMLInputElement>("number");
const chart = find<SVGSVGElement>("chart");
const map = find<HTMLElement>("map");
const set = (id: string, text: string) => {
  find<HTMLElement>(id).textContent = text;
};

const worker = new Worker("worker.js", { type: "module" });
const wish = (wish: Wish) => worker.postMessage(wish);
let losses: number[] = [];
let total = 1;
let running = true;
let round = 0;
let frame = 0;

worker.addEventListener("message", ({ data }: MessageEvent<News>) => {
  switch (data.type) {
    case "ready":
      document.body.classList.add("ready");
      total = data.steps;
      for (const control of [toggle, restart, number]) control.disabled = false;
      set(
        "about",
        `${data.parameters.toLocaleString("en")} parameters · ${data.pairs.toLocaleString("en")} pairs · ${data.build}`,
      );
      show();
      break;
    case "progress":
      if (data.round !== round) break;
      losses.push(...data.losses);
      set("pace", `${data.milliseconds.toFixed(0)} ms`);
      show();
      break;
    case "look":
      if (data.number !== asked()) break;
      set("source", data.source);
      showWritten(data.written, data.target);
      showMap(data.alignment);
      break;
    case "match":
      set("match", `${((data.right / data.of) * 100).toFixed(data.of < 1000 ? 0 : 1)} %`);
      set("tested", `of ${data.of.toLocaleString("en")} held-out numbers`);
      break;
    case "done":
      document.body.dataset.state = "done";
      status.textContent = "Trained";
      toggle.disabled = true;
      break;
    case "failed":
      fail(data.reason);
  }
});
worker.addEventListener("error", ({ message }) => fail(message || "the worker could not start"));

function fail(reason: string) {
  document.body.classList.add("failed");
  status.textContent = `This did not work: ${reason}`;
  for (const control of [toggle, restart, number]) control.disabled = true;
}

function show() {
  const recent = losses.slice(-10);
  const loss = recent.reduce((a, b) => a + b, 0) / recent.length;
  set("loss", losses.length ? loss.toPrecision(2) : "–");
  set("step", `${losses.length}`);
  set("total", `of ${total} steps`);
  progress.value = losses.length / total;
  document.body.dataset.step = `${losses.length}`;
  document.body.dataset.state = running ? "running" : "paused";
  status.textContent = running ? "Training in this page" : "Paused";
  toggle.textContent = running ? "Pause" : "Go on";
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => drawLosses(chart, losses, total));
}

function showWritten(written: string, target: string) {
  const element = find<HTMLElement>("written");
  element.textContent = written || "nothing yet";
  element.className = written === target ? "right" : "wrong";
  set("verdict", written === target ? "✓ right" : `not yet: ${target}`);
}

/** Cells stay as long as the words do, so that their colours move. */
function showMap({ source, target, weights }: Alignment) {
  const words = JSON.stringify([source, target]);
  if (map.dataset.words !== words) {
    map.dataset.words = words;
    map.style.setProperty("--pieces", `${source.length}`);
    const label = (text: string, kind: string) => {
      const cell = document.createElement("span");
      cell.className = kind;
      cell.textContent = text;
      return cell;
    };
    map.replaceChildren(
      label("", "corner"),
      ...source.map((piece) => label(piece, "to")),
      ...target.flatMap((piece) => [label(piece, "from"), ...source.map(() => label("", "cell"))]),
    );
  }
  map.querySelectorAll<HTMLElement>(".cell").forEach((cell, i) => {
    const weight = weights.data[i];
    cell.style.background = `rgb(${heat(weight).join(" ")})`;
    const [from, to] = [target[Math.floor(i / source.length)], source[i % source.length]];
    cell.title = `${from} → ${to}: ${(weight * 100).toFixed(1)} %`;
  });
}

/** The number in the field, or NaN. */
function asked(): number {
  return /^\d{1,6}$/u.test(number.value.trim()) ? Number(number.value) : Number.NaN;
}

number.addEventListener("input", () => {
  const valid = !Number.isNaN(asked());
  number.setAttribute("aria-invalid", `${!valid}`);
  if (valid) wish({ type: "look", number: asked() });
});
toggle.addEventListener("click", () => {
  running = !running;
  wish({ type: "run", running });
  show();
});
restart.addEventListener("click", () => {
  losses = [];
  round++;
  running = true;
  toggle.disabled = false;
  set("match", "–");
  set("tested", "of held-out numbers");
  wish({ type: "restart" });
  show();
});
new ResizeObserver(() => drawLosses(chart, losses, total)).observe(chart);
