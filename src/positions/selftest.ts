// Known answers of the positions kernels, see selftest.ts.

import { at, check, numbers } from "../answers";
import type { Attention } from "../attend/attention";
import { rotate } from "./rotary";

export function checkPositions(name: string, attention: Attention<"positions">): void {
  // The angles of positions 5 and 6 in the first pair are these, in the second a hundredth.
  const x = numbers([1, 1, 2, 4], 1);
  const rotated = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => {
    const angle = (i < 4 ? 5 : 6) * (i & 1 ? 0.01 : 1);
    const other = i & 2 ? at(x.data, i - 2) : -at(x.data, i + 2);
    return at(x.data, i) * Math.cos(angle) + other * Math.sin(angle);
  });
  check(name, "rotate", rotate(attention, x, { positions: 5 }).data, rotated);
}
