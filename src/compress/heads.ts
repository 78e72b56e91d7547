// Heads taken away: smaller projections.

import { copyOf, countOf } from "../arrays";
import type { TransformerDecoderLayer, TransformerEncoderLayer } from "../blocks/index";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { type Composition, composedOf } from "../layer/composed";
import type { LayerParts } from "../layer/forward";
import { MultiHeadAttention } from "../layer/multihead";
import { appendedOf } from "./appended";
import { checkHeads, compositionOf, type Smaller } from "./layers";
import { matrixOf, partOf, projectionOf } from "./matrix";

/** Query heads of each attention of a decoder layer that are taken away. */
export interface PrunedHeads {
  /** None by default. */
  readonly selfAttention?: readonly number[] | undefined;
  /** None by default. */
  readonly crossAttention?: readonly number[] | undefined;
}

const readPruned = reader<PrunedHeads>(
  { selfAttention: 1, crossAttention: 1 },
  "{ selfAttention?, crossAttention? }",
);

/**
 * The layer without these query heads: smaller projections, and what the others do unchanged. A key/value
 * head goes with the last of its query heads; those that stay have to have equally many. What was given stays
 * as it is.
 *
 * @throws ArgumentError for a head that there is not, one named twice, all of them, groups of unequal sizes, or
 * weights of few bits; MemoryError, DisposedError as the layer's constructor.
 */
export function pruneHeads(layer: MultiHeadAttention, heads: readonly number[]): MultiHeadAttention;
/** The same of an encoder layer's attention. */
export function pruneHeads(
  layer: TransformerEncoderLayer,
  heads: readonly number[],
): TransformerEncoderLayer;
/** The same of both attentions of a decoder layer, by name. */
export function pruneHeads(
  layer: TransformerDecoderLayer,
  heads: PrunedHeads,
): TransformerDecoderLayer;
export function pruneHeads(layer: Smaller, heads: readonly number[] | PrunedHeads): unknown {
  const name = "pruneHeads";
  const composed = composedOf(layer);
  if (composed) {
    const given = composed.parts(name);
    const { config, weights } = prunedComposition(name, given, heads);
    return composed.again(name, config, weights);
  }
  const parts = checkHeads(name, layer);
  const { attention, appended } = parts;
  const pruned = prunedOf(name, parts, checkKept(name, parts, heads));
  const config = { ...pruned.counts, appended: appendedOf(appended, pruned.columns) };
  return new MultiHeadAttention(attention, config, pruned.weights, name);
}

function prunedComposition(operation: string, given: Composition, heads: unknown) {
  const { selfAttention, crossAttention } = given.attentions;
  const engine = given.attention.running(operation);
  let kept: { selfAttention: Kept; crossAttention?: Kept };
  if (crossAttention) {
    const read = readPruned(operation, heads as PrunedHeads, "heads");
    const of = (role: keyof PrunedHeads, parts: LayerParts) =>
      checkKept(operation, parts, read[role] ?? [], `heads.${role}`);
    kept = {
      selfAttention: of("selfAttention", selfAttention),
      crossAttention: of("crossAttention", crossAttention),
    };
  } else kept = { selfAttention: checkKept(operation, selfAttention, heads) };
  const weights = compositionOf(given, {
    attention: (parts, role) => prunedOf(operation, parts, kept[role] as Kept, `${role}.`).weights,
    linear: (prepared, name) => projectionOf(matrixOf(engine, operation, prepared, name)),
  });
  const config = {
    ...given.config,
    heads: kept.selfAttention.query.length,
    keyValueHeads: kept.selfAttention.groups.length,
    crossHeads: kept.crossAttention?.query.length,
  };
  return { config, weights };
}

/** What a layer of the heads that stay is made of. */
function prunedOf(operation: string, parts: LayerParts, { query: kept, groups }: Kept, of = "") {
  const { attention, projections } = parts;
  const engine: Engine = attention.running(operation);
  const matrix = (role: keyof typeof projections) =>
    matrixOf(engine, operation, projections[role], `${of}${role}`);
  const [query, key, value, output] = [
    matrix("query"),
    matrix("key"),
    matrix("value"),
    matrix("output"),
  ];
  const size = query.outputs / parts.heads;
  const valueSize = value.outputs / parts.keyValueHeads;
  const columns = { key: spread(groups, size), value: spread(groups, valueSize) };
  const weights = {
    query: projectionOf(partOf(query, "outputs", spread(kept, size))),
    key: projectionOf(partOf(key, "outputs", columns.key)),
    value: projectionOf(partOf(value, "outputs", columns.value)),
    output: projectionOf(partOf(output, "inputs", spread(kept, valueSize))),
  };
  return { counts: { heads: kept.length, keyValueHeads: groups.length }, columns, weights };
}

/** The numbers of each head's columns. */
function spread(heads: readonly number[], size: number): number[] {
  return heads.flatMap((head) => Array.from({ length: size }, (_, i) => head * size + i));
}

/** Query heads and key/value heads that stay. */
interface Kept {
  readonly query: readonly number[];
  readonly groups: readonly number[];
}

function checkKept(
  operation: string,
  { heads: count, keyValueHeads }: LayerParts,
  given: unknown,
  argument = "heads",
): Kept {
  const expected = `a list of heads, integers from 0 to ${count - 1}`;
  const length = countOf(given);
  if (length < 0) throw new ArgumentError(operation, argument, expected, describe(given));
  const gone = copyOf<unknown>(given as number[], length);
  for (const [index, head] of gone.entries()) {
    if (Number.isInteger(head) && (head as number) >= 0 && (head as number) < count) continue;
    const one = `an integer from 0 to ${count - 1}`;
    throw new ArgumentError(operation, `${argument}[${index}]`, one, describe(head));
  }
  if (new Set(gone).size < gone.length) {
    throw new ArgumentError(operation, argument, "each head once", describe(given));
  }
  const query = Array.from({ length: count }, (_, head) => head).filter((h) => !gone.includes(h));
  if (query.length === 0) {
    throw new ArgumentError(operation, argument, `at most ${count - 1} heads`, describe(given));
  }
  const shared = count / keyValueHeads;
  const groups = [...new Set(query.map((head) => Math.floor(head / shared)))];
  const left = groups.map(
    (group) => query.filter((head) => Math.floor(head / shared) === group).length,
  );
  if (left.some((size) => size !== left[0])) {
    const expected = "equally many heads left for each key/value head that stays";
    throw new ArgumentError(operation, argument, expected, `[${left.join(", ")}] left`);
  }
  return { query, groups };
}
