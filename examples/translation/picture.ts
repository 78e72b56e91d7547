// Alignments as an SVG: a row for each written piece, a column for each source piece.

import { DARK, heat, LIGHT } from "../heat";
import type { Alignment } from "./train";

const CELL = 30;
const LABEL = 96;
const GAP = 36;
/** Two lines of text, and the slanted words above the columns. */
const TOP = 46 + 64;
/** No letter of a title is wider. */
const LETTER = 10;
/** Colours of a scheme, so many and one. */
const SHADES = 20;
/** The scale, and the words below it. */
const LEGEND = 44;

export interface Titled extends Alignment {
  readonly from: string;
  readonly to: string;
}

const escaped = (text: string) =>
  text.replace(/[&<>"]/gu, (character) => `&#${character.codePointAt(0)};`);

/** A class for each shade. */
const shades = (stops: typeof DARK) =>
  Array.from(
    { length: SHADES + 1 },
    (_, shade) => `.h${shade}{fill:rgb(${heat(shade / SHADES, stops).join(" ")})}`,
  ).join("");

/** One below the other, in the colours of light and dark pages. */
export function picture(alignments: readonly Titled[]): string {
  const widths = alignments.flatMap(({ from, to, source }) => [
    LABEL + source.length * CELL + LABEL / 2,
    GAP + LETTER * Math.max(from.length, to.length + 2),
  ]);
  const width = Math.max(...widths, 480);
  let y = GAP / 2;
  const parts = alignments.map((alignment) => {
    const part = `<g transform="translate(${GAP / 2} ${y})">${map(alignment)}</g>`;
    y += TOP + alignment.target.length * CELL + GAP;
    return part;
  });
  parts.push(`<g transform="translate(${GAP / 2 + LABEL} ${y - GAP / 2})">${legend()}</g>`);
  y += LEGEND;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="system-ui, sans-serif" font-size="13">
<style>
  :root { color: #1b1926; background: #faf9fc }
  text { fill: currentColor }
  .title { font-size: 15px; font-weight: 600 }
  .axis { fill-opacity: 0.75; font-size: 12px }
  ${shades(LIGHT)}
  @media (prefers-color-scheme: dark) { :root { color: #efedf5; background: #14121c } ${shades(DARK)} }
</style>
${parts.join("\n")}
</svg>
`;
}

/** Rows are the pieces written, columns the pieces looked at. */
function legend(): string {
  const width = 8;
  const cells = Array.from({ length: SHADES + 1 }, (_, shade) => {
    return `<path class="h${shade}" d="M${shade * width} 0h${width}v10h-${width}z"/>`;
  });
  const end = (SHADES + 1) * width;
  return `${cells.join("")}<text class="axis" x="-8" y="10" text-anchor="end">0 %</text><text class="axis" x="${end + 8}" y="10">100 %</text><text class="axis" y="28">a row for each piece written, a column for each looked at</text>`;
}

function map({ from, to, source, target, weights }: Titled): string {
  const { data } = weights;
  const columns = source.map((piece, j) => {
    const x = LABEL + (j + 0.5) * CELL + 4;
    return `<text transform="translate(${x} ${TOP - 8}) rotate(-50)">${escaped(piece)}</text>`;
  });
  const rows = target.map((piece, i) => {
    const y = TOP + i * CELL;
    const cells = source.map((other, j) => {
      const weight = data[i * source.length + j];
      const shade = `h${Math.round(weight * SHADES)}`;
      const told = `${escaped(piece)} → ${escaped(other)}: ${(weight * 100).toFixed(1)} %`;
      return `<rect x="${LABEL + j * CELL}" y="${y}" width="${CELL - 2}" height="${CELL - 2}" rx="4" class="${shade}"><title>${told}</title></rect>`;
    });
    const label = `<text x="${LABEL - 10}" y="${y + CELL / 2 + 4}" text-anchor="end">${escaped(piece)}</text>`;
    return label + cells.join("");
  });
  const title = `<text y="14">${escaped(from)}</text><text class="title" y="34">→ ${escaped(to)}</text>`;
  return [title, ...columns, ...rows].join("\n");
}
