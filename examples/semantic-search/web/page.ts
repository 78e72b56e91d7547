// The page: a question in, a ranking and a heat map out. All thinking happens in the worker.

import { AttentionMap } from "../../page/attention-map";
import { find, make, suggest, write } from "../../page/elements";
import { Work } from "../../page/work";
import type { Inspection } from "../encoder";
import type { Beside, News, Numbers, Ranked, Wish } from "./messages";

const EXAMPLES = [
  "Which animals sleep through the winter?",
  "I forgot my password",
  "Can I bring my dog?",
  "Is it going to rain?",
  "Who won the football match?",
];
/** Of what the model finds below this, little has to do with the question. */
const CLOSE = 0.43;
const MOST_SENTENCES = 1000;

const question = find<HTMLInputElement>("question");
const numbers = find<HTMLSelectElement>("numbers");
const own = find<HTMLTextAreaElement>("sentences");
const buttons = [find<HTMLButtonElement>("use"), find<HTMLButtonElement>("reset")];
const map = new AttentionMap(find("map"), {
  rows: "word that attends",
  columns: "word attended to",
  first: 1,
});

let asked = 0;
let sentences = 0;
let build = "";
const work = new Work<News, Wish>((news) => {
  if (news.type === "progress") {
    find<HTMLProgressElement>("progress").value = news.share;
    write("loaded", `Loading the model, ${Math.round(news.share * 100)} %`);
  } else if (news.type === "ready") {
    build = news.build;
    for (const control of [question, numbers, ...buttons]) control.disabled = false;
    searchIn(news.sentences);
    if (document.activeElement === document.body) question.focus();
  } else if (news.type === "sentences") {
    searchIn(news.count);
  } else if (news.id === asked) {
    showRanking(news.ranking);
    showMap(news.inspection);
    showBeside(news.ranking.length, news.beside);
    write("time", `${news.milliseconds.toFixed(1)} ms · ${build}`);
    document.body.dataset.numbers = news.numbers;
    document.body.dataset.answered = question.value.trim();
  }
});

function searchIn(count: number) {
  sentences = count;
  ask();
}

function ask() {
  // What is still being answered is no longer wanted.
  asked++;
  const text = question.value.trim();
  if (text === "") clear();
  else work.wish({ type: "question", id: asked, text, numbers: numbers.value as Numbers });
}

function clear() {
  delete document.body.dataset.answered;
  find("ranking").replaceChildren();
  find("weak").hidden = true;
  find("none").hidden = false;
  map.clear();
  showBeside(0, undefined);
  write("summary", `${sentences} sentences are ready to be asked.`);
  write("time", "");
}

function showRanking(ranking: readonly Ranked[]) {
  const close = ranking.filter(({ score }) => score >= CLOSE).length;
  find("weak").hidden = close > 0;
  const best = ranking[0]?.score.toFixed(2);
  write(
    "summary",
    close > 0
      ? `${close} close of ${sentences} sentences, the best with ${best}`
      : `Nothing close among ${sentences} sentences`,
  );
  find("ranking").replaceChildren(
    ...ranking.map(({ sentence, score }) => {
      const bar = make("span", { className: "bar" });
      bar.style.setProperty("--share", `${Math.max(0, score)}`);
      const number = make("span", { className: "score", textContent: score.toFixed(2) });
      const className = score >= CLOSE ? "hit" : "";
      return make("li", { className }, make("span", {}, sentence), bar, number);
    }),
  );
}

/** How float32 answers the same. */
function showBeside(shown: number, beside: Beside | undefined) {
  find("beside").hidden = !beside;
  if (!beside) return;
  const first = beside.first ? "the same sentence first" : "another sentence first";
  const time = `${beside.milliseconds.toFixed(1)} ms`;
  write("beside", `float32 finds ${first} and ${beside.found} of these ${shown}, in ${time}`);
}

function showMap({ pieces, weights }: Inspection) {
  find("none").hidden = true;
  const heads = weights.flatMap(({ data, dims: [count] }, layer) =>
    Array.from({ length: count }, (_, head) => ({
      name: `layer ${layer + 1}, head ${head + 1}`,
      weights: data.subarray(head * pieces.length ** 2, (head + 1) * pieces.length ** 2),
    })),
  );
  map.show({ rows: pieces, columns: pieces, heads });
}

let waiting: ReturnType<typeof setTimeout> | undefined;
question.addEventListener("input", () => {
  clearTimeout(waiting);
  if (question.value.trim() === "") ask();
  else waiting = setTimeout(ask, 120);
});
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
suggest(find("examples"), EXAMPLES, (text) => {
  question.value = text;
  ask();
});
numbers.addEventListener("change", ask);
find("use").addEventListener("click", () => {
  const lines = own.value.split("\n").map((line) => line.trim());
  const given = lines.filter((line) => line !== "").slice(0, MOST_SENTENCES);
  if (given.length === 0) return own.focus();
  write("summary", `Reading ${given.length} sentences`);
  work.wish({ type: "sentences", sentences: given });
});
find("reset").addEventListener("click", () =>
  work.wish({ type: "sentences", sentences: undefined }),
);
