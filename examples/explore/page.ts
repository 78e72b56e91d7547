// The page: a model, what it reads, and one or two settings of its heads, each in a view of its own; a head
// that is chosen in one is chosen in both.

import { type AttentionMaps, type AttentionView, defineAttentionView } from "wasm-attention/view";
import { find, make, write } from "../page/elements";
import { Work } from "../page/work";
import { differenceOf, largestOf } from "./difference";
import type { ModelName, News, Wish } from "./messages";
import type { Look, Picture } from "./models/model";

const NOTHING = "nothing";

defineAttentionView();
const [model, setting, beside] = ["model", "setting", "beside"].map((id) =>
  find<HTMLSelectElement>(id),
);
const text = find<HTMLTextAreaElement>("text");
const difference = find<HTMLInputElement>("difference");
const views = [...document.querySelectorAll<AttentionView>("attention-view")];
const controls = [model, setting, beside, text, difference];

/** What was typed for each model, or the number of a picture. */
const inputs = new Map<string, string>();
let pictures: readonly Picture[] | undefined;
let across: number | undefined;
let asked = 0;

const work = new Work<News, Wish>((news) => {
  if (news.type === "ready") load();
  else if (news.type === "loaded") loaded(news);
  else if (news.id === asked) {
    if (news.type === "refused") write("status", news.reason);
    else looked(news);
  }
});

function load(): void {
  for (const control of controls) control.disabled = true;
  write("status", "Loading");
  work.wish({ type: "load", model: model.value as ModelName });
}

function loaded(news: News & { type: "loaded" }): void {
  if (news.model !== model.value) return;
  ({ pictures, across } = news);
  const options = (names: readonly string[]) =>
    names.map((value) => make("option", { value, textContent: value }));
  setting.replaceChildren(...options(news.settings));
  beside.replaceChildren(...options([NOTHING, ...news.settings]));
  if (!inputs.has(news.model)) inputs.set(news.model, news.beginning);
  const input = inputs.get(news.model) as string;
  find("typed").hidden = pictures !== undefined;
  find("pictures").hidden = pictures === undefined;
  if (pictures) find("pictures").replaceChildren(...buttons(pictures, input));
  else text.value = input;
  for (const control of controls) control.disabled = false;
  look();
}

function buttons(pictures: readonly Picture[], pressed: string): Node[] {
  return pictures.map((picture, at) => {
    const button = make(
      "button",
      { type: "button", onclick: () => choose(`${at}`) },
      draw(picture),
    );
    button.setAttribute("aria-label", picture.name);
    button.setAttribute("aria-pressed", `${pressed === `${at}`}`);
    return button;
  });
}

function choose(input: string): void {
  inputs.set(model.value, input);
  for (const [at, button] of [...find("pictures").children].entries())
    button.setAttribute("aria-pressed", `${input === `${at}`}`);
  look();
}

/** Ink on paper. */
function draw({ pixels, width, height }: Picture): HTMLCanvasElement {
  const canvas = make("canvas", { width, height });
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const light = 255 - pixels[i];
    image.data.set([light, light, light, 255], i * 4);
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

function look(): void {
  const input = inputs.get(model.value) as string;
  const settings = [setting.value, ...(beside.value === NOTHING ? [] : [beside.value])];
  difference.disabled = settings.length < 2;
  asked++;
  const name = model.value as ModelName;
  if (input.trim()) work.wish({ type: "look", id: asked, model: name, input, settings });
  else write("status", "Type something");
}

function looked({ looks, milliseconds }: News & { type: "looked" }): void {
  const [first, second] = looks;
  const differ = second && difference.checked ? differenceOf(first.maps, second.maps) : undefined;
  const shown = differ ? [{ maps: differ }] : looks;
  find("first").hidden = false;
  find("second").hidden = shown.length < 2;
  shown.forEach((each, at) => {
    views[at].maps = { ...each.maps, ...pictured() };
  });
  const name = differ ? `How “${setting.value}” and “${beside.value}” differ` : setting.value;
  write("firstName", name);
  write("firstSays", differ ? both(first, second, largestOf(shown[0].maps)) : first.says);
  write("secondName", beside.value);
  write("secondSays", second?.says ?? "");
  const pieces = first.maps.rows.length;
  write("status", `${pieces} rows, ${Math.round(milliseconds)} ms`);
  document.body.dataset.looks = `${asked}`;
}

const both = (first: Look, second: Look, most: number) =>
  `${first.says} · ${second.says} · No weight differs by more than ${(100 * most).toPrecision(2)} %`;

/** The chosen picture behind its patches. */
function pictured(): Pick<AttentionMaps, "image"> {
  if (!pictures || !across) return {};
  const source = draw(pictures[Number(inputs.get(model.value))]);
  return { image: { source, rows: across, columns: across, first: 1 } };
}

for (const view of views)
  view.addEventListener("attention-look", () => {
    const other = views.find((each) => each !== view && each.maps && each.isConnected);
    const { chosen } = view;
    if (!other || !chosen || find("second").hidden) return;
    if (other.chosen?.layer === chosen.layer && other.chosen?.head === chosen.head) return;
    other.chosen = chosen;
  });
model.addEventListener("change", load);
for (const control of [setting, beside, difference]) control.addEventListener("change", look);
text.addEventListener("input", () => {
  inputs.set(model.value, text.value);
  look();
});
