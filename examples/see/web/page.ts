// The page: a scene, a question, its answer, and where each word of it looks. The model is in the worker.

import { type AttentionView, defineAttentionView } from "wasm-attention/view";
import { find, make, suggest, write } from "../../page/elements";
import { Work } from "../../page/work";
import { meanOf } from "../look";
import { drawScene } from "../picture";
import type { Question } from "../questions";
import type { News, Wish } from "./messages";

/** Answers in the list of the likeliest. */
const LIKELY = 3;

defineAttentionView();
const view = document.querySelector("attention-view") as AttentionView;
const question = find<HTMLInputElement>("question");
const another = find<HTMLButtonElement>("another");
const layer = find<HTMLSelectElement>("layer");
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

let across = 1;
let pixels = new Uint8Array();
let questions: readonly Question[] = [];
let answered: Extract<News, { type: "answered" }> | undefined;

const work = new Work<News, Wish>(hear);

function hear(news: News) {
  switch (news.type) {
    case "ready": {
      const { right, of } = news.report;
      across = news.across;
      for (const control of [question, another, find<HTMLButtonElement>("ask")])
        control.disabled = false;
      write(
        "about",
        `${news.parameters.toLocaleString("en")} parameters · ${news.build} · ${percent(right / of)} of ${of.toLocaleString("en")} questions about other scenes answered right`,
      );
      break;
    }
    case "scene":
      pixels = new Uint8Array(news.pixels);
      ({ questions } = news);
      paint(find<HTMLCanvasElement>("scene"));
      suggest(
        find("examples"),
        questions.map(({ text }) => text),
        ask,
      );
      ask(questions[0].text);
      break;
    case "answered":
      show(news);
      break;
    case "refused":
      answered = undefined;
      write("answer", news.reason);
      write("mark", "");
      find("likely").replaceChildren();
      find("looks").hidden = true;
      find("heads").hidden = true;
      document.body.dataset.asked = question.value;
  }
}

function ask(text: string) {
  question.value = text;
  work.wish({ type: "ask", question: text });
}

function show(news: Extract<News, { type: "answered" }>) {
  answered = news;
  const { answers, weights, words } = news.look;
  const right = questions.find(({ text }) => text === news.question)?.answer;
  const [{ name }] = answers;
  write("answer", name);
  const mark = right === undefined ? "" : name === right ? "✓ right" : `✗ right is ${right}`;
  write("mark", mark);
  const item = ({ name, probability }: (typeof answers)[number]) =>
    make("li", {}, make("span", { textContent: name }), percent(probability));
  find("likely").replaceChildren(...answers.slice(0, LIKELY).map(item));
  if (layer.options.length !== weights.length + 1) {
    const names = weights.map((_, i) => `layer ${i + 1}`);
    layer.replaceChildren(
      ...["all layers", ...names].map((textContent, i) =>
        make("option", { textContent, value: `${i}` }),
      ),
    );
  }
  find("looks").hidden = false;
  find("heads").hidden = false;
  drawWords();
  view.maps = {
    weights,
    rows: words,
    image: { source: find<HTMLCanvasElement>("scene"), rows: across, columns: across },
  };
  view.picture = "image";
  document.body.dataset.asked = news.question;
  document.body.dataset.milliseconds = news.milliseconds.toFixed(1);
}

/** The scene once for each word, glowing where it looks. */
function drawWords() {
  if (!answered) return;
  const { weights, words } = answered.look;
  const chosen = layer.selectedIndex > 0 ? [weights[layer.selectedIndex - 1]] : weights;
  const maps = meanOf(chosen);
  find("words").replaceChildren(
    ...words.map((word, i) => {
      const canvas = make("canvas", { width: 64, height: 64 });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `“${word}” looks ${placeOf(maps[i])}`);
      paint(canvas, maps[i]);
      return make("figure", {}, canvas, make("figcaption", { textContent: word }));
    }),
  );
}

/** How much of its look falls on each quarter, in words. */
function placeOf(map: Float32Array): string {
  const names = ["top left", "top right", "bottom left", "bottom right"];
  const shares = [0, 0, 0, 0];
  map.forEach((weight, patch) => {
    const [row, column] = [Math.floor(patch / across), patch % across];
    shares[Number(row >= across / 2) * 2 + Number(column >= across / 2)] += weight;
  });
  const most = shares.indexOf(Math.max(...shares));
  return `${percent(shares[most])} at the ${names[most]}`;
}

function paint(canvas: HTMLCanvasElement, weights?: Float32Array) {
  const drawn = drawScene(pixels, weights);
  const image = new ImageData(drawn.width, drawn.height);
  for (let i = 0; i < drawn.width * drawn.height; i++) {
    image.data.set([...drawn.pixels.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

find("form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  ask(question.value);
});
another.addEventListener("click", () => work.wish({ type: "scene" }));
layer.addEventListener("change", drawWords);
