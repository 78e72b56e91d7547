// Who attends to a sentence, found by what each sentence attends to.

import type { Look } from "./attention";

export interface Attender {
  readonly from: number;
  readonly weight: number;
}

/** The keenest first. */
export function attendersOf(to: number, looks: readonly (readonly Look[])[]): Attender[] {
  return looks
    .flatMap((each, from) =>
      each.filter((look) => look.to === to).map(({ weight }) => ({ from, weight })),
    )
    .sort((a, b) => b.weight - a.weight || a.from - b.from);
}
