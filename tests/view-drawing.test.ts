// How <attention-view> draws: squares, colours, where cells lie, words, SVG.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pixelsOf, rampOf, squares } from "../src/view/colours";
import { digits } from "../src/view/detail";
import {
  cellAt,
  heightOf,
  readableCell,
  reveal,
  visibleCells,
  wholeCell,
  widthOf,
} from "../src/view/layout";
import { checkMaps } from "../src/view/maps";
import { choiceAt } from "../src/view/overview";
import { shortened } from "../src/view/scene";
import { show } from "../src/view/shown";
import { type Drawing, svgLines, svgMap } from "../src/view/svg";
import { percent, token } from "../src/view/words";
import { randomArray } from "./engines";

const tokens = (count: number) => Array.from({ length: count }, (_, at) => `t${at}`);

const everything = (rows: number, columns: number) => ({ row: 0, column: 0, rows, columns });

test("squares: the largest of their cells, clear where all is masked or hidden", () => {
  const [L, S] = [5, 7];
  const data = randomArray(L * S, 5).map(Math.abs);
  const maps = checkMaps({
    weights: { data, dims: [L, S] },
    rows: tokens(L),
    columns: tokens(S),
    causal: true,
  });
  const shown = { ...show(data, L, S, false), hidden: Uint8Array.of(0, 1, 0, 0, 0, 0, 0) };
  for (const [width, height] of [
    [7, 5],
    [3, 2],
    [1, 1],
  ] as const) {
    const expected = new Float32Array(width * height).fill(-1);
    for (let i = 0; i < L; i++) {
      for (let j = 0; j <= i; j++) {
        if (j === 1) continue;
        const at = Math.floor((i * height) / L) * width + Math.floor((j * width) / S);
        expected[at] = Math.max(expected[at], data[i * S + j]);
      }
    }
    assert.deepEqual(squares(shown, maps.span, everything(L, S), [width, height]), expected);
  }
  const part = squares(shown, maps.span, { row: 3, column: 2, rows: 2, columns: 2 }, [2, 2]);
  assert.deepEqual(
    [...part],
    [3 * S + 2, 3 * S + 3, 4 * S + 2, 4 * S + 3].map((at) => data[at]),
  );
});

test("squares: less than nothing is nothing, and not masked", () => {
  const data = Float32Array.of(-0.5, 1, 0, -1);
  const maps = checkMaps({ weights: { data, dims: [2, 2] }, rows: tokens(2) });
  const found = squares(show(data, 2, 2, false), maps.span, everything(2, 2), [2, 2]);
  assert.deepEqual([...found], [0, 1, 0, 0]);
});

test("a head is chosen by numbers that the maps have, or refused by name", () => {
  const weights = { data: new Float32Array(16), dims: [2, 2, 2, 2] };
  const maps = checkMaps({ weights, rows: tokens(2) });
  assert.equal(choiceAt(maps, { layer: 1, head: 0 }), 3);
  assert.equal(choiceAt(maps, {}), 6);
  assert.equal(choiceAt(maps, { layer: 2 }), -1);
  const refused: [unknown, string][] = [
    [null, '"chosen" expected an object, got null'],
    [3, '"chosen" expected an object, got 3'],
    [{ lyer: 1 }, '"chosen.lyer" expected the name "layer", got an option that does not exist'],
  ];
  for (const [choice, message] of refused) {
    const expected = { name: "ArgumentError", message: `attention-view: ${message}` };
    assert.throws(() => choiceAt(maps, choice), expected);
  }
});

test("a token is cut between its letters", () => {
  const pen = { measureText: (text: string) => ({ width: 10 * [...text].length }) };
  const cut = (text: string, room: number) =>
    shortened(pen as CanvasRenderingContext2D, text, room);
  assert.equal(cut("whale", 50), "whale");
  assert.equal(cut("whales", 50), "whal…");
  assert.equal(cut("🐋🐋🐋🐋🐋🐋", 50), "🐋🐋🐋🐋…");
});

test("colours: the ramp's ends, its middle by a weight's root where it is lifted", () => {
  const plain = rampOf("light", false);
  assert.deepEqual([...plain.subarray(0, 3)], [0xee, 0xea, 0xf5]);
  assert.deepEqual([...plain.subarray(765)], [0x34, 0x08, 0x56]);
  const lifted = rampOf("dark", true);
  const half = [...rampOf("dark", false).subarray(3 * 128, 3 * 129)];
  const quarter = [...lifted.subarray(3 * 64, 3 * 65)];
  for (const [channel, value] of half.entries()) assert.ok(Math.abs(value - quarter[channel]) < 4);
  const pixels = pixelsOf(Float32Array.of(-1, 0.5, 2, Number.NaN), 0.5, plain);
  assert.equal(pixels[3], 0);
  assert.deepEqual([...pixels.subarray(4, 8)], [0x34, 0x08, 0x56, 255]);
  assert.deepEqual([...pixels.subarray(8, 12)], [0x34, 0x08, 0x56, 255]);
});

