// The page: a text in, its summary out, and who attends to whom. All thinking happens in the worker.

import { find, make, suggest, write } from "../../page/elements";
import { unreached, Work } from "../../page/work";
import { attendersOf } from "../looks";
import { counted } from "../text";
import { drawCurves } from "./curves";
import type { News, Summarised, Wish } from "./messages";

const EXAMPLES = [
  { file: "chapter_65.txt", name: "The Whale as a Dish", query: "" },
  { file: "chapter_24.txt", name: "In praise of whaling", query: "" },
  { file: "chapter_102.txt", name: "How big is a whale?", query: "How big is a whale’s skeleton?" },
  { file: "chapter_42.txt", name: "The Whiteness of the Whale", query: "" },
];
/** Of those that attend to a sentence so many are named and drawn. */
const NAMED = 6;

const source = find<HTMLTextAreaElement>("source");
const query = find<HTMLInputElement>("query");
const count = find<HTMLInputElement>("count");
const trained = find<HTMLInputElement>("trained");
const text = find("text");
const scroll = find("scroll");
const controls = [source, query, count, trained, find<HTMLButtonElement>("start")];

let asked = 0;
let build = "";
let shown: Summarised | undefined;
let spans: HTMLElement[] = [];
/** The sentence that is looked at, or none. */
let selected = -1;

const work = new Work<News, Wish>((news) => {
  if (news.type === "progress") progress("Loading the model", news.share);
  else if (news.type === "ready") {
    build = news.build;
    for (const control of controls) control.disabled = false;
    if (source.value.trim() === "") load(EXAMPLES[0]);
    else ask();
  } else if (news.id !== asked) return;
  else if (news.type === "reading") progress("Reading", news.share);
  else show(news);
});

function progress(what: string, share: number) {
  find<HTMLProgressElement>("progress").value = share;
  write("loaded", `${what}, ${Math.round(share * 100)} %`);
}

function ask() {
  asked++;
  delete document.body.dataset.summarised;
  document.body.classList.toggle("reading", source.value.trim() !== "");
  if (source.value.trim() === "") return clear();
  const wanted = query.value.trim();
  work.wish({
    type: "summarise",
    id: asked,
    text: source.value,
    query: wanted === "" ? undefined : wanted,
    sentences: Number(count.value),
    trained: trained.checked,
  });
}

async function load({ file, query: question }: (typeof EXAMPLES)[number]) {
  const response = await fetch(file).catch(() => undefined);
  if (!response?.ok) return write("summary", unreached(file));
  source.value = await response.text();
  query.value = question;
  ask();
}

function clear() {
  shown = undefined;
  for (const id of ["chosen", "text", "detail", "curves"]) find(id).replaceChildren();
  find("none").hidden = false;
  find("hint").hidden = false;
  write("summary", "There is no text.");
  write("time", "");
}

