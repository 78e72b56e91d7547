// Pictures as SVG, and as PNG. A part of its own, loaded when a picture is asked for: it is given all it
// needs, and shares no code with the rest.

import type { Line } from "./lines";
import type { Palette, Picture } from "./scene";
import type { AttentionView } from "./types";

/** The whole of a head, with what stands beside it. */
export interface Drawing {
  readonly palette: Palette;
  /** As they are shown. */
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly pageSize: number | undefined;
  /** RGBA of squares, [height · width · 4], clear where all is masked. */
  readonly squares: {
    readonly data: Uint8ClampedArray;
    readonly width: number;
    readonly height: number;
  };
}

/** Of a square, and of a token in a list; letters of a token, and their widths in the widest of usual fonts. */
const [CELL, LINE, LETTERS, LETTER, WIDE] = [16, 20, 24, 7.4, 13];
/** East Asian scripts and pictures, and what stands for half of one. */
const FIRST_WIDE = "\u1100";
/** Of an exported picture, each way. */
const MOST_PIXELS = 4096;

/** Colours come from the page's style, whatever that says. */
const escaped = (text: string) =>
  text.replace(/\p{Cc}/gu, "").replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
const widthOf = (label: string) =>
  [...label]
    .slice(0, LETTERS)
    .reduce((sum, letter) => sum + (letter < FIRST_WIDE ? LETTER : WIDE), 0);
const roomFor = (labels: readonly string[]) =>
  Math.ceil(labels.reduce((most, label) => Math.max(most, widthOf(label)), LETTER)) + 8;

/** A token at a place, by the attributes that put it there. */
function text(label: string, place: string): string {
  const letters = [...label];
  const short = letters.length > LETTERS ? [...letters.slice(0, LETTERS - 1), "…"] : letters;
  return `<text ${place}>${escaped(short.join(""))}</text>`;
}

function svg(palette: Palette, width: number, height: number, inside: readonly string[]): string {
  const [ink, font] = [escaped(palette.ink), escaped(palette.font.replace("12px ", ""))];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${font}" font-size="12" fill="${ink}"><rect width="100%" height="100%" fill="${escaped(palette.paper)}"/>${inside.join("")}</svg>`;
}

/** A rectangle for each square that is not clear; a label for each row and column of them. */
export function svgMap({ palette, rows, columns, pageSize, squares }: Drawing): string {
  const { data } = squares;
  const [left, top] = [roomFor(rows), roomFor(columns)];
  const [width, height] = [squares.width * CELL, squares.height * CELL];
  const parts = [
    `<pattern id="masked" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V4" stroke="${escaped(palette.line)}"/></pattern><rect x="${left}" y="${top}" width="${width}" height="${height}" fill="url(#masked)"/>`,
  ];
  for (let at = 0; at < data.length / 4; at++) {
    if (data[4 * at + 3] === 0) continue;
    const x = left + (at % squares.width) * CELL;
    const y = top + Math.floor(at / squares.width) * CELL;
    const colour = `rgb(${data.slice(4 * at, 4 * at + 3).join()})`;
    parts.push(`<rect x="${x}" y="${y}" width="15" height="15" fill="${colour}"/>`);
  }
  const page = pageSize ?? Infinity;
  for (let at = page; at < columns.length; at += page) {
    const x = left + (at / columns.length) * width - 0.5;
    parts.push(`<path d="M${x} ${top}v${height}" stroke="${escaped(palette.ink)}"/>`);
  }
  const pick = (labels: readonly string[], at: number, count: number) =>
    labels[Math.floor((at * labels.length) / count)]!;
  for (let i = 0; i < squares.height; i++) {
    const place = `x="${left - 5}" y="${top + i * CELL + 12}" text-anchor="end"`;
    parts.push(text(pick(rows, i, squares.height), place));
  }
  for (let j = 0; j < squares.width; j++) {
    const place = `translate(${left + j * CELL + 12} ${top - 5})rotate(-90)`;
    parts.push(text(pick(columns, j, squares.width), `transform="${place}"`));
  }
  return svg(palette, left + width, top + height, parts);
}

export function svgLines({ palette, rows, columns }: Drawing, lines: readonly Line[]): string {
  const left = roomFor(rows);
  const to = left + 260;
  const middle = (at: number) => (at + 0.5) * LINE;
  const parts = [`<g fill="none" stroke="${escaped(palette.accent)}">`];
  for (const { row, column, share } of lines) {
    const [y, end] = [middle(row), middle(column)];
    const path = `M${left + 4} ${y}C${left + 90} ${y} ${to - 90} ${end} ${to - 4} ${end}`;
    const strong = `stroke-width="${(1 + 3 * share).toFixed(2)}" opacity="${share.toFixed(3)}"`;
    parts.push(`<path d="${path}" ${strong}/>`);
  }
  parts.push("</g>");
  rows.forEach((label, at) => {
    parts.push(text(label, `x="${left}" y="${middle(at) + 4}" text-anchor="end"`));
  });
  columns.forEach((label, at) => {
    parts.push(text(label, `x="${to}" y="${middle(at) + 4}"`));
  });
  return svg(palette, to + roomFor(columns), Math.max(rows.length, columns.length) * LINE, parts);
}

/** As pixels inside. */
export function svgImage(palette: Palette, picture: Picture): string {
  const { width, height } = picture;
  const address = painted(picture).toDataURL();
  const image = `<image width="${width}" height="${height}" href="${address}"/>`;
  return svg(palette, width, height, [image]);
}

function painted(picture: Picture): HTMLCanvasElement {
  const { width, height } = picture;
  const scale = Math.min(2, MOST_PIXELS / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(height * scale);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.scale(scale, scale);
  picture.paint(context, { width, height, x: 0, y: 0 });
  return canvas;
}

export function png(picture: Picture): Promise<Blob> {
  return new Promise((resolve, reject) =>
    painted(picture).toBlob((blob) =>
      blob ? resolve(blob) : reject(new RangeError("no room for the picture")),
    ),
  );
}

/** Saves the chosen head as a file. */
export async function save(view: AttentionView, kind: "svg" | "png"): Promise<void> {
  const type = "image/svg+xml";
  const made = kind === "png" ? await view.toPNG() : new Blob([await view.toSVG()], { type });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(made);
  link.download = `attention.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
