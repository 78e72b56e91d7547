// The words that were said, as buttons: by pointer or by arrow keys one of them is chosen.

import { make } from "../../page/elements";
import { Roving } from "../../page/roving";

export class Said {
  readonly #place: HTMLElement;
  readonly #roving: Roving;
  #buttons: readonly HTMLButtonElement[] = [];

  constructor(place: HTMLElement, choose: (at: number) => void) {
    this.#place = place;
    this.#roving = new Roving(place, {
      buttons: () => this.#buttons,
      press: (at) => {
        this.mark(at);
        choose(at);
      },
    });
  }

  /** Words that can be chosen, and after them a text that cannot yet. */
  show(words: readonly string[], unfinished = ""): void {
    const focused = this.#place.contains(document.activeElement);
    this.#buttons = words.map((textContent) => {
      const button = make("button", { type: "button", className: "word", textContent });
      button.setAttribute("aria-pressed", "false");
      return button;
    });
    this.#place.replaceChildren(
      ...this.#buttons.flatMap((button) => [button, " "]),
      make("span", { className: "unfinished", textContent: unfinished }),
    );
    this.#roving.renew();
    if (focused) this.#roving.here?.focus();
  }

  /** Shows a word as the chosen one. */
  mark(at: number): void {
    for (const [i, button] of this.#buttons.entries())
      button.setAttribute("aria-pressed", `${i === at}`);
  }
}
