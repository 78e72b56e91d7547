// The loss of every step on a logarithmic axis, drawn in the pixels there are.

const LEFT = 72;
const RIGHT = 12;
const TOP = 28;
const BOTTOM = 44;
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
    parts.push(`<text x="${x(step)}" y="${height - 26}" text-anchor="${anchor}">${step}</text>`);
  }
  const middle = (TOP + height - BOTTOM) / 2;
  parts.push(
    `<text x="${(LEFT + width - RIGHT) / 2}" y="${height - 6}" text-anchor="middle">step</text>`,
    `<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">loss, in nats a piece</text>`,
    `<path class="each" d="M${LEFT} 12h0m6 0h0m6 0h0"/><text x="${LEFT + 20}" y="16">each step</text>`,
    `<path class="curve" d="M${LEFT + 100} 12h16"/><text x="${LEFT + 122}" y="16">running mean</text>`,
  );
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
