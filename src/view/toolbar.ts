// The switches above the picture.

import { button, checkbox, make, radio } from "./dom";
import type { AttentionPicture } from "./types";

export interface Wishes {
  picture(picture: AttentionPicture): void;
  hideSinks(hide: boolean): void;
  lift(lifted: boolean): void;
  /** By this factor, or all of it. */
  zoom(by: number | "whole"): void;
  selecting(on: boolean): void;
  save(kind: "svg" | "png"): void;
}

const PICTURES: readonly AttentionPicture[] = ["map", "lines", "image"];

export class Toolbar {
  readonly element = make("div", { part: "toolbar" });
  readonly #pictures: readonly HTMLInputElement[];
  readonly #sinks: HTMLInputElement;
  readonly #zoom: HTMLElement;
  readonly #select: HTMLButtonElement;

  constructor(wishes: Wishes) {
    this.#pictures = PICTURES.map((picture, at) =>
      radio("picture", at, () => wishes.picture(picture)),
    );
    const options = PICTURES.map((picture, at) =>
      make("label", { part: "switch" }, this.#pictures[at]!, picture),
    );
    const sinks = checkbox("hide sinks", wishes.hideSinks);
    this.#sinks = sinks.input;
    this.#zoom = make(
      "fieldset",
      {},
      button("−", () => wishes.zoom(1 / 1.5), "Smaller"),
      button("+", () => wishes.zoom(1.5), "Larger"),
      button("whole", () => wishes.zoom("whole")),
    );
    this.#select = button("select", () => {
      const on = this.#select.getAttribute("aria-pressed") !== "true";
      this.#select.setAttribute("aria-pressed", `${on}`);
      wishes.selecting(on);
    });
    this.#select.setAttribute("aria-pressed", "false");
    this.element.append(
      make("fieldset", { role: "radiogroup", "aria-label": "Picture" }, ...options),
      sinks.label,
      checkbox("lift small weights", wishes.lift).label,
      this.#zoom,
      this.#select,
      make(
        "fieldset",
        {},
        button("SVG", () => wishes.save("svg"), "Save as SVG"),
        button("PNG", () => wishes.save("png"), "Save as PNG"),
      ),
    );
  }

  show(picture: AttentionPicture, hideSinks: boolean, image: boolean): void {
    this.#pictures[PICTURES.indexOf(picture)]!.checked = true;
    (this.#pictures[2]!.parentElement as HTMLElement).hidden = !image;
    this.#sinks.checked = hideSinks;
    this.#zoom.hidden = this.#select.hidden = picture !== "map";
  }
}
