// Pictures as SVG: the whole head, with its tokens.

import { colourOf, squares } from "./colours";
import { patchShares, sizeOf } from "./image";
import { LINE, linesOf } from "./lines";
import type { Palette, Scene } from "./scene";
import { token } from "./words";

/** Of a square; squares in a row or column at most; letters of a token, and their width. */
const [CELL, MOST, LETTERS, LETTER] = [16, 128, 24, 6.6];

const escaped = (text: string) =>
  text.replace(/\p{Cc}/gu, "").replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
const short = (text: string) => {
  const letters = [...token(text)];
  return escaped(
    letters.length > LETTERS ? `${letters.slice(0, LETTERS - 1).join("")}…` : letters.join(""),
  );
};
const roomFor = (labels: readonly string[]) =>
  Math.ceil(
    LETTER *
      Math.min(
        LETTERS,
        labels.reduce((most, label) => Math.max(most, label.length), 1),
      ),
  ) + 8;

/** Whatever a page's style says. */
const safe = (palette: Palette) =>
  Object.fromEntries(
    Object.entries(palette).map(([name, value]) => [name, escaped(value)]),
  ) as unknown as Palette;

function whole(palette: Palette, width: number, height: number, inside: string): string {
  const font = palette.font.replace(/^[\d.]+px /, "");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${font}" font-size="12"><rect width="100%" height="100%" fill="${palette.paper}"/>${inside}</svg>`;
}

export function svgMap(scene: Scene): string {
  const { maps, shown, ramp } = scene;
  const palette = safe(scene.palette);
  const size = [Math.min(shown.columns, MOST), Math.min(shown.rows, MOST)] as const;
  const [columns, rows] = size;
  const [left, top] = [roomFor(maps.rows), roomFor(maps.columns)];
  const region = { row: 0, column: 0, rows: shown.rows, columns: shown.columns };
  const found = squares(shown, maps.span, region, size);
  const parts: string[] = [
    `<pattern id="masked" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V4" stroke="${palette.line}"/></pattern>`,
    `<rect x="${left}" y="${top}" width="${columns * CELL}" height="${rows * CELL}" fill="url(#masked)"/>`,
  ];
  found.forEach((weight, at) => {
    if (weight < 0) return;
    const x = left + (at % columns) * CELL;
    const y = top + Math.floor(at / columns) * CELL;
    const colour = colourOf(weight / (shown.largest || 1), ramp);
    parts.push(`<rect x="${x}" y="${y}" width="15" height="15" fill="${colour}"/>`);
  });
  const scale = columns / shown.columns;
  for (let at = maps.pageSize ?? Infinity; at < shown.columns; at += maps.pageSize!) {
    const x = left + at * scale * CELL - 0.5;
    parts.push(`<path d="M${x} ${top}v${rows * CELL}" stroke="${palette.ink}"/>`);
  }
  parts.push(`<g fill="${palette.ink}">`);
  const text = (labels: readonly string[], at: number, count: number) =>
    short(labels[Math.floor((at * labels.length) / count)]!);
  for (let i = 0; i < rows; i++)
    parts.push(
      `<text x="${left - 5}" y="${top + i * CELL + 12}" text-anchor="end">${text(maps.rows, i, rows)}</text>`,
    );
  for (let j = 0; j < columns; j++)
    parts.push(
      `<text transform="translate(${left + j * CELL + 12} ${top - 5})rotate(-90)">${text(maps.columns, j, columns)}</text>`,
    );
  parts.push("</g>");
  return whole(palette, left + columns * CELL, top + rows * CELL, parts.join(""));
}

export function svgLines(scene: Scene): string {
  const { maps, shown } = scene;
  const palette = safe(scene.palette);
  const [left, right] = [roomFor(maps.rows), roomFor(maps.columns)];
  const to = left + 260;
  const middle = (at: number) => (at + 0.5) * LINE;
  const parts = [`<g fill="none" stroke="${palette.accent}">`];
  for (let row = 0; row < shown.rows; row++) {
    for (const { column, share } of linesOf(scene, row)) {
      const [y, end] = [middle(row), middle(column)];
      parts.push(
        `<path d="M${left + 4} ${y}C${left + 90} ${y} ${to - 90} ${end} ${to - 4} ${end}" stroke-width="${(1 + 3 * share).toFixed(2)}" opacity="${(0.15 + share * 0.85).toFixed(3)}"/>`,
      );
    }
  }
  parts.push(`</g><g fill="${palette.ink}">`);
  maps.rows.forEach((label, at) => {
    parts.push(`<text x="${left}" y="${middle(at) + 4}" text-anchor="end">${short(label)}</text>`);
  });
  maps.columns.forEach((label, at) => {
    parts.push(`<text x="${to}" y="${middle(at) + 4}">${short(label)}</text>`);
  });
  parts.push("</g>");
  const height = Math.max(shown.rows, shown.columns) * LINE;
  return whole(palette, to + right, height, parts.join(""));
}

/** `address` of the image, itself as data. */
export function svgImage(scene: Scene, address: string): string {
  const { source, rows, columns } = scene.maps.image!;
  const palette = safe(scene.palette);
  const [width, height] = sizeOf(source);
  const [w, h] = [width / columns, height / rows];
  const parts = [`<image width="${width}" height="${height}" href="${escaped(address)}"/>`];
  patchShares(scene, scene.at.row).forEach((share, patch) => {
    const [x, y] = [(patch % columns) * w, Math.floor(patch / columns) * h];
    parts.push(
      `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="${palette.paper}" opacity="${(0.82 * (1 - share)).toFixed(3)}"/>`,
    );
  });
  return whole(palette, width, height, parts.join(""));
}
