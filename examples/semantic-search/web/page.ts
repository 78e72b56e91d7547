// The page: a question in, a ranking and a heat map out. All thinking happens in the worker.

import type { Inspection } from "../encoder";
import { heat } from "../heatmap";
import type { Message, Question } from "./messages";

const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const question = find<HTMLInputElement>("question");
const progress = find<HTMLProgressElement>("progress");
const status = find("status");
const ranking = find("ranking");
const heads = find<HTMLSelectElement>("heads");
const map = find("map");

const worker = new Worker("worker.js", { type: "module" });
let asked = 0;
let shown: Inspection | undefined;

function ask() {
  const text = question.value.trim();
  if (text === "") return;
  asked++;
  worker.postMessage({ id: asked, text } satisfies Question);
}

worker.addEventListener("message", ({ data }: MessageEvent<Message>) => {
  if (data.type === "progress") {
    progress.value = data.share;
    status.textContent = `Loading the model, ${Math.round(data.share * 100)} %`;
  } else if (data.type === "ready") {
    document.body.classList.add("ready");
    status.textContent = `${data.sentences} sentences · ${data.build}`;
    question.disabled = false;
    question.focus();
    ask();
  } else if (data.type === "failed") {
    document.body.classList.add("failed");
    status.textContent = `This did not work: ${data.reason}`;
  } else if (data.id === asked) {
    showRanking(data.ranking);
    showHeads(data.inspection);
    find("time").textContent = `${data.milliseconds.toFixed(1)} ms`;
    document.body.dataset.answered = question.value.trim();
  }
});
worker.addEventListener("error", (event) => {
  document.body.classList.add("failed");
  status.textContent = `This did not work: ${event.message || "the worker could not start"}`;
});

function showRanking(rows: readonly { sentence: string; score: number }[]) {
  ranking.replaceChildren(
    ...rows.map(({ sentence, score }) => {
      const item = document.createElement("li");
      const text = document.createElement("span");
      text.textContent = sentence;
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.style.setProperty("--share", String(Math.max(0, score)));
      const number = document.createElement("span");
      number.className = "score";
      number.textContent = score.toFixed(3);
      item.append(text, bar, number);
      return item;
    }),
  );
}

function showHeads(inspection: Inspection) {
  shown = inspection;
  const kept = heads.value;
  heads.replaceChildren(
    ...inspection.weights.flatMap(({ dims: [count] }, layer) =>
      Array.from({ length: count }, (_, head) => {
        const name = `layer ${layer + 1}, head ${head + 1}`;
        return new Option(name, `${layer},${head}`);
      }),
    ),
  );
  heads.value = kept || "0,1";
  showMap();
}

function showMap() {
  if (!shown) return;
  const { pieces, weights } = shown;
  const [layer, head] = heads.value.split(",").map(Number);
  const size = pieces.length ** 2;
  const values = weights[layer].data.subarray(head * size, (head + 1) * size);
  const largest = Math.max(...values);
  map.style.setProperty("--pieces", String(pieces.length));
  const label = (text: string, kind: string) => {
    const cell = document.createElement("span");
    cell.className = kind;
    cell.textContent = text;
    return cell;
  };
  const cells: HTMLElement[] = [label("", "corner"), ...pieces.map((piece) => label(piece, "to"))];
  pieces.forEach((piece, i) => {
    cells.push(label(piece, "from"));
    pieces.forEach((other, j) => {
      const weight = values[i * pieces.length + j];
      const cell = label("", "cell");
      const [red, green, blue] = heat(weight / largest);
      cell.style.background = `rgb(${red}, ${green}, ${blue})`;
      cell.title = `${piece} → ${other}: ${(weight * 100).toFixed(1)} %`;
      cells.push(cell);
    });
  });
  map.replaceChildren(...cells);
}

let waiting: ReturnType<typeof setTimeout> | undefined;
question.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(ask, 120);
});
find<HTMLFormElement>("form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
heads.addEventListener("change", showMap);
