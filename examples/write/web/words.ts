// A text of pieces as words that can be chosen, by pointer or by arrow keys, with a bar below each in the
// colour of its weight.

import { DARK, heat, LIGHT } from "../../heat";
import { make } from "../../page/elements";
import { Roving } from "../../page/roving";

export interface Word {
  readonly text: string;
  /** Its pieces: from, and to before which. */
  readonly from: number;
  readonly to: number;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export class Words {
  readonly #place: HTMLElement;
  readonly #choose: (word: Word) => void;
  readonly #roving: Roving;
  #words: Word[] = [];
  #buttons: HTMLButtonElement[] = [];
  #pieces = 0;
  #chosen: number | undefined;
  #weights: readonly number[] = [];

  constructor(place: HTMLElement, choose: (word: Word) => void) {
    this.#place = place;
    this.#choose = choose;
    this.#roving = new Roving(place, {
      buttons: () => this.#buttons,
      press: (at) => this.#press(at),
      reach() {},
    });
    dark.addEventListener("change", () => this.#draw());
  }

  get words(): readonly Word[] {
    return this.#words;
  }

  clear(): void {
    this.#words = [];
    this.#buttons = [];
    this.#pieces = 0;
    this.#roving.renew();
    this.forget();
    this.#place.replaceChildren();
  }

  /** No word is chosen any more. */
  forget(): void {
    this.#chosen = undefined;
    this.#weights = [];
    this.#draw();
  }

  add(pieces: readonly string[]): void {
    for (const piece of pieces) {
      const from = this.#pieces++;
      const last = this.#words.at(-1);
      if (piece.startsWith("\n")) {
        this.#place.append(make("span", { className: "paragraph" }));
        this.#append({ text: "¶", from, to: from + 1 });
      } else if (!last || last.text === "¶" || piece.startsWith(" ")) {
        if (piece !== "") this.#append({ text: piece.trim(), from, to: from + 1 });
      } else {
        const word = { ...last, text: last.text + piece, to: from + 1 };
        this.#words[this.#words.length - 1] = word;
        (this.#buttons.at(-1) as HTMLButtonElement).textContent = word.text;
      }
    }
  }

  #press(at: number): void {
    this.#chosen = at;
    this.#weights = [];
    this.#draw();
    this.#choose(this.#words[at]);
  }

  /** A weight for each piece; gives the sum for each word. */
  tint(weights: Float32Array): readonly number[] {
    this.#weights = this.#words.map(({ from, to }) =>
      weights.subarray(from, to).reduce((a, b) => a + b, 0),
    );
    this.#draw();
    return this.#weights;
  }

  #append(word: Word): void {
    const button = make("button", {
      type: "button",
      className: "word",
      textContent: word.text,
      tabIndex: this.#words.length === 0 ? 0 : -1,
    });
    button.setAttribute("aria-pressed", "false");
    this.#words.push(word);
    this.#buttons.push(button);
    this.#place.append(button, " ");
  }

  #draw(): void {
    const stops = dark.matches ? DARK : LIGHT;
    const largest = Math.max(...this.#weights, Number.MIN_VALUE);
    this.#buttons.forEach((button, at) => {
      const weight = this.#weights[at] ?? 0;
      button.setAttribute("aria-pressed", `${at === this.#chosen}`);
      button.dataset.weight = `${weight}`;
      button.style.borderBottomColor =
        weight > 0 ? `rgb(${heat(weight / largest, stops)})` : "transparent";
    });
  }
}
