// Attention weights as coloured cells in the terminal: a row for each piece that attends, a column
// for each piece attended to.

/** From nothing to everything: dark blue over red to pale yellow, in 24-bit colours. */
const STOPS = [
  [12, 8, 38],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];
const SHADES = [" ", "░", "▒", "▓", "█"];

/** A weight's share of the largest one → [red, green, blue]. */
export function heat(share: number): [number, number, number] {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const below = Math.min(Math.floor(place), STOPS.length - 2);
  const mix = (channel: number) =>
    Math.round(
      STOPS[below][channel] + (STOPS[below + 1][channel] - STOPS[below][channel]) * (place - below),
    );
  return [mix(0), mix(1), mix(2)];
}

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
