// Gradients of what is added to scores, masks, ALiBi and spans, from those of the scores after everything.

import { Rows } from "../attend/rows";
import { maskAt } from "../attend/visible/mask";
import { addMaskGradient, slopeGradient } from "../backward/tile";
import { TILE_ROW } from "../tiles";
import { VariantAttendFrame } from "./frame";
import { spanGradient } from "./span";
import { Strip, stripRows, stripTile, stripTileBytes } from "./strip";

/** Adds those of the strip's rows. */
export function biasGradients(frame: VariantAttendFrame, strip: Strip, gradients: usize): void {
  const r = stripRows(strip);
  let slopes: f64 = 0;
  let spans: f64 = 0;
  for (let index = 0; index < strip.count; index++) {
    stripTile(frame, strip, index);
    const tile = gradients + <usize>index * stripTileBytes(frame);
    if (frame.spansGradient) spans += spanGradient(frame, r, tile);
    for (let i = 0; i < r.rows; i++) {
      const row = tile + <usize>i * TILE_ROW;
      for (let m = 0; m < frame.maskCount; m++) {
        const mask = maskAt(frame, m);
        if (mask.gradient) addMaskGradient(mask, r, i, r.columns, row);
      }
      if (!frame.slopesGradient) continue;
      slopes += slopeGradient(frame.distance, row, r.columns, r.column, r.position + i);
    }
  }
  addToHead(frame, r, frame.slopesGradient, slopes);
  addToHead(frame, r, frame.spansGradient, spans);
}

/** To that of the rows' head, [batch, heads]. */
export function addToHead(frame: VariantAttendFrame, r: Rows, sums: usize, sum: f64): void {
  if (!sums) return;
  const at = sums + ((<usize>(r.b * frame.heads + r.h)) << 2);
  store<f32>(at, load<f32>(at) + <f32>sum);
}
