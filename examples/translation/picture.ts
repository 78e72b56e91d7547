// Alignments as an SVG: a row for each written piece, a column for each source piece.

import { heat } from "../heat";
import type { Alignment } from "./train";

const CELL = 30;
const LABEL = 96;
const GAP = 36;
/** Two lines of text, and the slanted words above the columns. */
const TOP = 46 + 64;
/** No letter of a title is wider. */
const LETTER = 10;

export interface Titled extends Alignment {
  readonly from: string;
  readonly to: string;
}

const escaped = (text: string) =>
  text.replace(/[&<>"]/gu, (character) => `&#${character.codePointAt(0)};`);

/** One below the other; readable on light and dark pages. */
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
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="system-ui, sans-serif" font-size="13">
<style>
  :root { color: #1b1926; background: #faf9fc }
  text { fill: currentColor }
  .title { font-size: 15px; font-weight: 600 }
  @media (prefers-color-scheme: dark) { :root { color: #efedf5; background: #14121c } }
</style>
${parts.join("\n")}
</svg>
`;
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
      const fill = `rgb(${heat(weight).join(" ")})`;
      const told = `${escaped(piece)} → ${escaped(other)}: ${(weight * 100).toFixed(1)} %`;
      return `<rect x="${LABEL + j * CELL}" y="${y}" width="${CELL - 2}" height="${CELL - 2}" rx="4" fill="${fill}"><title>${told}</title></rect>`;
    });
    const label = `<text x="${LABEL - 10}" y="${y + CELL / 2 + 4}" text-anchor="end">${escaped(piece)}</text>`;
    return label + cells.join("");
  });
  const title = `<text y="14">${escaped(from)}</text><text class="title" y="34">→ ${escaped(to)}</text>`;
  return [title, ...columns, ...rows].join("\n");
}