function show(summary: Summarised) {
  const { sentences, chosen, received, words, milliseconds } = summary;
  document.body.classList.remove("reading");
  if (sentences.length === 0) return clear();
  shown = summary;
  selected = -1;
  const top = Math.max(...received, Number.MIN_VALUE);
  const own = new Set(chosen);
  spans = sentences.map(({ text }, i) => {
    const span = make("span", {
      className: own.has(i) ? "sentence own" : "sentence",
      tabIndex: -1,
    });
    span.textContent = text;
    span.setAttribute("role", "button");
    span.setAttribute("aria-pressed", "false");
    span.dataset.at = `${i}`;
    span.dataset.received = `${received[i]}`;
    span.style.setProperty("--share", `${received[i] / top}`);
    return span;
  });
  spans[0].tabIndex = 0;
  const paragraphs: HTMLElement[] = [];
  sentences.forEach(({ paragraph }, i) => {
    paragraphs[paragraph] ??= make("p");
    paragraphs[paragraph].append(spans[i], " ");
  });
  text.replaceChildren(...paragraphs.filter(Boolean));
  find("chosen").replaceChildren(
    ...chosen.map((i) => {
      const button = make("button", { type: "button", textContent: sentences[i].text });
      button.dataset.at = `${i}`;
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        select(i);
        spans[i].scrollIntoView({ block: "nearest" });
      });
      return make("li", {}, button);
    }),
  );
  find("none").hidden = true;
  find("detail").replaceChildren();
  find("hint").hidden = false;
  draw();
  const kept = chosen.reduce((sum, i) => sum + sentences[i].text.split(/\s+/u).length, 0);
  write(
    "summary",
    `${counted(sentences.length, "sentence")}, ${counted(words, "word")}, in ${counted(chosen.length, "sentence")} of ${counted(kept, "word")}`,
  );
  write(
    "time",
    `read in ${(milliseconds.embedding / 1000).toFixed(1)} s, attention ${milliseconds.attention.toFixed(0)} ms · ${build}`,
  );
  document.body.dataset.summarised = `${chosen}`;
}

function select(at: number) {
  if (!shown) return;
  selected = at;
  const pressed = document.querySelectorAll<HTMLElement>("#text .sentence, #chosen button");
  for (const each of pressed)
    each.setAttribute("aria-pressed", `${Number(each.dataset.at) === at}`);
  for (const span of spans) span.tabIndex = -1;
  spans[at].tabIndex = 0;
  const { sentences, received } = shown;
  const attenders = attendersOf(at, shown.looks).slice(0, NAMED);
  find("hint").hidden = true;
  const head = make("p", {});
  head.append(make("strong", { textContent: sentences[at].text }));
  const share = make("p", {
    className: "note",
    textContent: `It receives ${received[at].toFixed(2)} times the mean of all sentences. Most of it is from:`,
  });
  find("detail").replaceChildren(
    head,
    share,
    ...attenders.map(({ from, weight }) => {
      const percent = make("span", { className: "share" }, `${(weight * 100).toFixed(1)} %`);
      return make("p", {}, percent, sentences[from].text);
    }),
  );
  draw();
}

/** From the sentence that is looked at, or from all of the summary, to those that attend to it. */
function draw() {
  if (!shown) return;
  const { looks, chosen } = shown;
  const ends = selected < 0 ? chosen : [selected];
  const named = selected < 0 ? NAMED / 2 : NAMED;
  const curves = ends.flatMap((to) =>
    attendersOf(to, looks)
      .slice(0, named)
      .map(({ from, weight }) => ({ from: spans[from], to: spans[to], weight })),
  );
  drawCurves(find<SVGSVGElement>("curves"), scroll, curves);
}

text.addEventListener("click", ({ target }) => {
  const span = (target as HTMLElement).closest<HTMLElement>(".sentence");
  if (span) select(Number(span.dataset.at));
});
text.addEventListener("keydown", (pressed) => {
  const at = spans.indexOf(document.activeElement as HTMLElement);
  const to: Record<string, number> = {
    ArrowRight: Math.min(at + 1, spans.length - 1),
    ArrowDown: Math.min(at + 1, spans.length - 1),
    ArrowLeft: Math.max(at - 1, 0),
    ArrowUp: Math.max(at - 1, 0),
    Home: 0,
    End: spans.length - 1,
    Enter: at,
    " ": at,
  };
  if (at < 0 || !(pressed.key in to)) return;
  pressed.preventDefault();
  select(to[pressed.key]);
  spans[to[pressed.key]].focus();
});
new ResizeObserver(draw).observe(text);

suggest(
  find("examples"),
  EXAMPLES.map(({ name }) => name),
  (name) => load(EXAMPLES.find((example) => example.name === name) ?? EXAMPLES[0]),
);
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
count.addEventListener("input", () => write("number", count.value));
for (const control of [count, trained, query]) control.addEventListener("change", ask);
