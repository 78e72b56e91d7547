// Universal Sentence Encoder lite (Cer et al. 2018): pieces → 256 numbers each with a sine and
// cosine of their position → two transformer layers (pre-norm, 4 heads, 256 → 512) → the mean over
// the pieces → tanh(x·W + b) → length 1. Texts run as one padded batch; `keyLengths` keeps the
// padding out.

import {
  type AttendOptions,
  type Attention,
  linear,
  MultiHeadAttention,
  type PlainWeights,
  type Projection,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { add, layerNorm, type Norm, relu } from "./blocks";
import { Tokenizer, type Vocabulary } from "./tokenizer";
import { type Read, readWeights } from "./weights";

export const EMBEDDING_SIZE = 512;
const HEADS = 4;
/** Pieces past these are cut off, as the model was trained. */
const MOST_PIECES = 128;

/** x · W + b. */
export interface Product {
  (x: Tensor): Tensor;
  dispose(): void;
}

/** What weights are made into; by default they stay float32. */
export interface Making {
  readonly product?: (projection: Projection) => Product;
  /** In the place of a layer's attention, which it disposes. */
  readonly heads?: (layer: MultiHeadAttention, weights: PlainWeights) => MultiHeadAttention;
}

interface Layer {
  readonly attentionNorm: Norm;
  readonly attention: MultiHeadAttention;
  /** The first layer's residual goes from 256 to 512 numbers. */
  readonly residual: Product | undefined;
  readonly feedForwardNorm: Norm;
  readonly expand: Product;
  readonly contract: Product;
}

export interface Inspection {
  /** The text's pieces as a person reads them. */
  readonly pieces: string[];
  /** For each layer the attention weights [heads, pieces, pieces]. */
  readonly weights: Tensor[];
  /** Of the text, of length 1. */
  readonly embedding: Float32Array;
}

/** How the heads attend: as in `attend`. */
export type Heads = Pick<
  AttendOptions,
  "causal" | "normalizer" | "precision" | "scale" | "softcap" | "window"
>;

export class SentenceEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #embeddings: Tensor;
  readonly #frequencies: Float32Array;
  readonly #layers: Layer[];
  readonly #dense: Product;

  private constructor(
    attention: Attention,
    vocabulary: Vocabulary,
    weights: Map<string, Tensor>,
    making: Making,
  ) {
    const at = (name: string) => weights.get(name) as Tensor;
    const {
      product = (projection) => floatProduct(attention, projection),
      heads = (layer) => layer,
    } = making;
    this.#tokenizer = new Tokenizer(vocabulary);
    this.#embeddings = at("module/Embeddings_en");
    const stack = "module_apply_default/Encoder_en/KonaTransformer/Encode/TransformerStack";
    this.#frequencies = at(`${stack}/Layer_0/AddTimingSignal/TimingSignal/ExpandDims_1`).data;
    this.#layers = [0, 1].map((index) => makeLayer(attention, at, index, { product, heads }));
    this.#dense = product({
      weight: at("module/Encoder_en/hidden_layers/tanh_layer_0/weights"),
      order: "in,out",
      bias: at("module/Encoder_en/hidden_layers/tanh_layer_0/bias"),
    });
  }

  /** `read` gives the model's files: model.json, vocab.json and the shards. */
  static async load(
    attention: Attention,
    read: Read,
    making: Making = {},
  ): Promise<SentenceEncoder> {
    const vocabulary = JSON.parse(new TextDecoder().decode(await read("vocab.json")));
    return new SentenceEncoder(attention, vocabulary, await readWeights(read), making);
  }

  /** One embedding of length 1 for each text. */
  encode(texts: readonly string[], how: Heads = {}): Float32Array[] {
    const pieces = texts.map((text) => this.#pieces(text));
    const embeddings: Float32Array[] = new Array(texts.length);
    for (const group of groupByLength(pieces.map((ids) => ids.length))) {
      const run = this.#run(
        group.map((index) => pieces[index]),
        how,
      );
      group.forEach((index, b) => {
        embeddings[index] = run.embeddings[b];
      });
    }
    return embeddings;
  }

  /** Which piece of a text attends to which; `how` is another way than the model was trained with. */
  inspect(text: string, how: Heads = {}): Inspection {
    const ids = this.#pieces(text);
    const { embeddings, weights } = this.#run([ids], { ...how, weights: true });
    return {
      embedding: embeddings[0],
      pieces: ids.map((id) => this.#tokenizer.read(id)),
      weights: weights.map(({ data, dims }) => tensor(data, dims.slice(1))),
    };
  }

  #pieces(text: string): number[] {
    return this.#tokenizer.encode(text).slice(0, MOST_PIECES);
  }

  #run(batch: readonly number[][], how: Heads & { weights?: boolean } = {}) {
    const keyLengths = batch.map((ids) => ids.length);
    const weights: Tensor[] = [];
    let x = this.#embed(batch, Math.max(1, ...keyLengths));
    for (const layer of this.#layers) {
      const normed = layerNorm(x, layer.attentionNorm);
      const mixed = layer.attention.forward(
        { query: normed, key: normed, value: normed },
        { ...how, keyLengths, queryLengths: keyLengths },
      );
      if (mixed.weights) weights.push(mixed.weights);
      x = add(layer.residual ? layer.residual(x) : x, mixed.output);
      const hidden = layer.expand(layerNorm(x, layer.feedForwardNorm));
      x = add(x, layer.contract(relu(hidden)));
    }
    const embeddings = this.#dense(meanOfRows(x, keyLengths));
    return { embeddings: batch.map((_, b) => unit(embeddings, b)), weights };
  }

  /**
   * [batch, rows, 256]: sin and cos of position · frequency, plus twice the piece's embedding:
   * the model's graph adds it once with the positions and once more.
   */
  #embed(batch: readonly number[][], rows: number): Tensor {
    const [, size] = this.#embeddings.dims;
    const half = this.#frequencies.length;
    const data = new Float32Array(batch.length * rows * size);
    batch.forEach((ids, b) => {
      ids.forEach((id, position) => {
        const row = (b * rows + position) * size;
        for (let i = 0; i < size; i++) data[row + i] = 2 * this.#embeddings.data[id * size + i];
        for (let i = 0; i < half; i++) {
          const angle = Math.fround(position * this.#frequencies[i]);
          data[row + i] += Math.sin(angle);
          data[row + half + i] += Math.cos(angle);
        }
      });
    });
    return tensor(data, [batch.length, rows, size]);
  }

  /** Gives the weights' memory back. */
  dispose(): void {
    this.#dense.dispose();
    for (const { attention, residual, expand, contract } of this.#layers) {
      for (const part of [attention, residual, expand, contract]) part?.dispose();
    }
  }
}

