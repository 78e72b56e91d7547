// Which keys a row sees by its position: key j of query i if
// p − left ≤ j ≤ p + right, p = offset + i, where causal makes right 0. Always one run of keys.

import { reader } from "../check/names";
import { checkInteger, NAME, refuse } from "./refusal";
import type { AttentionMaps } from "./types";

/** From the first key that a row sees to before the last; an empty run where it sees none. */
export type Span = (row: number) => readonly [from: number, to: number];

const readWindow = reader<NonNullable<AttentionMaps["window"]>>(
  { left: 1, right: 1 },
  "{ left?, right? }",
);

/** @throws ArgumentError */
export function spans(maps: AttentionMaps, rows: number, columns: number): Span {
  const { causal = false, queryOffset } = maps;
  if (typeof causal !== "boolean" && causal !== "upper-left" && causal !== "lower-right")
    refuse("maps.causal", 'a boolean, "upper-left" or "lower-right"', causal);
  if (queryOffset !== undefined) {
    if (causal === "lower-right")
      refuse("maps.queryOffset", 'no value with causal "lower-right"', queryOffset);
    checkInteger("maps.queryOffset", queryOffset, Number.MIN_SAFE_INTEGER);
  }
  const window = maps.window === undefined ? {} : readWindow(NAME, maps.window, "maps.window");
  const side = (name: "left" | "right") =>
    window[name] === undefined ? Infinity : checkInteger(`maps.window.${name}`, window[name], 0);
  const left = side("left");
  const after = side("right");
  const right = causal ? 0 : after;
  const offset = causal === "lower-right" ? columns - rows : (queryOffset ?? 0);
  const within = (key: number) => Math.min(Math.max(key, 0), columns);
  return (row) => {
    const from = within(offset + row - left);
    return [from, Math.max(from, within(offset + row + right + 1))];
  };
}
