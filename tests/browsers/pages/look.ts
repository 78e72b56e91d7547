// <attention-view> in whatever browser opens this: what it draws, says and saves, in numbers.

import { type AttentionView, defineAttentionView } from "wasm-attention/view";
import { long, picture, text, words } from "./maps";
import { report } from "./report";

export interface Seen {
  /** After each of some keys. */
  readonly readings: readonly string[];
  readonly thumbnails: number;
  /** Colours that the canvas has, of each picture. */
  readonly colours: Record<"map" | "lines" | "image" | "long", number>;
  readonly svg: number;
  readonly png: readonly number[];
  readonly expected: readonly string[];
}

void report(async (): Promise<Seen> => {
  defineAttentionView();
  const view = document.createElement("attention-view") as AttentionView;
  document.body.append(view);
  const maps = text(2, 2, 12);
  view.maps = maps;
  const root = view.shadowRoot as ShadowRoot;
  const stage = root.querySelector("[part=stage]") as HTMLElement;
  const readings: string[] = [];
  stage.focus();
  for (const key of ["ArrowDown", "End", "ArrowDown", "Home", "Enter"]) {
    stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    readings.push(root.querySelector("[part=reading]")?.textContent ?? "");
  }
  const weights = maps.weights as { data: Float32Array };
  const share = (row: number, column: number) =>
    `${words[row]} → ${words[column]}: ${(weights.data[row * 12 + column] * 100).toFixed(1)} %`;
  const expected = [share(1, 0), `${words[1]} → ${words[11]}: masked`];
  expected.push(`${words[2]} → ${words[11]}: masked`, share(2, 0), `${share(2, 0)} (locked)`);
  const thumbnails = root.querySelectorAll("[part=thumbnail]").length;
  const svg = (await view.toSVG()).match(/<rect /g)?.length ?? 0;
  const png = [...new Uint8Array(await (await view.toPNG()).arrayBuffer()).subarray(0, 4)];
  const colours = { map: await coloursOf(root), lines: 0, image: 0, long: 0 };
  view.picture = "lines";
  colours.lines = await coloursOf(root);
  view.maps = picture();
  view.picture = "image";
  colours.image = await coloursOf(root);
  view.maps = long(4096);
  view.picture = "map";
  stage.scrollTo(20_000, 20_300);
  colours.long = await coloursOf(root);
  return { readings, expected, thumbnails, colours, svg, png };
});

/** Once it is drawn. */
async function coloursOf(root: ShadowRoot): Promise<number> {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  const canvas = root.querySelector("[part=canvas]") as HTMLCanvasElement;
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}
