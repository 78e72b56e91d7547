// Buttons one of which is in the tab order, by pointer and by keys: arrows, Home and End go to the others (WAI-ARIA
// Authoring Practices, "roving tabindex").

export interface Roved {
  /** In their order; those that a page has just now. */
  buttons(): readonly HTMLButtonElement[];
  /** Pressed, or reached by a key where `reach` is not given. */
  press(at: number): void;
  reach?(at: number): void;
}

export class Roving {
  readonly #roved: Roved;
  #at = 0;

  constructor(place: HTMLElement, roved: Roved) {
    this.#roved = roved;
    place.addEventListener("click", ({ target }) => {
      const at = roved.buttons().indexOf(target as HTMLButtonElement);
      if (at >= 0) this.#go(at, roved.press);
    });
    place.addEventListener("keydown", (pressed) => this.#move(pressed));
  }

  /** The button that is in the tab order. */
  get here(): HTMLButtonElement | undefined {
    return this.#roved.buttons()[this.#at];
  }

  /** Other buttons: at the same place as before, as far as there is one. */
  renew(): void {
    const buttons = this.#roved.buttons();
    this.#at = Math.min(this.#at, Math.max(0, buttons.length - 1));
    for (const [at, button] of buttons.entries()) button.tabIndex = at === this.#at ? 0 : -1;
  }

  #go(at: number, then: (at: number) => void): void {
    const buttons = this.#roved.buttons();
    buttons[this.#at].tabIndex = -1;
    this.#at = at;
    buttons[at].tabIndex = 0;
    then(at);
  }

  #move(pressed: KeyboardEvent): void {
    const last = this.#roved.buttons().length - 1;
    const to: Record<string, number> = {
      ArrowLeft: Math.max(this.#at - 1, 0),
      ArrowRight: Math.min(this.#at + 1, last),
      Home: 0,
      End: last,
    };
    if (!(pressed.key in to) || last < 0) return;
    pressed.preventDefault();
    this.#go(to[pressed.key], this.#roved.reach ?? this.#roved.press);
    this.here?.focus();
  }
}
