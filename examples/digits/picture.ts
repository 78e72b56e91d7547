// Digits, and attention over digits, as pixels: for the terminal, and as PNG inside an SVG.

import { PNG } from "pngjs";
import { heat } from "../heat";
import { PATCH_SIDE, SIDE } from "./patches";

const ACROSS = SIDE / PATCH_SIDE;
const SHADES = [" ", "░", "▒", "▓", "█"];
/** How bright the paper glows, so that white ink is seen on it. */
const GLOW = 0.65;

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], red, green and blue. */
  readonly pixels: Uint8Array;
}

/** White ink on black, or on paper that glows where `attention`, a weight for each patch, is large. */
export function drawDigit(image: Uint8Array, attention?: Float32Array, scale = 1): Picture {
  const width = SIDE * scale;
  const pixels = new Uint8Array(width * width * 3);
  const largest = attention ? Math.max(...attention) : 1;
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < width; x++) {
      const ink = image[Math.floor(y / scale) * SIDE + Math.floor(x / scale)] / 255;
      const [across, down] = [(x + 0.5) / scale, (y + 0.5) / scale];
      const paper = attention ? heat(between(attention, across, down) / largest) : [0, 0, 0];
      for (let channel = 0; channel < 3; channel++) {
        pixels[(y * width + x) * 3 + channel] = 255 * ink + paper[channel] * GLOW * (1 - ink);
      }
    }
  }
  return { width, height: width, pixels };
}

/** The weight at a pixel, linear between the centres of the patches. */
function between(attention: Float32Array, x: number, y: number): number {
  const place = (pixel: number) => {
    const at = Math.min(Math.max(pixel / PATCH_SIDE - 0.5, 0), ACROSS - 1);
    const first = Math.min(Math.floor(at), ACROSS - 2);
    return [first, at - first];
  };
  const [column, right] = place(x);
  const [row, below] = place(y);
  const at = (r: number, c: number) => attention[(row + r) * ACROSS + column + c];
  const line = (r: number) => at(r, 0) * (1 - right) + at(r, 1) * right;
  return line(0) * (1 - below) + line(1) * below;
}

/** Two rows of pixels to a line of text; pictures of one height side by side. */
export function terminalLines(pictures: readonly Picture[], coloured: boolean): string[] {
  const [{ height }] = pictures;
  return Array.from({ length: height >> 1 }, (_, line) =>
    pictures.map((picture) => terminalLine(picture, 2 * line, coloured)).join("  "),
  );
}

function terminalLine({ width, pixels }: Picture, y: number, coloured: boolean): string {
  const colour = (x: number, row: number) => {
    const at = ((y + row) * width + x) * 3;
    return pixels.subarray(at, at + 3);
  };
  const cells = Array.from({ length: width }, (_, x) => {
    const [upper, lower] = [colour(x, 0), colour(x, 1)];
    if (coloured) {
      return `\u001b[38;2;${upper.join(";")};48;2;${lower.join(";")}m▀`;
    }
    const light = [...upper, ...lower].reduce((sum, value) => sum + value, 0) / (6 * 255);
    return SHADES[Math.round(light * (SHADES.length - 1))];
  });
  return cells.join("") + (coloured ? "\u001b[0m" : "");
}

/** A picture with a line of text below it. */
export interface Tile {
  readonly picture: Picture;
  readonly label: string;
  /** Of the text; grey by default. */
  readonly colour?: string;
}

const TILE = 84;
const GAP = 8;
const TEXT = 16;
const TITLE = 44;

/** Rows of tiles under a title, each row after its name. */
export function svg(
  title: string,
  rows: readonly { readonly name: string; readonly tiles: readonly Tile[] }[],
): string {
  const margin = Math.max(0, ...rows.map(({ name }) => name.length * 8));
  const most = Math.max(...rows.map(({ tiles }) => tiles.length));
  const [width, height] = [
    margin + most * (TILE + GAP) + GAP,
    TITLE + rows.length * (TILE + TEXT + GAP) + GAP,
  ];
  const lines = rows.flatMap(({ name, tiles }, row) => {
    const y = TITLE + row * (TILE + TEXT + GAP);
    return [
      `<text x="${GAP}" y="${y + TILE / 2}" fill="#ddd">${name}</text>`,
      ...tiles.flatMap(({ picture, label, colour = "#aaa" }, column) => {
        const x = margin + GAP + column * (TILE + GAP);
        return [
          `<image x="${x}" y="${y}" width="${TILE}" height="${TILE}" style="image-rendering:pixelated" href="data:image/png;base64,${png(picture).toString("base64")}"/>`,
          `<text x="${x + TILE / 2}" y="${y + TILE + 12}" fill="${colour}" text-anchor="middle">${label}</text>`,
        ];
      }),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#16161c"/>
<text x="${GAP}" y="28" fill="#fff" font-size="16">${title}</text>
${lines.join("\n")}
</svg>
`;
}

/** The picture as a PNG file. */
export function png({ width, height, pixels }: Picture): Buffer {
  const file = new PNG({ width, height });
  for (let i = 0; i < width * height; i++) {
    file.data.set(pixels.subarray(i * 3, i * 3 + 3), i * 4);
    file.data[i * 4 + 3] = 255;
  }
  return PNG.sync.write(file, { colorType: 2 });
}
