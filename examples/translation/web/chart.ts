// The loss of every step on a logarithmic axis, drawn in the pixels there are.

const LEFT = 56;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;
/** Powers of ten of the axis. */
const HIGH = 1;
const LOW = -4;
const NAMES = ["10", "1", "0.1", "0.01", "0.001", "0.0001"];

/** `total` steps fit the width. */
export function drawLosses(svg: SVGSVGElement, losses: readonly number[], total: number): void {
  const [width, height] = [svg.clientWidth || 320, svg.clientHeight || 220];
  const x = (step: number) => LEFT + ((width - LEFT - RIGHT) * step) / total;
  const y = (loss: number) => {
    const power = Math.min(HIGH, Math.max(LOW, Math.log10(loss)));
    return TOP + ((height - TOP - BOTTOM) * (HIGH - power)) / (HIGH - LOW);
  };
  const parts = NAMES.map((name, i) => {
    const at = y(10 ** (HIGH - i)).toFixed(1);
    return `<path class="grid" d="M${LEFT} ${at}H${width - RIGHT}"/><text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${name}</text>`;
  });
  for (let step = 0; step <= total; step += total / 4) {
    const anchor = step === 0 ? "start" : step === total ? "end" : "middle";
    parts.push(`<text x="${x(step)}" y="${height - 4}" text-anchor="${anchor}">${step}</text>`);
  }
  if (losses.length > 0) {
    const points = smooth(losses).map((loss, i) => `${x(i + 1).toFixed(1)} ${y(loss).toFixed(1)}`);
    const each = losses.map((loss, i) => `M${x(i + 1).toFixed(1)} ${y(loss).toFixed(1)}h0`);
    const [px, py] = (points.at(-1) as string).split(" ");
    parts.push(
      `<path class="each" d="${each.join("")}"/>`,
      `<path class="curve" d="M${points.join("L")}"/>`,
      `<circle class="head" cx="${px}" cy="${py}" r="4"/>`,
    );
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.innerHTML = parts.join("");
}

/** A running mean of the logarithms. */
function smooth(losses: readonly number[]): number[] {
  let mean = Math.log(losses[0]);
  return losses.map((loss) => {
    mean += (Math.log(Math.max(loss, 1e-9)) - mean) * 0.15;
    return Math.exp(mean);
  });
}
