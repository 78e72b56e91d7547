// A shard that can be gone back through: the gradients of its keys and values stay with it, those of the
// query are added up by whoever asks.

import { SPAN_KEYS } from "../../assembly/kinds";
import { type Attention, checkAttention } from "../attend/attention";
import { reader } from "../check/names";
import { throwIfAborted } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { callBackward } from "../training/attend";
import { callOf, keysOf, readShardOptions, shapesFor } from "./call";
import { placeRows, rowsOf } from "./heads";
import { type HeldTensors, type ShardTensors, shardOf, tensorsOf } from "./local";
import type { Shard, ShardOptions } from "./shard";
import { withinSpan } from "./within";

/** What a shard is asked to go back through: of the merged result, not of its own. */
export interface ShardPass {
  /** [B, H, L, D] */
  readonly query: Tensor;
  /** [B, H, L, Dv] */
  readonly output: Tensor;
  /** [B, H, L] */
  readonly logSumExp: Tensor;
  /** [B, H, L, Dv] */
  readonly outputGradient: Tensor;
}

/** What a shard answers. */
export interface ShardGradients {
  /** [B, H, L, D] of each span that was asked for, in order. */
  readonly query: readonly Float32Array[];
  /** In the dims of its keys, 0 where they were not asked for; left out where it stays where they are. */
  readonly key?: Tensor | undefined;
  /** In the dims of its values. */
  readonly value?: Tensor | undefined;
}

/** A shard that can be gone back through. */
export interface TrainingShard extends Shard {
  /** The gradients of its spans that are asked for. */
  attendBackward(
    pass: ShardPass,
    options: ShardOptions,
    signal?: AbortSignal,
  ): Promise<ShardGradients> | ShardGradients;
}

/**
 * A `localShard` of tensors that `attendShardedBackward` takes: the gradients of its keys and values are
 * made a span at a time.
 *
 * @throws As `localShard`.
 */
export function trainingShard(attention: Attention<"training">, from: ShardTensors): TrainingShard {
  const name = "trainingShard";
  const engine = checkAttention(name, attention);
  const held = tensorsOf(name, readTensors(name, from, "from"));
  return {
    ...shardOf(engine, held),
    attendBackward(pass, options, signal) {
      const read = readShardOptions("attendBackward", options);
      return spansBackward(engine, held, pass, { read, signal });
    },
  };
}

const readTensors = reader<ShardTensors>({ key: 1, value: 1, layout: 1, keyValueHeads: 1 });

const readPass = reader<ShardPass>(
  { query: 1, output: 1, logSumExp: 1, outputGradient: 1 },
  "{ query, output, logSumExp, outputGradient }",
);

interface Asked {
  readonly read: ShardOptions;
  readonly signal: AbortSignal | undefined;
}

/** One span after the other, each of which is a call of its own with the logSumExp of all. */
async function spansBackward(
  attention: Attention,
  { key, value, keys, values }: HeldTensors,
  pass: ShardPass,
  { read, signal }: Asked,
): Promise<ShardGradients> {
  const operation = "attendBackward";
  const given = readPass(operation, pass, "pass");
  const query = checkTensor(operation, "query", given.query);
  const { from, to } = keysOf(operation, keys.rows, read);
  const sums: Float32Array[] = [];
  const keyGradient = new Float32Array(elementsOf(key.dims));
  const valueGradient = new Float32Array(elementsOf(value.dims));
  for (let first = from; first < to; first += SPAN_KEYS) {
    throwIfAborted(signal);
    const count = Math.min(SPAN_KEYS, to - first);
    const inside = withinSpan(read, first - from, count);
    const gradients = await attention.runAsync(operation, () => {
      const inputs = {
        query,
        key: rowsOf(key.data, keys, first, count),
        value: rowsOf(value.data, values, first, count),
      };
      const { batch, heads: keyValueHeads, size: headSize } = keys;
      const sizes = { batch, keyValueHeads, keys: count, headSize, valueSize: values.size };
      const call = callOf(operation, inputs, shapesFor(operation, query, sizes), inside);
      const { outputGradient } = given;
      return {
        signal,
        steps: (engine) => callBackward(engine, call, outputGradient, given, {}),
      };
    });
    sums.push(gradients.queryGradient.data);
    placeRows(keyGradient, keys, gradients.keyGradient.data, first);
    placeRows(valueGradient, values, gradients.valueGradient.data, first);
  }
  return {
    query: sums,
    key: { data: keyGradient, dims: key.dims },
    value: { data: valueGradient, dims: value.dims },
  };
}
