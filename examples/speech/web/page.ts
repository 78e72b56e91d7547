// The page: sound from the microphone, a file or the example becomes text, and each word says where in the sound
// it looked. All listening happens in the worker.

import { type AttentionView, defineAttentionView } from "wasm-attention/view";
import { find, write } from "../../page/elements";
import { Work } from "../../page/work";
import { FOLLOWING } from "../shape";
import { timeOf } from "../sound";
import { mapsOf } from "../words";
import type { News, Piece, Wish } from "./messages";
import { decoded, Microphone } from "./microphone";
import { Said } from "./said";
import { SpectrumPicture } from "./spectrum";

const record = find<HTMLButtonElement>("record");
const file = find<HTMLInputElement>("file");
const example = find<HTMLButtonElement>("example");
const canvas = find<HTMLCanvasElement>("spectrum");

defineAttentionView();
const view = document.querySelector("attention-view") as AttentionView;
const picture = new SpectrumPicture(canvas, find("axis"));
const said = new Said(find("text"), look);
let microphone: Microphone | undefined;
let id = 0;
/** A sound is at the worker, and not heard to its end. */
let busy = false;
let pieces: readonly Piece[] = [];
/** Those of the sound that is being heard. */
let arriving: Piece[] = [];
/** Of the piece that is being heard. */
let unfinished = "";
/** The piece that is shown, as the view has it. */
let mapped: Piece | undefined;
const work = new Work<News, Wish>(hear);

function hear(news: News) {
  if ("id" in news && news.id !== id) return;
  switch (news.type) {
    case "progress":
      enable(false);
      find<HTMLProgressElement>("progress").value = news.share;
      write("about", `Loading the model: ${Math.round(news.share * 100)} %`);
      break;
    case "ready":
      enable(true);
      find("progress").hidden = true;
      write(
        "about",
        `Moonshine tiny · ${news.parameters.toLocaleString("en")} parameters · ${news.build}`,
      );
      write("status", "Record, choose a file, or hear the example");
      break;
    case "said":
      unfinished = news.text;
      // A microphone's sound is heard again each time there is more: the text stays until there is another.
      if (!microphone) showText();
      break;
    case "heard":
      unfinished = "";
      arriving.push(news.piece);
      if (microphone) break;
      pieces = [...arriving];
      showText();
      showPiece(news.piece);
      break;
    case "done": {
      const { seconds, milliseconds } = news;
      busy = false;
      pieces = arriving;
      showText();
      const last = pieces.at(-1);
      if (last) showPiece(last);
      write("seconds", `${seconds.toFixed(1)} s`);
      write("spent", `${(milliseconds / 1000).toFixed(2)} s`);
      write("factor", (milliseconds / 1000 / seconds).toFixed(2));
      if (microphone) break;
      const some = pieces.some(({ words }) => words.length > 0);
      become(some ? "Choose a word to see where it looked" : "Nothing was heard");
      showMaps();
    }
  }
}

function enable(all: boolean) {
  for (const control of [record, file, example]) control.disabled = !all;
}

/** Hears a sound that goes on from the pieces that are kept. */
function listen(sound: Float32Array, at = 0, kept: readonly Piece[] = []) {
  arriving = [...kept];
  unfinished = "";
  busy = true;
  work.wish({ id: ++id, at, sound });
}

/** Hears what the microphone has so far: all pieces but the last end where it was quiet, and stay. */
async function listenOn(from: Microphone) {
  const at = pieces.at(-1)?.at ?? 0;
  const kept = pieces.slice(0, -1);
  busy = true;
  listen(await from.sound(at), at, kept);
}

/** A whole sound, of a file. */
async function listenTo(bytes: Promise<ArrayBuffer>) {
  stop();
  try {
    const sound = await decoded(await bytes);
    pieces = [];
    showText();
    become("Listening", "listening");
    listen(sound);
  } catch (error) {
    become((error as Error).message);
  }
}

/** The only place that is read aloud. */
function become(status: string, state = "still") {
  document.body.dataset.state = state;
  write("status", status);
}

function showText() {
  said.show(
    pieces.flatMap(({ words }) => words.map(({ text }) => text)),
    unfinished,
  );
}

function showPiece({ at, seconds, spectrum }: Piece, look?: Float32Array) {
  find("sound").hidden = false;
  picture.show({ at, seconds, spectrum, look });
  const looked = look ? ", lit up where the word looked" : "";
  canvas.setAttribute(
    "aria-label",
    `Spectrogram of ${seconds.toFixed(1)} seconds from ${at.toFixed(1)} on${looked}`,
  );
}

function showMaps(piece = pieces.at(-1)) {
  find("heads").hidden = !piece?.words.length;
  if (!piece?.words.length || piece === mapped) return;
  mapped = piece;
  const { words, at } = piece;
  const first = !view.maps;
  view.maps = {
    weights: mapsOf(words),
    rows: words.map(({ text }) => text),
    columns: Array.from(words[0].look, (_, frame) => `${(at + timeOf(frame)).toFixed(2)} s`),
  };
  // One that goes along with the words; a head that was chosen meanwhile stays.
  const [[layer, head]] = FOLLOWING;
  if (first) view.chosen = { layer, head };
}

function look(at: number) {
  let first = 0;
  for (const piece of pieces) {
    const word = piece.words[at - first];
    first += piece.words.length;
    if (at >= first) continue;
    showPiece(piece, word.look);
    showMaps(piece);
    write("looked", `“${word.text}” looked most at ${(piece.at + word.time).toFixed(2)} s.`);
    document.body.dataset.word = `${at}`;
    return;
  }
}

/** Closes the microphone, and gives it back for its sound. */
function stop(): Microphone | undefined {
  const closed = microphone;
  microphone?.close();
  microphone = undefined;
  record.textContent = "Record";
  record.setAttribute("aria-pressed", "false");
  return closed;
}

async function start() {
  record.disabled = true;
  try {
    pieces = [];
    microphone = await Microphone.open(() => {
      if (microphone && !busy) listenOn(microphone);
    });
    busy = false;
    showText();
    record.textContent = "Stop";
    record.setAttribute("aria-pressed", "true");
    become("Speak", "recording");
  } catch (error) {
    become((error as Error).message);
  }
  record.disabled = false;
}

record.addEventListener("click", () => {
  if (!microphone) return start();
  const closed = stop();
  become("Listening", "listening");
  if (closed) listenOn(closed);
});
file.addEventListener("change", () => {
  const [chosen] = file.files ?? [];
  if (chosen) listenTo(chosen.arrayBuffer());
});
example.addEventListener("click", () => {
  listenTo(fetch("example.wav").then((response) => response.arrayBuffer()));
});