function floatProduct(attention: Attention, { weight, order, bias }: Projection): Product {
  const prepared = prepareLinear(attention, weight, { order, bias });
  const product = (x: Tensor) => linear(attention, x, prepared);
  return Object.assign(product, { dispose: () => prepared.dispose() });
}

function makeLayer(
  attention: Attention,
  at: (name: string) => Tensor,
  index: number,
  { product, heads }: Required<Making>,
): Layer {
  const encode = "Encoder_en/KonaTransformer/Encode";
  const stacked = `module_apply_default/${encode}/TransformerStack/Layer_${index}/TransformerLayer`;
  const applied = `module_apply_default/${encode}/Layer_${index}/TransformerLayer`;
  const own = `module/${encode}/Layer_${index}/TransformerLayer/MultiheadAttention`;
  const part = (name: string) => at(`${applied}/${name}/ConcatPartitions/concat`);
  const norm = (name: string): Norm => ({
    scale: part(`${name}layer_prepostprocess/layer_norm/layer_norm_scale`).data,
    bias: part(`${name}layer_prepostprocess/layer_norm/layer_norm_bias`).data,
  });
  const linear = (weight: Tensor, bias: string) =>
    product({ weight, order: "in,out", bias: part(bias) });

  const kernel = at(`${own}/qkv_transform_single/kernel/part_0`);
  const bias = part("MultiheadAttention/qkv_transform_single/bias");
  const [size] = kernel.dims.slice(-2);
  const third = (i: number) => ({
    weight: columns(kernel, i * size, size),
    bias: bias.data.slice(i * size, (i + 1) * size),
  });
  const [query, key, value] = [third(0), third(1), third(2)];
  const output = at(`${own}/output_transform_single/kernel/part_0`);
  const matrices = {
    wq: query.weight,
    wk: key.weight,
    wv: value.weight,
    dense: tensor(output.data, output.dims.slice(-2)),
    bq: query.bias,
    bk: key.bias,
    bv: value.bias,
    denseBias: part("MultiheadAttention/output_transform_single/bias"),
  };
  return {
    attentionNorm: norm(""),
    attention: heads(
      MultiHeadAttention.fromMatrices(attention, matrices, { heads: HEADS }),
      matrices,
    ),
    residual: index === 0 ? linear(part("dense/kernel"), "dense/bias") : undefined,
    feedForwardNorm: norm("FFN/"),
    expand: linear(at(`${stacked}/FFN/conv1/Tensordot/Reshape_1`), "FFN/conv1/bias"),
    contract: linear(at(`${stacked}/FFN/conv2/Tensordot/Reshape_1`), "FFN/conv2/bias"),
  };
}

/** Indices in groups of like length, so that no batch is more than a quarter padding. */
function groupByLength(lengths: readonly number[]): number[][] {
  const order = lengths.map((_, index) => index).sort((a, b) => lengths[a] - lengths[b]);
  const groups: number[][] = [];
  let shortest = -1;
  for (const index of order) {
    if (shortest < 0 || lengths[index] * 3 > shortest * 4) {
      groups.push([]);
      shortest = lengths[index];
    }
    groups.at(-1)?.push(index);
  }
  return groups;
}

/** `count` columns of a matrix whose leading axes are 1. */
function columns({ data, dims }: Tensor, from: number, count: number): Tensor {
  const [rows, width] = dims.slice(-2);
  const result = new Float32Array(rows * count);
  for (let i = 0; i < rows; i++) {
    result.set(data.subarray(i * width + from, i * width + from + count), i * count);
  }
  return tensor(result, [rows, count]);
}

/** The mean over the first `lengths[b]` rows of each batch. */
function meanOfRows({ data, dims: [batch, rows, size] }: Tensor, lengths: number[]): Tensor {
  const result = new Float32Array(batch * size);
  for (let b = 0; b < batch; b++) {
    const share = 1 / Math.max(lengths[b], 1);
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let row = 0; row < lengths[b]; row++) sum += data[(b * rows + row) * size + i];
      result[b * size + i] = sum * share;
    }
  }
  return tensor(result, [batch, size]);
}

/** tanh of row `b`, scaled to length 1. */
function unit({ data }: Tensor, b: number): Float32Array {
  const row = data.slice(b * EMBEDDING_SIZE, (b + 1) * EMBEDDING_SIZE).map(Math.tanh);
  const length = Math.hypot(...row);
  return row.map((x) => x / length);
}

/** The cosine of the angle between two embeddings of length 1. */
export function similarity(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
