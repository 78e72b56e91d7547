// The words that were said, as buttons: by pointer or by arrow keys one of them is chosen.

import { make } from "../../page/elements";

export class Said {
  readonly #place: HTMLElement;
  readonly #choose: (at: number) => void;
  #buttons: readonly HTMLButtonElement[] = [];
  /** The word that the arrow keys are at. */
  #at = 0;

  constructor(place: HTMLElement, choose: (at: number) => void) {
    this.#place = place;
    this.#choose = choose;
    place.addEventListener("click", ({ target }) => {
      const at = this.#buttons.indexOf(target as HTMLButtonElement);
      if (at >= 0) this.choose(at);
    });
    place.addEventListener("keydown", (pressed) => this.#move(pressed));
  }

  /** Words that can be chosen, and after them a text that cannot yet. */
  show(words: readonly string[], unfinished = ""): void {
    const focused = this.#place.contains(document.activeElement);
    this.#buttons = words.map((textContent) => {
      const button = make("button", { type: "button", className: "word", textContent });
      button.tabIndex = -1;
      button.setAttribute("aria-pressed", "false");
      return button;
    });
    this.#place.replaceChildren(
      ...this.#buttons.flatMap((button) => [button, " "]),
      make("span", { className: "unfinished", textContent: unfinished }),
    );
    this.#at = Math.min(this.#at, Math.max(0, words.length - 1));
    const here = this.#buttons[this.#at];
    if (!here) return;
    here.tabIndex = 0;
    if (focused) here.focus();
  }

  choose(at: number): void {
    this.#focusable(at);
    this.mark(at);
    this.#choose(at);
  }

  /** Shows a word as the chosen one. */
  mark(at: number): void {
    for (const [i, button] of this.#buttons.entries())
      button.setAttribute("aria-pressed", `${i === at}`);
  }

  #focusable(at: number): void {
    this.#buttons[this.#at].tabIndex = -1;
    this.#at = at;
    this.#buttons[at].tabIndex = 0;
  }

  #move(pressed: KeyboardEvent): void {
    const last = this.#buttons.length - 1;
    const to: Record<string, number> = {
      ArrowLeft: Math.max(this.#at - 1, 0),
      ArrowRight: Math.min(this.#at + 1, last),
      Home: 0,
      End: last,
    };
    if (!(pressed.key in to) || last < 0) return;
    pressed.preventDefault();
    this.choose(to[pressed.key]);
    this.#buttons[this.#at].focus();
  }
}
