// quantizeLayer: a layer whose projections have few bits.

import { reader } from "../check/names";
import { checkLayer, MultiHeadAttention } from "../layer/multihead";
import { PROJECTIONS } from "../layer/options";
import type { LayerWeights } from "../layer/projections";
import type { PreparedLinear } from "../linear/prepared";
import { type PrepareQuantizedOptions, prepareRounded } from "../quantized/prepare";
import { appendedOf } from "./appended";
import { matrixOf, projectionOf } from "./matrix";

/** Options of `quantizeLayer`, each as `prepareQuantized` has it, for all projections alike. */
export type QuantizeLayerOptions = Pick<
  PrepareQuantizedOptions,
  "numbers" | "block" | "activations"
>;

const read = reader<QuantizeLayerOptions>({ numbers: 1, block: 1, activations: 1 });

/**
 * The same layer with projections rounded to int8 or int4: a quarter or about an eighth of the bytes. What
 * was given stays as it is; the new layer disposes its own weights.
 *
 * @throws ArgumentError for projections that have few bits already, and as `prepareQuantized`; MemoryError,
 * DisposedError as the layer's constructor, and nothing stays allocated then.
 */
export function quantizeLayer(
  layer: MultiHeadAttention,
  options: QuantizeLayerOptions,
): MultiHeadAttention {
  const name = "quantizeLayer";
  const { attention, heads, keyValueHeads, projections, appended } = checkLayer(name, layer);
  const engine = attention.running(name);
  const { numbers, block, activations } = read(name, options);
  const made: PreparedLinear[] = [];
  const dispose = () => {
    for (const weight of made) weight.dispose();
  };
  try {
    const entries = PROJECTIONS.map((projection) => {
      const matrix = matrixOf(engine, name, projections[projection], projection);
      const { weight, order, bias } = projectionOf(matrix);
      const given = { numbers, block, activations, order, bias };
      const prepared = prepareRounded(engine, name, weight, given);
      made.push(prepared);
      return [projection, prepared] as const;
    });
    const weights = Object.fromEntries(entries) as Record<keyof LayerWeights, PreparedLinear>;
    const config = { heads, keyValueHeads, appended: appendedOf(appended) };
    const quantized = new MultiHeadAttention(attention, config, weights, name);
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
