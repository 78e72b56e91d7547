// Attention weights on a page: every head as a thumbnail, the chosen one as a table of coloured cells
// with its axes, its scale, and each value by pointer, touch or arrow keys.

import { DARK, heat, LIGHT } from "../heat";
import { make } from "./elements";

export interface Head {
  readonly name: string;
  /** [rows, columns] */
  readonly weights: Float32Array;
}

export interface Maps {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly heads: readonly Head[];
}

export interface Words {
  /** Which words are the rows, and which the columns. */
  readonly rows: string;
  readonly columns: string;
  /** The head that is chosen first. */
  readonly first: number;
  /** The weight that has the last colour; the head's largest if there is none. */
  readonly most?: number;
}

const HINT = "Point at a cell, touch it, or go there with the arrow keys to read its value.";
const dark = matchMedia("(prefers-color-scheme: dark)");
const percent = (weight: number) => `${(weight * 100).toFixed(1)} %`;

export class AttentionMap {
  readonly #words: Words;
  readonly #heads = make("div", { className: "heads" });
  readonly #table = make("table", { className: "map" });
  readonly #largest = make("span");
  readonly #value = make("p", { className: "value", textContent: HINT });
  readonly #whole: HTMLElement;
  #chosen: number;
  #shown: Maps | undefined;
  #labels = "";
  /** The cell that the arrow keys are at. */
  #at = 0;

  constructor(place: HTMLElement, words: Words) {
    this.#words = words;
    this.#chosen = words.first;
    this.#heads.setAttribute("role", "radiogroup");
    this.#heads.setAttribute("aria-label", "Head");
    this.#table.setAttribute("role", "grid");
    this.#table.setAttribute("aria-label", `${words.rows} in rows, ${words.columns} in columns`);
    const scale = make("p", { className: "scale" }, "0", make("span", { className: "ramp" }));
    scale.append(this.#largest);
    const axes = make(
      "div",
      { className: "axes" },
      make("p", { className: "across", textContent: `${words.columns} →` }),
      make("p", { className: "down", textContent: `${words.rows} →` }),
      this.#table,
      scale,
    );
    this.#whole = make("div", { hidden: true }, this.#heads);
    this.#whole.append(make("div", { className: "scroll" }, axes), this.#value);
    place.append(this.#whole);
    dark.addEventListener("change", () => this.#draw());
    const cellOf = ({ target }: Event) => (target as HTMLElement).closest<HTMLElement>("td[role]");
    for (const event of ["pointerover", "pointerdown", "focusin"])
      this.#table.addEventListener(event, (happened) => {
        const cell = cellOf(happened);
        if (cell) this.#read(Number(cell.dataset.at));
      });
    this.#table.addEventListener("keydown", (pressed) => this.#move(pressed));
  }

  /** Nothing at all. */
  clear(): void {
    this.#shown = undefined;
    this.#whole.hidden = true;
  }

  show(maps: Maps): void {
    this.#shown = maps;
    this.#whole.hidden = false;
    this.#chosen = Math.min(this.#chosen, maps.heads.length - 1);
    // The same words keep their cells, so that colours move and the focus stays.
    const labels = JSON.stringify([maps.rows, maps.columns]);
    if (labels !== this.#labels) this.#build(maps);
    this.#labels = labels;
    this.#draw();
  }

  #build({ rows, columns }: Maps): void {
    this.#at = 0;
    this.#value.textContent = HINT;
    const header = (scope: string, word: string) =>
      make("th", { scope }, make("span", { textContent: word }));
    const head = make("tr", {}, make("td"), ...columns.map((word) => header("col", word)));
    const body = rows.map((word, i) => {
      const cells = columns.map((_, j) => {
        const cell = make("td", { tabIndex: i + j === 0 ? 0 : -1, className: "cell" });
        cell.setAttribute("role", "gridcell");
        cell.dataset.at = `${i * columns.length + j}`;
        return cell;
      });
      return make("tr", {}, header("row", word), ...cells);
    });
    this.#table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
  }

  #draw(): void {
    if (!this.#shown) return;
    const { heads, columns, rows } = this.#shown;
    const stops = dark.matches ? DARK : LIGHT;
    const ramp = `linear-gradient(90deg, ${stops.map((stop) => `rgb(${stop})`)})`;
    this.#whole.style.setProperty("--ramp", ramp);
    const size = [columns.length, rows.length] as const;
    if (this.#heads.childElementCount !== heads.length)
      this.#heads.replaceChildren(...heads.map((_, index) => this.#thumbnail(index)));
    this.#heads.querySelectorAll("canvas").forEach((canvas, index) => {
      thumbnail(canvas, heads[index].weights, size, stops, this.#words.most);
    });
    const { weights } = heads[this.#chosen];
    const largest = this.#words.most ?? Math.max(...weights);
    this.#largest.textContent = percent(largest);
    this.#table.querySelectorAll<HTMLElement>(".cell").forEach((cell, at) => {
      cell.style.background = `rgb(${heat(weights[at] / largest, stops)})`;
      cell.dataset.weight = `${weights[at]}`;
    });
    if (this.#table.contains(document.activeElement)) this.#read(this.#at);
  }

  #thumbnail(index: number): HTMLElement {
    const { name } = (this.#shown as Maps).heads[index];
    const choice = make("input", { type: "radio", name: "head", checked: index === this.#chosen });
    choice.addEventListener("change", () => {
      this.#chosen = index;
      this.#draw();
    });
    return make("label", {}, choice, make("canvas"), make("span", { textContent: name }));
  }

  #read(at: number): void {
    if (!this.#shown) return;
    const { rows, columns, heads } = this.#shown;
    const cells = this.#table.querySelectorAll<HTMLElement>(".cell");
    cells[this.#at].tabIndex = -1;
    this.#at = at;
    cells[at].tabIndex = 0;
    const [from, to] = [rows[Math.floor(at / columns.length)], columns[at % columns.length]];
    const text = `${from} → ${to}: ${percent(heads[this.#chosen].weights[at])}`;
    cells[at].setAttribute("aria-label", text);
    this.#value.textContent = text;
  }

  #move(pressed: KeyboardEvent): void {
    if (!this.#shown) return;
    const [width, height] = [this.#shown.columns.length, this.#shown.rows.length];
    const [row, column] = [Math.floor(this.#at / width), this.#at % width];
    const to: Record<string, number> = {
      ArrowLeft: row * width + Math.max(column - 1, 0),
      ArrowRight: row * width + Math.min(column + 1, width - 1),
      ArrowUp: Math.max(row - 1, 0) * width + column,
      ArrowDown: Math.min(row + 1, height - 1) * width + column,
      Home: row * width,
      End: (row + 1) * width - 1,
    };
    if (!(pressed.key in to)) return;
    pressed.preventDefault();
    this.#table.querySelectorAll<HTMLElement>(".cell")[to[pressed.key]].focus();
  }
}

/** A pixel for each weight. */
function thumbnail(
  canvas: HTMLCanvasElement,
  weights: Float32Array,
  [width, height]: readonly [number, number],
  stops: typeof DARK,
  most = Math.max(...weights),
): void {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  weights.forEach((weight, at) => {
    pixels.data.set([...heat(weight / most, stops), 255], 4 * at);
  });
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
