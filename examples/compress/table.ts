// What was measured as a table, and as a chart: bytes beside what is still right.

import pc from "picocolors";

export interface Row {
  readonly name: string;
  /** Of its weights in memory. */
  readonly bytes: number;
  /** Of one run. */
  readonly milliseconds: number;
  /** Shares from 0 to 1 of what the table is about. */
  readonly right: number;
  /** Of float32's answers. */
  readonly agreed: number;
}

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;

/** `what` is right. */
export function table(rows: readonly Row[], what: string): string[] {
  const cells = [
    ["", "weights", "share", "time", what, "as float32"],
    ...rows.map(({ name, bytes, milliseconds, right, agreed }) => [
      name,
      `${(bytes / 1000).toFixed(0)} kB`,
      percent(bytes / (rows[0]?.bytes ?? bytes)),
      `${milliseconds.toFixed(1)} ms`,
      percent(right),
      percent(agreed),
    ]),
  ];
  const widths = cells[0]?.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  return cells.map((line, index) => {
    const text = line
      .map((cell, i) => (i ? cell.padStart(widths?.[i] ?? 0) : cell.padEnd(widths?.[i] ?? 0)))
      .join("  ");
    return index ? text : pc.bold(text);
  });
}

const WIDTH = 640;
const BAR = 300;
const LINE = 26;
const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** Two bars a row, light and dark by the reader's preference. */
export function chart(rows: readonly Row[], title: string, what: string): string {
  const most = Math.max(...rows.map(({ bytes }) => bytes));
  const lines = rows.flatMap(({ name, bytes, right }, index) => {
    const y = 60 + index * LINE * 1.6;
    const bar = (top: number, share: number, kind: string, label: string) =>
      `<rect class="${kind}" x="180" y="${top}" width="${Math.max(1, share * BAR).toFixed(1)}" height="14" rx="2"/>` +
      `<text x="${(188 + share * BAR).toFixed(1)}" y="${top + 11}">${label}</text>`;
    return [
      `<text x="172" y="${y + 19}" text-anchor="end">${escaped(name)}</text>`,
      bar(y, bytes / most, "bytes", `${(bytes / 1000).toFixed(0)} kB`),
      bar(y + 17, right, "right", percent(right)),
    ];
  });
  const height = 70 + rows.length * LINE * 1.6;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height.toFixed(0)}" role="img" aria-label="${escaped(title)}">
<style>text{font:12px system-ui,sans-serif;fill:#222}.bytes{fill:#8aa4c8}.right{fill:#2b7a4b}svg{background:#fff}
@media(prefers-color-scheme:dark){text{fill:#ddd}svg{background:#161616}.bytes{fill:#5f7ba6}.right{fill:#57b27d}}</style>
<text x="20" y="24" style="font-size:15px">${escaped(title)}</text>
<text x="20" y="44">bytes of the weights, and ${escaped(what)}</text>
${lines.join("\n")}
</svg>
`;
}
