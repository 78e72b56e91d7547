// A weight as it is given, made into the panels of panel.ts: one column and segment after the other.

import { WeightFormat } from "../kinds";
import { QuantizedFrame } from "./frame";
import { packBlock256 } from "./blocks-of-256";
import { packBits, packBlock32, packHalves, packIntegers } from "./formats";
import { putStart } from "./fours";
import { headBytes, inFours, panelBytes, segmentOffset } from "./panel";
import { Place } from "./place";
import { packFloats } from "./round";

/** Packs a weight and its bias into frame.packed. */
export function pack(frame: QuantizedFrame): void {
  const columns = frame.columns;
  const depth = frame.depth;
  const panel = panelBytes(frame);
  const head = headBytes(frame);
  const bias = frame.packed + <usize>((columns + 7) >> 3) * panel;
  memory.fill(frame.packed, 0, bias - frame.packed + ((<usize>((columns + 7) >> 3)) << 5));
  if (frame.bias) memory.copy(bias, frame.bias, (<usize>columns) << 2);
  const place = changetype<Place>(frame.scratch);
  for (let j = 0; j < columns; j++) {
    place.column = j;
    for (let from = 0; from < depth; from += frame.segment) {
      place.head = frame.packed + <usize>(j >> 3) * panel + segmentOffset(frame, from);
      place.numbers = place.head + head;
      place.from = from;
      place.count = min(frame.segment, depth - from);
      packSegment(frame, place);
      if (inFours(frame.numbers)) putStart(frame, place);
    }
  }
}

function packSegment(frame: QuantizedFrame, place: Place): void {
  switch (frame.format) {
    case WeightFormat.float32:
      packFloats(frame, place);
      break;
    case WeightFormat.bits:
      packBits(frame, place);
      break;
    case WeightFormat.integers:
      packIntegers(frame, place);
      break;
    case WeightFormat.halves:
      packHalves(frame, place);
      break;
    default:
      if (frame.format < WeightFormat.q2_K) packBlock32(frame, place);
      else packBlock256(frame, place);
  }
}
