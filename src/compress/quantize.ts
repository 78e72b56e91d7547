// quantizeLayer: a layer whose weights have few bits.

import type { TransformerDecoderLayer, TransformerEncoderLayer } from "../blocks/index";
import { reader } from "../check/names";
import { composedOf } from "../layer/composed";
import type { LayerParts } from "../layer/forward";
import { MultiHeadAttention } from "../layer/multihead";
import type { PreparedLinear } from "../linear/prepared";
import { type PrepareQuantizedOptions, prepareRounded } from "../quantized/prepare";
import { appendedOf } from "./appended";
import { checkHeads, compositionOf, type Smaller } from "./layers";
import { matrixOf, projectionOf } from "./matrix";

/** Options of `quantizeLayer`, each as `prepareQuantized` has it, for all weights alike. */
export type QuantizeLayerOptions = Pick<
  PrepareQuantizedOptions,
  "numbers" | "block" | "activations"
>;

const read = reader<QuantizeLayerOptions>(
  { numbers: 1, block: 1, activations: 1 },
  "{ numbers, block?, activations? }",
);

/**
 * The same layer with weights rounded to int8 or int4: a quarter or about an eighth of the bytes. Norms of a
 * transformer's layer stay float32. What was given stays as it is; the new layer disposes its own weights.
 *
 * @throws ArgumentError for weights that have few bits already, and as `prepareQuantized`; MemoryError,
 * DisposedError as the layer's constructor, and nothing stays allocated then.
 */
export function quantizeLayer(
  layer: MultiHeadAttention,
  options: QuantizeLayerOptions,
): MultiHeadAttention;
/** The same of an encoder layer: its attention and its feed-forward part. */
export function quantizeLayer(
  layer: TransformerEncoderLayer,
  options: QuantizeLayerOptions,
): TransformerEncoderLayer;
/** The same of a decoder layer: both attentions and its feed-forward part. */
export function quantizeLayer(
  layer: TransformerDecoderLayer,
  options: QuantizeLayerOptions,
): TransformerDecoderLayer;
export function quantizeLayer(layer: Smaller, options: QuantizeLayerOptions): unknown {
  const name = "quantizeLayer";
  const composed = composedOf(layer);
  const given = composed?.parts(name) ?? checkHeads(name, layer);
  const { attention } = given;
  const engine = attention.running(name);
  const { numbers, block, activations } = read(name, options);
  const made: PreparedLinear[] = [];
  const dispose = () => {
    for (const weight of made) weight.dispose();
  };
  const round = (prepared: PreparedLinear, argument: string) => {
    const { weight, order, bias } = projectionOf(matrixOf(engine, name, prepared, argument));
    const options = { numbers, block, activations, order, bias };
    const rounded = prepareRounded(engine, name, weight, options);
    made.push(rounded);
    return rounded;
  };
  const four = ({ projections: { query, key, value, output } }: LayerParts, of = "") => ({
    query: round(query, `${of}query`),
    key: round(key, `${of}key`),
    value: round(value, `${of}value`),
    output: round(output, `${of}output`),
  });
  try {
    let quantized: { dispose(): void };
    if (composed && "linears" in given) {
      const weights = compositionOf(given, {
        attention: (parts, role) => four(parts, `${role}.`),
        linear: round,
      });
      quantized = composed.again(name, given.config, weights);
    } else {
      const { heads, keyValueHeads, appended } = given as LayerParts;
      const config = { heads, keyValueHeads, appended: appendedOf(appended) };
      const weights = four(given as LayerParts);
      quantized = new MultiHeadAttention(attention, config, weights, name);
    }
    const { dispose: end } = quantized;
    quantized.dispose = () => {
      end();
      dispose();
    };
    return quantized;
  } catch (error) {
    dispose();
    throw error;
  }
}
