// Curves beside the text, from the sentence that is attended to, to those that attend.

export interface Curve {
  readonly from: HTMLElement;
  readonly to: HTMLElement;
  readonly weight: number;
}

const NAMESPACE = "http://www.w3.org/2000/svg";

export function drawCurves(svg: SVGSVGElement, place: HTMLElement, curves: readonly Curve[]): void {
  const box = place.getBoundingClientRect();
  const width = Number.parseFloat(getComputedStyle(place).paddingLeft);
  svg.setAttribute("height", `${place.scrollHeight}`);
  const most = Math.max(...curves.map(({ weight }) => weight), Number.MIN_VALUE);
  /** The middle of a sentence's first line. */
  const heightOf = (sentence: HTMLElement) => {
    const [line] = sentence.getClientRects();
    return line.top + line.height / 2 - box.top + place.scrollTop;
  };
  svg.replaceChildren(
    ...curves.map(({ from, to, weight }) => {
      const [y, end] = [heightOf(from), heightOf(to)];
      const reach = Math.min(width - 6, 14 + Math.abs(y - end) / 4);
      const path = document.createElementNS(NAMESPACE, "path");
      const edge = width - 3;
      path.setAttribute(
        "d",
        `M${edge} ${y}C${edge - reach} ${y} ${edge - reach} ${end} ${edge} ${end}`,
      );
      path.setAttribute("stroke-width", `${1 + 2.5 * (weight / most)}`);
      path.setAttribute("opacity", `${0.35 + 0.65 * (weight / most)}`);
      return path;
    }),
  );
}
