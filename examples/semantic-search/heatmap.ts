// Attention weights as coloured cells in the terminal: a row for each piece that attends, a column
// for each piece attended to.

import { heat } from "../heat";

const SHADES = [" ", "░", "▒", "▓", "█"];

/** Lines of text; weights [rows, columns]. Without colour, shades of a block. */
export function heatmap(
  rows: readonly string[],
  columns: readonly string[],
  weights: Float32Array,
  coloured: boolean,
): string[] {
  const width = Math.min(12, Math.max(...rows.map((piece) => piece.length)));
  const label = (piece: string) => piece.slice(0, width).padStart(width);
  const largest = Math.max(...weights, Number.MIN_VALUE);
  const cell = (weight: number) => {
    if (!coloured) return SHADES[Math.round((weight / largest) * (SHADES.length - 1))].repeat(4);
    const [red, green, blue] = heat(weight / largest);
    const ink = red + green + blue > 380 ? 30 : 97;
    const percent = `${Math.round(weight * 100)}`.padStart(3);
    return `\u001b[${ink};48;2;${red};${green};${blue}m${percent} \u001b[0m`;
  };
  const lines = rows.map((piece, i) => {
    const row = weights.subarray(i * columns.length, (i + 1) * columns.length);
    return `${label(piece)} ${Array.from(row, cell).join("")}`;
  });
  const head = columns.map((piece) => piece.slice(0, 3).padStart(3).padEnd(4)).join("");
  return [`${" ".repeat(width)} ${head}`, ...lines];
}