test("layout: the cells that are seen, the cell at a point, and how far to go to one", () => {
  const layout = { rows: 4096, columns: 4096, cell: 14, left: 50, top: 40 };
  assert.equal(widthOf(layout), 50 + 4096 * 14);
  assert.equal(heightOf(layout), 40 + 4096 * 14);
  const frame = { width: 650, height: 440, x: 1000, y: 57000 };
  const seen = visibleCells(layout, frame);
  assert.deepEqual(seen, { row: 4071, column: 71, rows: 25, columns: 44 });
  const all = visibleCells({ ...layout, cell: 0.09 }, { ...frame, x: 0, y: 0 });
  assert.deepEqual(all, everything(4096, 4096));

  assert.deepEqual(cellAt(layout, frame, [50, 40]), { row: 4071, column: 71 });
  assert.equal(cellAt(layout, frame, [49, 40]), undefined);
  assert.deepEqual(cellAt(layout, frame, [-500, 9000], true), { row: 4095, column: 32 });
  for (const [row, column] of [
    [4071, 72],
    [0, 0],
    [4095, 4095],
    [2000, 100],
  ]) {
    const [x, y] = reveal(layout, frame, { row, column });
    const { row: first, column: left, rows, columns } = visibleCells(layout, { ...frame, x, y });
    assert.ok(row >= first && row < first + rows && column >= left && column < left + columns);
  }
  // What is seen already stays where it is.
  assert.deepEqual(reveal(layout, frame, { row: 4080, column: 90 }), [1000, 57000]);
  assert.equal(readableCell(900, 8), 36);
  assert.equal(readableCell(900, 40), 22);
  assert.equal(readableCell(900, 4096), 14);
  assert.equal(wholeCell([600, 500], 4096, 4096), 500 / 4096);
  assert.equal(wholeCell([600, 500], 60, 40), 8);
});

test("words", () => {
  const shares = [0, 1, 0.1234, 0.001, 0.00042, 1e-12, Number.NaN];
  const said = ["0.0 %", "100.0 %", "12.3 %", "0.1 %", "0.04 %", "1e-10 %", "NaN %"];
  assert.deepEqual(shares.map(percent), said);
  assert.deepEqual([1.25, -0.123456, 0, 12345.6, 1e-9].map(digits), [
    "1.25",
    "−0.1235",
    "0",
    "12350",
    "1e−9",
  ]);
  assert.deepEqual(["a b", "", " ", "\n"].map(token), ["a b", "∅", "␣", "⏎"]);
});

const drawing = (rows: string[], columns: string[]): Drawing => ({
  palette: {
    ink: "#111",
    soft: "#222",
    paper: '"><script>',
    line: "#444",
    accent: "#555",
    font: "12px a&b",
  },
  rows,
  columns,
  pageSize: undefined,
  squares: {
    data: Uint8ClampedArray.of(1, 2, 3, 255, 0, 0, 0, 0, 4, 5, 6, 255, 7, 8, 9, 255),
    width: 2,
    height: 2,
  },
});

/** Well-formed enough for what is written here: each tag closed in its turn, no bare sign. */
function elementsIn(svg: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  assert.doesNotMatch(svg.replace(/&#\d+;/g, ""), /&/);
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?: [\w:-]+="[^"<>]*")*)(\/?)>/gi,
    (_, end, name, __, alone) => {
      if (end) assert.equal(open.pop(), name);
      else names.push(name);
      if (!end && !alone) open.push(name);
      return "";
    },
  );
  assert.doesNotMatch(rest, /[<>]/);
  assert.deepEqual(open, []);
  return names;
}

test("SVG of a map: a rectangle for each cell that is not masked, tokens escaped, pages", () => {
  const tokens = ["<a&b>", "c\u0007"];
  const svg = svgMap({ ...drawing(tokens, ["x".repeat(40), "y"]), pageSize: 1 });
  const names = elementsIn(svg);
  assert.equal(names.filter((name) => name === "text").length, 4);
  assert.deepEqual(svg.match(/fill="rgb\([^)]*\)"/g), [
    'fill="rgb(1,2,3)"',
    'fill="rgb(4,5,6)"',
    'fill="rgb(7,8,9)"',
  ]);
  assert.ok(svg.includes(">&#60;a&#38;b&#62;</text>") && svg.includes(">c</text>"));
  assert.ok(svg.includes(`>${"x".repeat(23)}…</text>`));
  // One border inside, in the middle of 32 pixels.
  const [, left] = /<rect x="(\d+)" y="\d+" width="32"/.exec(svg) ?? [];
  assert.ok(svg.includes(`<path d="M${Number(left) + 15.5} `));
});

test("SVG: room for wide letters, and no more than for 24", () => {
  const leftOf = (label: string) => {
    const [, left] =
      /<rect x="(\d+)" y="\d+" width="32"/.exec(svgMap(drawing([label], ["x", "y"]))) ?? [];
    return Number(left);
  };
  // DejaVu Sans at 12 pixels: 7.4 an "a", 12 a character of Han.
  assert.ok(leftOf("a".repeat(24)) >= 24 * 7.35 + 5);
  assert.ok(leftOf("鯨".repeat(10)) >= 10 * 12 + 5);
  assert.equal(leftOf("a".repeat(24)), leftOf("a".repeat(80)));
});

test("SVG of lines: one for each, as strong as its share", () => {
  const lines = [
    { row: 0, column: 1, share: 1 },
    { row: 1, column: 0, share: 0.25 },
  ];
  const svg = svgLines(drawing(["a", "b"], ["c", "d"]), lines);
  assert.equal(elementsIn(svg).filter((name) => name === "path").length, 2);
  assert.ok(svg.includes('stroke-width="4.00" opacity="1.000"'));
  assert.ok(svg.includes('stroke-width="1.75" opacity="0.250"'));
});
