// The page: a text that goes on, and what each of its words looked at. All writing happens in the worker.

import { find, make, suggest, write } from "../../page/elements";
import { Work } from "../../page/work";
import { Heads } from "./heads";
import type { News, Wish } from "./messages";
import { type Word, Words } from "./words";

const BEGINNINGS = [
  "Call me Ishmael. Some years ago",
  "The whale",
  "“Captain Ahab,” said",
  "It was a damp, drizzly",
];
/** Words in the list of those that were looked at most. */
const MOST = 5;

const form = find<HTMLFormElement>("form");
const beginning = find<HTMLTextAreaElement>("beginning");
const start = find<HTMLButtonElement>("start");
const toggle = find<HTMLButtonElement>("toggle");
const temperature = find<HTMLInputElement>("temperature");
const int8 = find<HTMLInputElement>("int8");
const percent = (weight: number) => `${(weight * 100).toFixed(1)} %`;

let asked: Word | undefined;
let pieces = 0;
/** Since the text began. */
let milliseconds = 0;
let written = 0;
let writing = false;

const text = find("text");
const words = new Words(text, (word) => {
  asked = word;
  work.wish({ type: "look", from: word.from, to: word.to });
});
const heads = new Heads(find("heads"), (weights) => {
  if (asked) list(asked, words.tint(weights));
});
const work = new Work<News, Wish>(hear);

function hear(news: News) {
  switch (news.type) {
    case "ready": {
      const { loss, bigramLoss } = news.report;
      heads.build(news.layers, news.heads);
      for (const control of [beginning, start, temperature, int8]) control.disabled = false;
      write(
        "about",
        `${news.parameters.toLocaleString("en")} parameters · ${news.build} · loss on chapters it has not seen ${loss.toFixed(2)} nats a piece; by counting pairs of pieces, without attention, ${bigramLoss.toFixed(2)}`,
      );
      cool();
      keep();
      begin();
      break;
    }
    case "begun":
      words.clear();
      unlook();
      pieces = 0;
      milliseconds = 0;
      written = 0;
      grow(news.pieces);
      // The text before may have come to its end meanwhile.
      if (!writing) become(true);
      break;
    case "written":
      milliseconds += news.milliseconds;
      written += news.pieces.length;
      grow(news.pieces);
      write("rate", Math.round((written * 1000) / milliseconds).toLocaleString("en"));
      write("bytes", size(news.bytes));
      write("pages", `in ${news.pages.toLocaleString("en")} pages`);
      break;
    case "stopped":
      become(false);
      break;
    case "looked":
      if (news.from === asked?.from && news.to === asked.to) {
        find("looks").hidden = false;
        heads.show(news.weights);
      }
  }
}

function grow(more: readonly string[]) {
  pieces += more.length;
  words.add(more);
  text.scrollTop = text.scrollHeight;
  write("pieces", pieces.toLocaleString("en"));
  document.body.dataset.pieces = `${pieces}`;
}

/** The only place that is read aloud. */
function become(now: boolean) {
  writing = now;
  document.body.dataset.state = writing ? "writing" : "stopped";
  write("status", writing ? "Writing" : "Choose a word to see what it looked at");
  toggle.textContent = writing ? "Stop" : "Go on";
  toggle.disabled = false;
}

function begin() {
  work.wish({ type: "write", beginning: beginning.value });
  become(true);
}

function cool() {
  const degrees = temperature.valueAsNumber;
  write("degrees", degrees === 0 ? "0: always the likeliest piece" : degrees.toFixed(1));
  work.wish({ type: "temperature", temperature: degrees });
}

function keep() {
  work.wish({ type: "numbers", numbers: int8.checked ? "int8" : "float32" });
}

function unlook() {
  asked = undefined;
  find("looks").hidden = true;
}

/** The words that were looked at most. */
function list({ text, from }: Word, weights: readonly number[]) {
  write("word", text);
  const before = words.words.map((word, at) => ({ ...word, weight: weights[at] }));
  const seen = before.filter((word) => word.from <= from && word.weight > 0);
  const most = seen.sort((a, b) => b.weight - a.weight).slice(0, MOST);
  const item = ({ text, weight, from: at }: (typeof most)[number]) =>
    make(
      "li",
      {},
      make("span", { textContent: at === from ? `${text} (itself)` : text }),
      percent(weight),
    );
  find("most").replaceChildren(...most.map(item));
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

form.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  begin();
});
beginning.addEventListener("keydown", (pressed) => {
  if (pressed.key !== "Enter" || pressed.shiftKey) return;
  pressed.preventDefault();
  begin();
});
toggle.addEventListener("click", () => {
  work.wish({ type: writing ? "stop" : "go on" });
  become(!writing);
});
temperature.addEventListener("input", cool);
int8.addEventListener("change", keep);
suggest(find("examples"), BEGINNINGS, (text) => {
  beginning.value = text;
  begin();
});
