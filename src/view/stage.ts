// The window in which a picture is drawn: one canvas of its size, that stays while what it looks at
// scrolls; pointer and keys become looks, locks and selections.

import { make } from "./dom";
import { between, type Cell, type Frame, within } from "./layout";
import type { Hit, Palette, Picture } from "./scene";
import type { AttentionSelection } from "./types";

export interface Watcher {
  /** `moved` by keys, which take a lock along. */
  look(hit: Hit, moved?: boolean): void;
  lock(hit?: Hit): void;
  /** Lock and selection are given up. */
  leave(): void;
  select(selection: AttentionSelection): void;
  focus(): void;
  /** Something of the picture's room has changed. */
  resize(): void;
}

/** Dots of a pixel at most, and rows that a page key goes. */
const [DENSEST, PAGE] = [3, 10];

export class Stage {
  readonly element = make("div", {
    part: "stage",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "attention map",
    "aria-describedby": "hint",
  });
  /** Whether a finger that moves selects, and does not scroll. */
  selecting = false;
  readonly #canvas = make("canvas", { part: "canvas", "aria-hidden": "true" });
  readonly #space = make("div", { class: "space" }, this.#canvas);
  readonly #watcher: Watcher;
  #picture: Picture | undefined;
  #at: Hit = { row: 0, column: 0 };
  #size: Cell = { row: 1, column: 1 };
  /** Where a selection began. */
  #anchor: Cell | undefined;
  #dragged = false;
  #waiting = false;

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
    this.element.append(this.#space);
    this.element.addEventListener("scroll", () => this.#later());
    this.element.addEventListener("keydown", (event) => this.#press(event));
    this.element.addEventListener("focus", () => watcher.focus());
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, () => {
        this.#anchor = undefined;
      });
    canvas.addEventListener("click", (event) => {
      const hit = this.#hit(event);
      if (!hit || this.#dragged) return;
      watcher.lock(hit);
    });
    new ResizeObserver(() => watcher.resize()).observe(this.element);
  }

  get context(): CanvasRenderingContext2D {
    return this.#canvas.getContext("2d") as CanvasRenderingContext2D;
  }

  /** Of 0 × 0 while it is not laid out. */
  get room(): { width: number; height: number } {
    const { clientWidth: width } = this.element;
    return { width, height: Number.parseFloat(getComputedStyle(this.element).maxHeight) || 480 };
  }

  /** By what the page's style makes of the element. */
  get palette(): Palette {
    const style = getComputedStyle(this.element);
    return {
      soft: style.color,
      ink: style.caretColor,
      paper: style.backgroundColor,
      line: style.borderTopColor,
      accent: style.outlineColor,
      font: `12px ${style.fontFamily}`,
    };
  }

  show(picture: Picture, at: Hit, size: Cell): void {
    this.#picture = picture;
    this.#at = at;
    this.#size = size;
    this.#space.style.width = `${picture.width}px`;
    this.#space.style.height = `${picture.height}px`;
    this.element.style.touchAction = this.selecting ? "none" : "";
    this.#canvas.style.touchAction = this.element.style.touchAction;
    this.#later();
  }

  reveal(): void {
    if (!this.#picture) return;
    const [x, y] = this.#picture.reveal(this.#frame(), this.#at);
    this.element.scrollTo(x, y);
  }

  #frame(): Frame {
    const { clientWidth, clientHeight, scrollLeft, scrollTop } = this.element;
    return { width: clientWidth, height: clientHeight, x: scrollLeft, y: scrollTop };
  }

  #later(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#paint();
    });
  }

  #paint(): void {
    if (!this.#picture) return;
    const frame = this.#frame();
    const dense = Math.min(devicePixelRatio, DENSEST);
    const [width, height] = [Math.round(frame.width * dense), Math.round(frame.height * dense)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      Object.assign(this.#canvas, { width, height });
      this.#canvas.style.width = `${frame.width}px`;
      this.#canvas.style.height = `${frame.height}px`;
    }
    const { context } = this;
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    this.#picture.paint(context, frame);
  }

  #hit({ clientX, clientY }: MouseEvent, near = false): Hit | undefined {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return this.#picture?.hit(this.#frame(), [clientX - left, clientY - top], near);
  }

  #down(event: PointerEvent): void {
    this.#dragged = false;
    if (event.button !== 0 || (event.pointerType === "touch" && !this.selecting)) return;
    this.#anchor = this.#hit(event);
    if (this.#anchor) this.#canvas.setPointerCapture(event.pointerId);
  }

  #move(event: PointerEvent): void {
    const hit = this.#hit(event, this.#anchor !== undefined);
    if (!hit) return;
    if (!this.#anchor) {
      this.#watcher.look(hit);
      return;
    }
    const { row, column } = this.#anchor;
    if (!this.#dragged && hit.row === row && hit.column === column) return;
    this.#dragged = true;
    this.#watcher.select(between(this.#anchor, hit));
  }

  #press(event: KeyboardEvent): void {
    if (!this.#picture || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") this.#watcher.lock();
    else if (event.key === "Escape") this.#watcher.leave();
    else {
      const to = this.#target(event);
      if (!to) return;
      const from = this.#at;
      this.#watcher.look({ ...to, side: "row" }, true);
      if (event.shiftKey) {
        this.#anchor ??= from;
        this.#watcher.select(between(this.#anchor, to));
      } else this.#anchor = undefined;
      this.reveal();
    }
    event.preventDefault();
  }

  /** Where a key leads. */
  #target({ key, ctrlKey }: KeyboardEvent): Cell | undefined {
    const { row, column } = this.#at;
    const { down = { row: 1, column: 0 } } = this.#picture as Picture;
    const [rows, columns] = [this.#size.row, this.#size.column];
    const places: Record<string, readonly [row: number, column: number]> = {
      ArrowRight: [row, column + 1],
      ArrowLeft: [row, column - 1],
      ArrowDown: [row + down.row, column + down.column],
      ArrowUp: [row - down.row, column - down.column],
      Home: [ctrlKey ? 0 : row, 0],
      End: [ctrlKey ? rows - 1 : row, columns - 1],
      PageDown: [row + PAGE, column],
      PageUp: [row - PAGE, column],
    };
    const to = places[key];
    return to && { row: within(to[0], rows), column: within(to[1], columns) };
  }
}
