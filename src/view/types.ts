// What `<attention-view>` is given, and what it has for the page.

import type { Tensor } from "../tensor/tensor";

/** What a canvas can draw and what has a size: an image, a canvas, a video, an ImageBitmap. */
export interface PictureSource {
  /** A number, or what has one: an SVG image. */
  readonly width: unknown;
  /** As `width`. */
  readonly height: unknown;
}

/** An image whose patches are keys, row by row. */
export interface PatchImage {
  /** An image, a canvas, a video or an ImageBitmap; only where it is from the page's own origin can it be exported. */
  readonly source: PictureSource;
  /** Patches from top to bottom. */
  readonly rows: number;
  /** Patches from left to right. */
  readonly columns: number;
  /** The key that is the first patch; 0, or 1 after a class token. */
  readonly first?: number;
}

/** Keys around a query's own position; a side left out is unlimited. */
export interface AttentionWindow {
  /** Before it. */
  readonly left?: number | undefined;
  /** After it. */
  readonly right?: number | undefined;
}

/** Attention weights, and what they are of. */
export interface AttentionMaps {
  /** [layers?, heads, L, S] or [L, S], or for each layer a tensor [heads, L, S], [1, heads, L, S] or [L, S]. */
  readonly weights: Tensor | readonly Tensor[];
  /** The L tokens of the queries. */
  readonly rows: readonly string[];
  /** The S tokens of the keys; those of the queries where L = S, patches where there is an image. */
  readonly columns?: readonly string[];
  /** Where keys are patches of an image: rows · columns of them, from `first` on. */
  readonly image?: PatchImage;
  /** Axes as those of `weights` with D in place of S; with `key`, for the steps that lead to a weight. */
  readonly query?: Tensor | readonly Tensor[];
  /** As `query` with S in place of L, of as many heads or of a divisor of them. */
  readonly key?: Tensor | readonly Tensor[];
  /** The factor of each product of query and key, 1/√D. */
  readonly scale?: number;
  /** As in `attend`: `true` is `"upper-left"`. */
  readonly causal?: boolean | "upper-left" | "lower-right";
  /** As in `attend`: the position of the first query. */
  readonly queryOffset?: number;
  /** As in `attend`: so many keys before and after a query's own position. */
  readonly window?: AttentionWindow;
  /** Tokens in each page of a cache. */
  readonly pageSize?: number;
}

/** How the chosen head is drawn. */
export type AttentionPicture = "map" | "lines" | "image";

/** Rows and columns of a rectangle, counted from 0, the last ones included. */
export interface AttentionSelection {
  /** Of queries. */
  readonly rows: readonly [from: number, to: number];
  /** Of keys. */
  readonly columns: readonly [from: number, to: number];
}

/** One head, or the mean of several. */
export interface AttentionChoice {
  /** Counted from 0; undefined for the mean of all. */
  readonly layer: number | undefined;
  /** Counted from 0; undefined for a mean. */
  readonly head: number | undefined;
}

/** What the reader of a view looks at: `detail` of the event `attention-look`. */
export interface AttentionLook extends AttentionChoice {
  /** Of the query, counted from 0. */
  readonly row: number;
  /** Of the key, counted from 0. */
  readonly column: number;
  /** As it is shown: rescaled where sinks are hidden. */
  readonly weight: number;
  /** Whether it was clicked, or chosen by Enter. */
  readonly locked: boolean;
  /** The rectangle that is selected, if there is one. */
  readonly selection: AttentionSelection | undefined;
}

/**
 * The element `<attention-view>`. Its attribute `theme`, "light" or "dark", goes before what the system
 * prefers. It tells of each look by an event `attention-look`, whose `detail` is an {@link AttentionLook}.
 */
export interface AttentionView extends HTMLElement {
  /**
   * What is shown; undefined for nothing. It is checked and drawn when it is set: after a change inside,
   * set it again. Layer, head and place stay where they are if the new maps have them.
   * @throws ArgumentError for maps that do not fit together, and shows what it showed.
   */
  maps: AttentionMaps | undefined;
  /**
   * The head that is shown; undefined while there are no maps.
   * @throws ArgumentError for one that the maps do not have.
   */
  get chosen(): AttentionChoice | undefined;
  /** The same, to be shown. */
  set chosen(choice: AttentionChoice);
  /** How the chosen head is drawn. */
  picture: AttentionPicture;
  /** Whether columns that have more than 30 % of all weight are left out, and rows rescaled. */
  hideSinks: boolean;
  /** The chosen head, whole, as it is drawn; more than 128 rows or columns in squares of several. */
  toSVG(): Promise<string>;
  /**
   * The chosen head, whole, as a picture of at most 4096 × 4096 pixels.
   * @throws SecurityError if it has an image that the page may not read.
   */
  toPNG(): Promise<Blob>;
}
