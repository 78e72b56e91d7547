// What attend and its backward pass tell the kernel alike: sizes, what each sequence sees and what is
// done to the scores.

import { MaskField, Slot } from "../assembly/frame";
import { checkDropout, type PlacedDropout } from "./dropout";
import { type Engine, frameWords } from "./engine/load";
import type { Staging } from "./engine/staging";
import { checkBlockMask, checkMasks, type PlacedBlocks, type PlacedMasks } from "./mask";
import type { ScoreOptions } from "./options";
import { checkScoring, type Scoring } from "./scores";
import type { Inputs, Shapes, Strides } from "./shapes";
import type { Visibility } from "./visibility";

/** Checked and made plain. */
export interface Scores {
  readonly visibility: Visibility;
  readonly scoring: Scoring;
  readonly masks: PlacedMasks;
  readonly blocks: PlacedBlocks | undefined;
  readonly dropout: PlacedDropout | undefined;
}

export function checkScores(
  operation: string,
  shapes: Shapes,
  visibility: Visibility,
  options: ScoreOptions,
): Scores {
  return {
    visibility,
    masks: checkMasks(operation, shapes, options.mask),
    blocks: checkBlockMask(operation, shapes, options.blockMask),
    scoring: checkScoring(operation, shapes, options),
    dropout: checkDropout(operation, options.dropout),
  };
}

/** Writes all of it into the call frame; gives the frame's words. */
export function writeCall(engine: Engine, shapes: Shapes, scores: Scores): Int32Array {
  const { visibility, scoring, masks, blocks, dropout } = scores;
  const words = frameWords(engine);
  const { floats } = engine;
  writeShapes(words, shapes);
  writeMasks(words, masks, blocks);
  words[Slot.left] = visibility.left;
  words[Slot.right] = visibility.right;
  words[Slot.distance] = scoring.alibi?.distance ?? 0;
  words[Slot.slopesBatch] = scoring.alibi?.perBatch ? shapes.heads : 0;
  floats[Slot.scale] = scoring.scale;
  floats[Slot.softcap] = scoring.softcap;
  if (dropout) {
    words[Slot.dropped] = dropout.dropped;
    words[Slot.seedLow] = dropout.seedLow;
    words[Slot.seedHigh] = dropout.seedHigh;
    floats[Slot.keptFactor] = dropout.keptFactor;
  }
  return words;
}

/** Places what the call reads. */
export function stageCall(staging: Staging, inputs: Inputs, scores: Scores): void {
  const { visibility, scoring, masks, blocks } = scores;
  const { alibi, sinks } = scoring;
  staging.tensor(Slot.query, "query", inputs.query);
  staging.tensor(Slot.key, "key", inputs.key);
  staging.tensor(Slot.value, "value", inputs.value);
  staging.data(Slot.sequences, visibility.sequences);
  masks.each.forEach(({ data }, index) => {
    staging.data(maskSlot(index, MaskField.data), data);
  });
  if (blocks) staging.data(Slot.blocks, blocks.data);
  if (alibi) staging.data(Slot.slopes, alibi.slopes);
  if (sinks) staging.data(Slot.sinks, sinks);
}

function writeShapes(words: Int32Array, shapes: Shapes): void {
  words[Slot.batch] = shapes.batch;
  words[Slot.heads] = shapes.heads;
  words[Slot.keyValueHeads] = shapes.keyValueHeads;
  words[Slot.queries] = shapes.queries;
  words[Slot.keys] = shapes.keys;
  words[Slot.headSize] = shapes.headSize;
  words[Slot.valueSize] = shapes.valueSize;
  writeStrides(words, Slot.queryBatch, shapes.queryStrides);
  writeStrides(words, Slot.keyBatch, shapes.keyStrides);
  writeStrides(words, Slot.valueBatch, shapes.valueStrides);
  writeStrides(words, Slot.outputBatch, shapes.outputStrides);
  words[Slot.logSumExpBatch] = shapes.logSumExpStrides.batch;
  words[Slot.logSumExpHead] = shapes.logSumExpStrides.head;
  words[Slot.endToEnd] = shapes.endToEnd ? 1 : 0;
}

function writeStrides(words: Int32Array, slot: Slot, { batch, head, row }: Strides): void {
  words[slot] = batch;
  words[slot + 1] = head;
  words[slot + 2] = row;
}

/** A number of a mask's record. */
export function maskSlot(index: number, field: MaskField): Slot {
  return Slot.masks + index * MaskField.count + field;
}

function writeMasks(words: Int32Array, { each }: PlacedMasks, blocks?: PlacedBlocks): void {
  words[Slot.maskCount] = each.length;
  each.forEach(({ strides, kind, columns }, index) => {
    words.set(strides, maskSlot(index, MaskField.batch));
    words[maskSlot(index, MaskField.kind)] = kind;
    words[maskSlot(index, MaskField.columns)] = columns;
  });
  if (blocks) {
    words.set(blocks.strides, Slot.blocksBatch);
    words[Slot.blockSize] = blocks.size;
  }
}
