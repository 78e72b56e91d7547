// What attend and its backward pass tell the kernel alike: sizes, what each sequence sees and what is
// done to the scores.

import { AttendFrame, Mask } from "../../build/frames";
import { type CheckedDropout, checkDropout } from "../check/dropout";
import { type CheckedBlocks, type CheckedMasks, checkBlockMask, checkMasks } from "../check/mask";
import { checkScoring, type Scoring } from "../check/scoring";
import type { Inputs, Shapes, Strides } from "../check/shapes";
import type { Visibility } from "../check/visibility";
import { clearedFrame, type Engine, MASKS_AT } from "../instance/instance";
import type { Region, Staging } from "../run/staging";
import { elementsOf } from "../tensor/dims";
import type { ScoreOptions } from "./options";

/** Checked and made plain. */
export interface Scores {
  readonly visibility: Visibility;
  readonly scoring: Scoring;
  readonly masks: CheckedMasks;
  readonly blocks: CheckedBlocks | undefined;
  readonly dropout: CheckedDropout | undefined;
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
  const words = clearedFrame(engine);
  const { floats } = engine;
  writeShapes(words, shapes);
  writeMasks(words, masks, blocks);
  words[AttendFrame.left] = visibility.left;
  words[AttendFrame.right] = visibility.right;
  words[AttendFrame.distance] = scoring.alibi?.distance ?? 0;
  words[AttendFrame.slopesBatch] = scoring.alibi?.perBatch ? shapes.heads : 0;
  floats[AttendFrame.scale] = scoring.scale;
  floats[AttendFrame.softcap] = scoring.softcap;
  if (dropout) {
    words[AttendFrame.dropped] = dropout.dropped;
    words[AttendFrame.seedLow] = dropout.seedLow;
    words[AttendFrame.seedHigh] = dropout.seedHigh;
    floats[AttendFrame.dropoutFactor] = dropout.factor;
  }
  return words;
}

/** Writes where keys and values lie: in pages, or beside the queries. */
export type StagePages = (staging: Staging, query: Region) => void;

/** Stages what the call reads. */
export function stageCall(
  staging: Staging,
  inputs: Inputs,
  scores: Scores,
  pages?: StagePages,
): void {
  const { visibility, scoring, masks, blocks } = scores;
  const { alibi, sinks } = scoring;
  const query = staging.tensor(AttendFrame.query, "query", inputs.query);
  if (pages) pages(staging, query);
  else {
    staging.tensor(AttendFrame.key, "key", inputs.key);
    staging.tensor(AttendFrame.value, "value", inputs.value);
  }
  const { sequences } = visibility;
  staging.data(AttendFrame.sequences, "lengths", sequences, sequences.length);
  masks.each.forEach(({ data, dims, origin = 0 }, index) => {
    const argument = masks.listed ? `mask[${index}]` : "mask";
    const region = staging.data(undefined, argument, data, elementsOf(dims));
    staging.within(maskSlot(index, Mask.data), region, origin * 4);
  });
  if (blocks) staging.data(AttendFrame.blocks, "blockMask", blocks.data, elementsOf(blocks.dims));
  if (alibi) staging.data(AttendFrame.slopes, "alibi.slopes", alibi.slopes, alibi.slopes.length);
  if (sinks) staging.data(AttendFrame.sinks, "sinks", sinks, sinks.length);
}

function writeShapes(words: Int32Array, shapes: Shapes): void {
  words[AttendFrame.batch] = shapes.batch;
  words[AttendFrame.heads] = shapes.heads;
  words[AttendFrame.keyValueHeads] = shapes.keyValueHeads;
  words[AttendFrame.queries] = shapes.queries;
  words[AttendFrame.keys] = shapes.keys;
  words[AttendFrame.headSize] = shapes.headSize;
  words[AttendFrame.valueSize] = shapes.valueSize;
  writeStrides(words, AttendFrame.queryBatch, shapes.queryStrides);
  writeStrides(words, AttendFrame.keyBatch, shapes.keyStrides);
  writeStrides(words, AttendFrame.valueBatch, shapes.valueStrides);
  writeStrides(words, AttendFrame.outputBatch, shapes.outputStrides);
  words[AttendFrame.logSumExpBatch] = shapes.logSumExpStrides.batch;
  words[AttendFrame.logSumExpHead] = shapes.logSumExpStrides.head;
  words[AttendFrame.endToEnd] = shapes.endToEnd ? 1 : 0;
}

function writeStrides(words: Int32Array, slot: AttendFrame, { batch, head, row }: Strides): void {
  words[slot] = batch;
  words[slot + 1] = head;
  words[slot + 2] = row;
}

/** A number of a mask's record. */
export function maskSlot(index: number, field: Mask): number {
  return MASKS_AT + index * Mask.words + field;
}

function writeMasks(words: Int32Array, { each }: CheckedMasks, blocks?: CheckedBlocks): void {
  words[AttendFrame.maskCount] = each.length;
  words[AttendFrame.masksAt] = MASKS_AT * 4;
  each.forEach(({ strides, kind, columns }, index) => {
    words.set(strides, maskSlot(index, Mask.batch));
    words[maskSlot(index, Mask.kind)] = kind;
    words[maskSlot(index, Mask.columns)] = columns;
  });
  if (blocks) {
    words.set(blocks.strides, AttendFrame.blocksBatch);
    words[AttendFrame.blockSize] = blocks.size;
  }
}
