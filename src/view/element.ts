// The element: what is chosen, and what follows from it when it changes.

import { describeBeside, type Parts, partsBeside, reading } from "./beside";
import { rampOf } from "./colours";
import { imagePicture, whenLoaded } from "./image";
import { linesOf, linesPicture } from "./lines";
import { mapPicture } from "./map";
import { checkMaps, type Maps } from "./maps";
import { choiceAt, choicesOf, Overview, partsOf } from "./overview";
import { refuse } from "./refusal";
import { drawingOf, type Hit, type Picture, Raster, type Scene } from "./scene";
import { meanOf, type Shown, show, weightAt } from "./shown";
import { Stage } from "./stage";
import { dress } from "./style";
import { isWithin } from "./sums";
import { Toolbar } from "./toolbar";
import type {
  AttentionChoice,
  AttentionLook,
  AttentionMaps,
  AttentionPicture,
  AttentionSelection,
  AttentionView,
} from "./types";

/** Room for a picture that is exported, and rows or columns up to which its words can be read. */
const [EXPORTED, READABLE] = [{ width: 2048, height: 2048 }, 128];

const nothing = () => refuse("maps", "maps to draw", undefined);

/** A class of its own at each call: there is none before there is a document. */
export function elementClass(): CustomElementConstructor {
  return class extends HTMLElement implements AttentionView {
    static readonly observedAttributes = ["theme"];

    #given: AttentionMaps | undefined;
    #maps: Maps | undefined;
    #shown: Shown | undefined;
    #chosen = 0;
    #picture: AttentionPicture = "map";
    #hideSinks = false;
    #lifted = false;
    #cell: number | "whole" | undefined;
    #at: Hit = { row: 0, column: 0 };
    #looking = false;
    #locked = false;
    #selection: AttentionSelection | undefined;
    #ramp: { key: string; colours: Uint8Array } | undefined;
    /** What the panels were last made for. */
    #panelled: readonly unknown[] = [];

    readonly #raster = new Raster();
    readonly #stage: Stage;
    readonly #overview = new Overview((index) => this.#choose(index));
    readonly #toolbar: Toolbar;
    readonly #parts: Parts;

    constructor() {
      super();
      this.#stage = new Stage({
        look: (hit, moved) => this.#look(hit, moved),
        lock: (hit = this.#at) => {
          const same = hit.row === this.#at.row && hit.column === this.#at.column;
          this.#change({ at: hit, locked: !(this.#locked && same) });
        },
        leave: () => this.#change({ locked: false, selection: undefined }),
        select: (selection) => this.#change({ selection }),
        focus: () => this.#change({}),
        resize: () => this.#draw(),
      });
      this.#toolbar = new Toolbar({
        picture: (picture) => {
          this.picture = picture;
        },
        hideSinks: (hide) => {
          this.hideSinks = hide;
        },
        lift: (lifted) => {
          this.#lifted = lifted;
          this.#draw();
        },
        zoom: (by) => this.#zoom(by),
        selecting: (on) => {
          this.#stage.selecting = on;
          this.#draw();
        },
        save: (kind) => void import("./svg").then(({ save }) => save(this, kind)),
      });
      this.#parts = partsBeside([this.#toolbar, this.#overview, this.#stage]);
      const { row, view } = this.#parts;
      row.addEventListener("input", () =>
        this.#look({ ...this.#at, row: row.valueAsNumber }, true),
      );
      const root = this.attachShadow({ mode: "open" });
      dress(root);
      root.append(view);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    }

    connectedCallback(): void {
      // What was set before there was this class.
      for (const name of ["maps", "picture", "hideSinks", "chosen"] as const) {
        if (!Object.hasOwn(this, name)) continue;
        const value = this[name];
        delete (this as Partial<AttentionView>)[name];
        Object.assign(this, { [name]: value });
      }
      this.#draw();
    }

    attributeChangedCallback(): void {
      this.#draw();
    }

    get maps(): AttentionMaps | undefined {
      return this.#given;
    }

    set maps(given: AttentionMaps | undefined) {
      const maps = given === undefined ? undefined : checkMaps(given);
      this.#given = given;
      this.#maps = maps;
      this.#parts.view.hidden = !maps;
      if (!maps) return;
      const last = { row: maps.rows.length - 1, column: maps.columns.length - 1 };
      const { row, column } = this.#at;
      this.#at = { row: Math.min(row, last.row), column: Math.min(column, last.column) };
      if (row > last.row || column > last.column) this.#locked = false;
      if (this.#selection && !isWithin(this.#selection, last)) this.#selection = undefined;
      this.#chosen = Math.min(this.#chosen, choicesOf(maps).length - 1);
      if (!maps.image && this.#picture === "image") this.#picture = "map";
      whenLoaded(maps.image?.source, () => this.#draw());
      this.#parts.row.max = `${last.row}`;
      this.#reshow();
    }

    get chosen(): AttentionChoice | undefined {
      return this.#maps && choicesOf(this.#maps)[this.#chosen];
    }

    set chosen(choice: AttentionChoice) {
      const at = this.#maps ? choiceAt(this.#maps, choice) : -1;
      if (at < 0) refuse("chosen", "a layer and a head of the maps, or no head for a mean", choice);
      this.#chosen = at;
      this.#reshow();
    }

    get picture(): AttentionPicture {
      return this.#picture;
    }

    set picture(picture: AttentionPicture) {
      const all = this.#maps?.image || !this.#maps ? ["map", "lines", "image"] : ["map", "lines"];
      if (!all.includes(picture)) refuse("picture", `one of ${all.join(", ")}`, picture);
      this.#picture = picture;
      this.#draw();
      this.#stage.reveal();
    }

    get hideSinks(): boolean {
      return this.#hideSinks;
    }

    set hideSinks(hide: boolean) {
      this.#hideSinks = Boolean(hide);
      this.#reshow();
    }

    async toSVG(): Promise<string> {
      const [scene, kind] = [this.#scene() ?? nothing(), this.#picture];
      const { svgImage, svgLines, svgMap } = await import("./svg");
      if (kind === "image") return svgImage(scene.palette, this.#drawn(scene, EXPORTED));
      if (kind === "map") return svgMap(drawingOf(scene));
      return svgLines(
        drawingOf(scene),
        scene.maps.rows.flatMap((_, row) => linesOf(scene, row)),
      );
    }

    async toPNG(): Promise<Blob> {
      const scene = this.#scene() ?? nothing();
      const { columns, rows } = scene.shown;
      const cell = Math.max(columns, rows) > READABLE ? "whole" : undefined;
      const picture = this.#drawn({ ...scene, looking: scene.locked }, EXPORTED, cell);
      return (await import("./svg")).png(picture);
    }

    #choose(index: number): void {
      this.#chosen = index;
      this.#reshow();
      this.#tell();
    }

    /** What is locked stays, but for keys. */
    #look(hit: Hit, moved = false): void {
      if (!this.#locked || moved) this.#change({ at: hit });
    }

    #change(to: { at?: Hit; locked?: boolean; selection?: AttentionSelection | undefined }): void {
      if (to.at) this.#at = to.at;
      if (to.locked !== undefined) this.#locked = to.locked;
      if ("selection" in to) this.#selection = to.selection;
      this.#looking = true;
      this.#draw();
      this.#tell();
    }

    #tell(): void {
      const { chosen } = this;
      if (!chosen || !this.#shown) return;
      const { row, column } = this.#at;
      const weight = weightAt(this.#shown, row, column);
      const [locked, selection] = [this.#locked, this.#selection];
      const detail: AttentionLook = { ...chosen, row, column, weight, locked, selection };
      this.dispatchEvent(new CustomEvent("attention-look", { detail }));
    }

    #zoom(by: number | "whole"): void {
      const scene = this.#scene();
      if (!scene) return;
      const { layout } = mapPicture(scene, this.#stage.context, this.#mapping());
      this.#cell = by === "whole" ? by : Math.min(Math.max(layout.cell * by, 0.05), 64);
      this.#draw();
      if (this.#looking) this.#stage.reveal();
    }

    #mapping(room = this.#stage.room, cell = this.#cell) {
      return { room, cell, raster: this.#raster };
    }

    #reshow(): void {
      if (!this.#maps) return;
      const { weights: all } = this.#maps;
      const choice = choicesOf(this.#maps)[this.#chosen]!;
      const parts = partsOf(this.#maps, choice).map(([layer, head]) => all.at(layer, head));
      const weights = parts.length === 1 ? parts[0]! : meanOf(parts);
      const { rows, columns } = all;
      this.#shown = show(weights, rows, columns, this.#hideSinks);
      this.#draw();
    }

    #scene(): Scene | undefined {
      if (!this.#maps || !this.#shown) return undefined;
      const dark = getComputedStyle(this).getPropertyValue("--dark").trim() === "1";
      const key = `${dark}${this.#lifted}`;
      if (this.#ramp?.key !== key)
        this.#ramp = { key, colours: rampOf(dark ? "dark" : "light", this.#lifted) };
      return {
        maps: this.#maps,
        shown: this.#shown,
        ramp: this.#ramp.colours,
        palette: this.#stage.palette,
        at: this.#at,
        looking: this.#looking,
        locked: this.#locked,
        selection: this.#selection,
      };
    }

    #drawn(scene: Scene, room = this.#stage.room, cell = this.#cell): Picture {
      if (this.#picture === "lines") return linesPicture(scene, room);
      if (this.#picture === "image") return imagePicture(scene, room);
      return mapPicture(scene, this.#stage.context, this.#mapping(room, cell));
    }

    #draw(): void {
      const scene = this.isConnected ? this.#scene() : undefined;
      if (!scene || this.#stage.room.width === 0) return;
      const { maps, shown, ramp, at } = scene;
      const size = { row: shown.rows, column: shown.columns };
      this.#stage.show(this.#drawn(scene), at, size);
      this.#toolbar.show(this.#picture, this.#hideSinks, maps.image !== undefined);
      this.#overview.show(maps, this.#chosen, ramp);
      describeBeside(this.#parts, scene, choicesOf(maps)[this.#chosen]!, this.#picture);
      this.#say(scene);
    }

    #say({ maps, shown, at, looking, locked, selection }: Scene): void {
      const made = [maps, shown, at.row, at.column, looking, locked, selection];
      if (made.every((value, place) => value === this.#panelled[place])) return;
      this.#panelled = made;
      const text = looking ? reading(maps, shown, at) + (locked ? " (locked)" : "") : "";
      this.#parts.reading.textContent = text;
      if (!locked && !selection) {
        this.#parts.panels.replaceChildren();
        return;
      }
      const choice = choicesOf(maps)[this.#chosen]!;
      void import("./panels").then(({ selectionPanel, stepsPanel }) => {
        if (made !== this.#panelled) return;
        const panels = [
          selection && selectionPanel(maps, shown, selection),
          locked && stepsPanel(maps, shown, choice, at),
        ];
        this.#parts.panels.replaceChildren(...panels.filter((panel) => panel instanceof Node));
      });
    }
  };
}
