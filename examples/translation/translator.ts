// A small transformer (Vaswani et al. 2017): one encoder and one decoder layer, normalised before
// each part, with their backward passes.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import type { CrossOptions } from "wasm-attention/blocks";
import { createCache } from "wasm-attention/cache";
import { sinusoidalPositions } from "wasm-attention/positions";
import { Embedding, LayerNorm, lossOf, type Parameter } from "../training/block";
import { Block, DecoderBlock, Linear } from "../training/layers";
import type { Random } from "../training/random";
import { Workspace } from "../training/workspace";
import { type Beam, type Decoder, searchBeams } from "../write/generate";
import { greedy } from "../write/sampling";
import { BEGIN, END, PADDING } from "./pieces";

const SIZE = 64;
const HEADS = 4;
const HIDDEN = 128;
const SHAPE = { size: SIZE, heads: HEADS, hidden: HIDDEN };

/** Sequences of ids, padded to the longest. */
interface Rows {
  readonly ids: Int32Array;
  readonly lengths: readonly number[];
}

export class Translator {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"blocks" | "cache" | "positions" | "training">;
  readonly #embedSource: Embedding;
  readonly #encoder: Block;
  readonly #memoryNorm: LayerNorm;
  readonly #embedTarget: Embedding;
  readonly #decoder: DecoderBlock;
  readonly #outputNorm: LayerNorm;
  readonly #output: Linear;
  readonly #workspace: Workspace;

  constructor(
    attention: Attention<"blocks" | "cache" | "positions" | "training">,
    sources: number,
    targets: number,
    random: Random,
  ) {
    this.#attention = attention;
    this.#embedSource = new Embedding(attention, sources, SIZE, random);
    this.#encoder = new Block(attention, SHAPE, random);
    this.#memoryNorm = new LayerNorm(attention, SIZE, random);
    this.#embedTarget = new Embedding(attention, targets, SIZE, random);
    this.#decoder = new DecoderBlock(attention, SHAPE, random);
    this.#outputNorm = new LayerNorm(attention, SIZE, random);
    this.#output = new Linear(attention, SIZE, targets, random);
    this.#workspace = new Workspace(attention);
    this.parameters = [
      this.#embedSource,
      this.#encoder,
      this.#memoryNorm,
      this.#embedTarget,
      this.#decoder,
      this.#outputNorm,
      this.#output,
    ].flatMap(({ parameters }) => parameters);
  }

