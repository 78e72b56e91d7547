// Errors of attend in integers against float64 on what models give their own heads, and what they do to a search.

import {
  type Attention,
  createAttention,
  linear,
  prepareLinear,
  type Tensor,
} from "wasm-attention";
import { int8, int16, integers } from "wasm-attention/integers";
import { agreementOf, SHOWN } from "../examples/semantic-search/agreement";
import { type Heads, SentenceEncoder } from "../examples/semantic-search/encoder";
import { readModelFile, readSentences } from "../examples/semantic-search/files";
import { QUESTIONS } from "../examples/semantic-search/questions";
import { Errors } from "./errors";
import { type Activations, models, write } from "./models";

const PRECISIONS = [int16, int8];
/** Pieces of the longest text that the sentence encoder reads. */
const LONG = 128;

/** softmax(q·kᵀ/√D + slope·(j − i))·v in float64, [L, H·D]. */
function exact({ query, key, value, options }: Activations): Float64Array {
  const { heads, keyValueHeads, causal, alibi } = options;
  const [, rows = 0, width = 0] = query.dims;
  const [, keys = 0, keyWidth = 0] = key.dims;
  const size = width / heads;
  const valueSize = (value.dims[2] ?? 0) / keyValueHeads;
  const slopes = alibi && (alibi as { slopes: Float32Array }).slopes;
  const output = new Float64Array(rows * heads * valueSize);
  for (let h = 0; h < heads; h++) {
    const shared = Math.floor((h * keyValueHeads) / heads);
    for (let i = 0; i < rows; i++) {
      const scores = new Float64Array(causal ? i + 1 : keys);
      for (let j = 0; j < scores.length; j++) {
        let dot = 0;
        for (let d = 0; d < size; d++) {
          dot += query.data[i * width + h * size + d] * key.data[j * keyWidth + shared * size + d];
        }
        scores[j] = dot / Math.sqrt(size) + (slopes ? slopes[h] * (j - i) : 0);
      }
      const most = scores.reduce((a, b) => Math.max(a, b));
      const weights = scores.map((score) => Math.exp(score - most));
      const sum = weights.reduce((a, b) => a + b);
      for (const [j, weight] of weights.entries()) {
        const from = (j * keyValueHeads + shared) * valueSize;
        const to = (i * heads + h) * valueSize;
        for (let d = 0; d < valueSize; d++) {
          output[to + d] += (weight / sum) * value.data[from + d];
        }
      }
    }
  }
  return output;
}

/** Of all heads of these layers. */
function errorsOf(
  attention: Attention<"integers">,
  layers: readonly Activations[],
  truths: readonly Float64Array[],
  precision: typeof int16,
): Errors {
  const errors = new Errors();
  layers.forEach(({ query, key, value, options }, layer) => {
    const { data, dims } = attention.attend(query, key, value, { ...options, precision }).output;
    const size = dims[2] / options.heads;
    for (let h = 0; h < options.heads; h++) {
      const ofHead = (_: number, at: number) => Math.floor((at % dims[2]) / size) === h;
      errors.add(data.filter(ofHead), truths[layer].filter(ofHead), size);
    }
  });
  return errors;
}

/** What both layers of the sentence encoder give their heads, a text after the other. */
async function encoderActivations(
  attention: Attention,
  texts: readonly string[],
): Promise<Activations[]> {
  const seen: Activations[] = [];
  const encoder = await SentenceEncoder.load(attention, readModelFile, {
    heads(layer, { wq, wk, wv, bq, bk, bv }) {
      const project = [
        [wq, bq],
        [wk, bk],
        [wv, bv],
      ].map(([weight, bias]) =>
        prepareLinear(attention, weight as Tensor, { order: "in,out", bias }),
      );
      const { forward } = layer;
      const options = {
        layout: "BLE",
        heads: layer.heads,
        keyValueHeads: layer.keyValueHeads,
      } as const;
      layer.forward = ((inputs: { query: Tensor }, how: object) => {
        const [query, key, value] = project.map((each) => linear(attention, inputs.query, each));
        seen.push({ query, key, value, options });
        return forward(inputs as never, how as never);
      }) as typeof forward;
      return layer;
    },
  });
  for (const text of texts) encoder.encode([text]);
  return seen;
}

/** Rows of whose activations, precision, relative error, of the worst head and row, cosine. */
export async function activationErrors(): Promise<{ rows: string[][]; missing: string[] }> {
  using attention = await createAttention({ extensions: [integers] });
  const sentences = await readSentences();
  const { found, missing } = await models();
  const inputs: (readonly [name: string, layers: Activations[]])[] = [
    [
      "sentence encoder, the search's texts",
      await encoderActivations(attention, [...QUESTIONS, ...sentences]),
    ],
    [
      `sentence encoder, ${LONG} pieces`,
      await encoderActivations(attention, [sentences.join(" ")]),
    ],
    ...found.map((model) => [model.name, model.activations(write(model, 1))] as const),
  ];
  const rows = inputs.flatMap(([name, layers]) => {
    const truths = layers.map(exact);
    const pieces = layers.map(({ query }) => query.dims[1]);
    const of = `${name} (${Math.max(...pieces)}${layers.length > 8 ? " at most" : ""})`;
    return PRECISIONS.map((precision) => {
      const errors = errorsOf(attention, layers, truths, precision);
      const { relative, worstPart, worstRow } = errors;
      const shown = [relative, worstPart, worstRow].map((x) => x.toExponential(1));
      return [of, precision.name, ...shown, errors.cosine.toFixed(7)];
    });
  });
  return { rows, missing };
}

/** Rows of precision, questions that find the same first, sentences found the same, least cosine. */
export async function searchErrors(): Promise<string[][]> {
  using attention = await createAttention({ extensions: [integers] });
  const sentences = await readSentences();
  const encoder = await SentenceEncoder.load(attention, readModelFile);
  const embedded = (how: Heads) => {
    const [questions, found] = [QUESTIONS, sentences].map((texts) => encoder.encode(texts, how));
    return { questions, sentences: found };
  };
  const float = embedded({});
  return PRECISIONS.map((precision) => {
    const { first, found, cosine } = agreementOf(embedded({ precision }), float);
    const all = QUESTIONS.length;
    return [precision.name, `${first} of ${all}`, `${found} of ${all * SHOWN}`, cosine.toFixed(7)];
  });
}
