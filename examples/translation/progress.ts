// A bar and a curve, in characters.

const EIGHTHS = " ▏▎▍▌▋▊▉█";
const HEIGHTS = "▁▂▃▄▅▆▇█";

export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  const whole = "█".repeat(eighths >> 3);
  return (whole + (eighths & 7 ? EIGHTHS[eighths & 7] : "")).padEnd(width, "·");
}

/** The mean of each of `width` parts, its logarithm as a height. */
export function curve(values: readonly number[], width: number): string {
  const parts = Math.min(width, values.length);
  const heights = Array.from({ length: parts }, (_, i) => {
    const from = Math.floor((i * values.length) / parts);
    const part = values.slice(from, Math.floor(((i + 1) * values.length) / parts));
    return Math.log(part.reduce((a, b) => a + b) / part.length + Number.MIN_VALUE);
  });
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  return heights
    .map((height) => HEIGHTS[Math.round(((height - low) / (high - low || 1)) * 7)])
    .join("");
}