  /** The mean loss of a piece; the parameters' gradients are added to. */
  learn(sources: readonly number[][], targets: readonly number[][]): number {
    const source = pad(sources);
    const target = pad(targets.map((ids) => [BEGIN, ...ids]));
    const wanted = pad(targets.map((ids) => [...ids, END])).ids.map((id) =>
      id === PADDING ? -1 : id,
    );
    const workspace = this.#workspace;
    const memory = this.#encode(source, workspace);
    const { logits } = this.#decode(target, memory, source.lengths, {}, workspace);
    const { loss, gradient } = lossOf(this.#attention, logits, wanted, workspace);
    this.#backward(gradient, workspace);
    workspace.clear();
    return loss;
  }

  /** After the parameters have moved. */
  update(): void {
    for (const part of this.#prepared()) part.update();
  }

  /** Gives the memory of the prepared weights back. */
  dispose(): void {
    for (const part of this.#prepared()) part.dispose();
  }

  /** Piece by piece, always the likeliest; at most `most` pieces. */
  translate(sources: readonly number[][], most: number): number[][] {
    const written: number[][] = sources.map(() => []);
    const done = sources.map(() => false);
    const decoder = this.begin(sources);
    let next = sources.map(() => [BEGIN]);
    for (let length = 1; length <= most && done.includes(false); length++) {
      const { data, dims } = decoder.append(next).logits;
      next = written.map((ids, b) => {
        const id = greedy(data.subarray(b * dims[1], (b + 1) * dims[1]));
        done[b] ||= id === END;
        ids.push(id);
        return [id];
      });
    }
    decoder.dispose();
    return written.map((ids) => {
      const end = ids.indexOf(END);
      return end < 0 ? ids : ids.slice(0, end);
    });
  }

  /** The likeliest of several translations that are written side by side, the best first. */
  translateBeams(source: readonly number[], beams: number, most: number): readonly Beam[] {
    const decoder = this.begin([source], beams);
    const wanted = { beams, ids: [BEGIN], length: most, end: END };
    const found = [...searchBeams(decoder, wanted)].at(-1) ?? [];
    decoder.dispose();
    return found;
  }

  /**
   * Translations of the sources, each empty yet, or several of one. Keys and values of what is written are
   * kept, and those of the sources, which are projected once.
   */
  begin(
    sources: readonly (readonly number[])[],
    texts = sources.length,
  ): Decoder & { dispose(): void } {
    const attention = this.#attention;
    const { ids, lengths } = pad(sources);
    const sizes = { keyValueHeads: HEADS, headSize: SIZE / HEADS, sequences: texts };
    const cache = createCache(attention, sizes);
    const source = createCache(attention, { ...sizes, cross: true });
    const memory = this.#encode({ ids, lengths });
    const append = (ids: readonly (readonly number[])[]) => {
      const [batch, length] = [ids.length, ids[0].length];
      const positions = Array.from({ length }, (_, i) => cache.length() + i);
      const table = sinusoidalPositions(attention, { positions, size: SIZE });
      const y = this.#embedTarget.forward(Int32Array.from(ids.flat()), batch, table);
      const sequences = [...ids.keys()];
      const across = { cache: source, sequences };
      const known = source.length() > 0;
      const { output } = this.#decoder.forward(y, known ? undefined : memory, {
        cache,
        sequences,
        cross: known ? across : { ...across, keyLengths: lengths },
      });
      return { logits: lastRows(this.#output.forward(this.#outputNorm.forward(output))) };
    };
    return {
      append,
      reorder: (order) => {
        for (const each of [cache, source]) each.reorder(order, [...order.keys()]);
      },
      dispose: () => {
        for (const each of [cache, source]) each.dispose();
      },
    };
  }

  /** How each head of the decoder looks at a source while it writes a target: [heads, target + end, source]. */
  align(
    source: readonly number[],
    target: readonly number[],
    how: Pick<CrossOptions, "precision" | "scale" | "softcap"> = {},
  ): Tensor {
    const from = pad([[...source]]);
    const memory = this.#encode(from);
    const rows = pad([[BEGIN, ...target]]);
    const { weights } = this.#decode(rows, memory, from.lengths, { ...how, weights: true });
    return { data: (weights as Tensor).data, dims: [HEADS, target.length + 1, source.length] };
  }

  /** In a workspace for `#backward`. */
  #encode({ ids, lengths }: Rows, workspace?: Workspace): Tensor {
    const positions = this.#positions(ids, lengths);
    const x = this.#embedSource.forward(ids, lengths.length, positions, workspace);
    const kept = { record: workspace !== undefined, out: workspace?.make(x.dims) };
    const inside = { keyLengths: lengths, queryLengths: lengths, ...kept };
    return this.#memoryNorm.forward(this.#encoder.forward(x, inside).output, workspace);
  }

  #decode(
    { ids, lengths }: Rows,
    memory: Tensor,
    keyLengths: readonly number[],
    how: Pick<CrossOptions, "precision" | "scale" | "softcap" | "weights">,
    workspace?: Workspace,
  ) {
    const positions = this.#positions(ids, lengths);
    const y = this.#embedTarget.forward(ids, lengths.length, positions, workspace);
    const kept = { record: workspace !== undefined, out: workspace?.make(y.dims) };
    const inside = { causal: true, keyLengths: lengths, queryLengths: lengths, ...kept };
    const cross = { ...how, keyLengths, queryLengths: lengths };
    const { output, crossWeights } = this.#decoder.forward(y, memory, { ...inside, cross });
    const logits = this.#output.forward(this.#outputNorm.forward(output, workspace), workspace);
    return { logits, weights: crossWeights };
  }

  #backward(gradient: Tensor, workspace: Workspace): void {
    const top = this.#outputNorm.backward(this.#output.backward(gradient, workspace), workspace);
    const decoder = this.#decoder.backward(top);
    this.#embedTarget.backward(decoder.x);
    const memory = this.#memoryNorm.backward(decoder.memory, workspace);
    this.#embedSource.backward(this.#encoder.backward(memory));
  }

  #prepared() {
    return [this.#encoder, this.#decoder, this.#output];
  }

  #positions(ids: Int32Array, lengths: readonly number[]): Tensor {
    return sinusoidalPositions(this.#attention, {
      positions: ids.length / lengths.length,
      size: SIZE,
    });
  }
}

function pad(sequences: readonly (readonly number[])[]): Rows {
  const lengths = sequences.map(({ length }) => length);
  const longest = Math.max(...lengths);
  const ids = new Int32Array(sequences.length * longest).fill(PADDING);
  sequences.forEach((sequence, b) => {
    ids.set(sequence, b * longest);
  });
  return { ids, lengths };
}

/** [B, L, classes] → [B, classes] */
function lastRows({ data, dims: [batch, length, classes] }: Tensor): Tensor {
  const rows = new Float32Array(batch * classes);
  for (let b = 0; b < batch; b++) {
    const end = (b + 1) * length * classes;
    rows.set(data.subarray(end - classes, end), b * classes);
  }
  return tensor(rows, [batch, classes]);
}
