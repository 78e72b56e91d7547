// Back through a query over shards: each is asked for the gradients of its spans from the merged result; those
// of the query are added up in key order.

import { kindOf, lengthOf } from "../arrays";
import { type Attention, checkAttention } from "../attend/attention";
import type { AttendState } from "../attend/options";
import { reader } from "../check/names";
import { checkLayout, type View, viewOf } from "../check/shapes";
import { checkBoolean } from "../check/values";
import { ArgumentError, AttentionError, describe } from "../errors";
import { checkSignal } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { callBackward } from "../training/attend";
import { askShard, type Question, together, WrongAnswer } from "./ask";
import { callOf, shapesFor } from "./call";
import { byHeads, placeRows } from "./heads";
import { type MissingShard, readSharded, type ShardedOptions, shardedFields } from "./options";
import { arithmeticOf, type Place, placedOf, seenOf } from "./place";
import { type Plan, planOf, queryLengthsOf } from "./plan";
import type { ShardGradients, ShardPass, TrainingShard } from "./training";

/** What `attendSharded` was given and gave, and the gradient of its output. */
export interface ShardedPass extends AttendState {
  /** As `attendSharded` was given it. */
  readonly query: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** May stand as it came, with nothing in it. */
  readonly missing?: readonly MissingShard[] | undefined;
}

/** Options of `attendShardedBackward`: those of the `attendSharded` it goes back through. */
export interface ShardedBackwardOptions extends Omit<ShardedOptions, "out" | "allowMissing"> {
  /** Whether the gradient of the sinks is wanted. */
  gradients?:
    | {
        /** Of the sinks, [H]. */
        readonly sinks?: boolean | undefined;
      }
    | undefined;
}

/** What `attendShardedBackward` returns. */
export interface ShardedGradients {
  /** In the dims of the query. */
  readonly queryGradient: Tensor;
  /** [H], where it was asked for. */
  readonly sinksGradient?: Tensor;
  /** Of each shard's keys and values, in their dims; nothing of one of which no row sees a key. */
  readonly shards: readonly {
    /** In the dims of its keys. */
    readonly keyGradient?: Tensor | undefined;
    /** In the dims of its values. */
    readonly valueGradient?: Tensor | undefined;
  }[];
}

/**
 * Gradients of `attendSharded`'s inputs. Each shard is sent the query, the merged output and logSumExp and
 * the gradient of the output, and makes its weights anew; the gradients of keys and values are those of
 * `attendBackward`, bit for bit. Those of the query are a sum over spans of 4096 keys in key order, whose
 * bits are the same for any number of shards, and those of `attendBackward` where there is one span.
 *
 * @throws ArgumentError as `attendSharded`, and for shards that cannot be gone back through; ShardError for
 * one that fails; `signal.reason`; MemoryError, DisposedError; all by rejecting.
 */
export async function attendShardedBackward(
  attention: Attention<"training">,
  pass: ShardedPass,
  shards: readonly TrainingShard[],
  options: ShardedBackwardOptions = {},
): Promise<ShardedGradients> {
  const name = "attendShardedBackward";
  const engine = checkAttention(name, attention);
  const { gradients, ...forward } = readOptions(name, options);
  const read = readSharded(name, forward);
  for (const argument of ["out", "allowMissing"] as const) {
    if (!read[argument]) continue;
    const expected = "no value: gradients are new tensors, of all shards";
    throw new ArgumentError(name, argument, expected, describe(read[argument]));
  }
  checkSignal(name, read.signal);
  checkBoolean(name, "allowMixed", read.allowMixed);
  const placed = placedOf(name, shards);
  for (const { shard, index } of placed.each) {
    if (typeof (shard as TrainingShard).attendBackward === "function") continue;
    throw new ArgumentError(name, `shards[${index}]`, "one with attendBackward", describe(shard));
  }
  arithmeticOf(name, placed, engine.fused, read.allowMixed);
  const given = readPass(name, pass, "pass");
  const query = checkTensor(name, "query", given.query);
  const plan = planOf(name, query, placed.sizes, read);
  const sinks = wantedOf(name, plan, gradients);
  const layout = checkLayout(name, read.layout);
  const view = (dims: readonly number[]) => viewOf(name, "query", layout, dims, read.heads ?? 1);
  const sent = sentOf(plan, given, view(plan.shapes.outputDims));
  const asked = seenOf(plan, placed);
  const question = gradientsOf(sent);
  const answers = await together(read.signal, (signal) =>
    asked.map((place) => askShard(plan, place, question, signal)),
  );
  const shardGradients = placed.each.map((place) => {
    const { key, value } = answers[asked.indexOf(place)] ?? {};
    return { keyGradient: key, valueGradient: value };
  });
  const sums = answers.flatMap((answer) => answer.query);
  const data = new Float32Array(elementsOf(query.dims));
  placeRows(data, view(query.dims), summed(sums, data.length));
  return {
    queryGradient: { data, dims: [...query.dims] },
    ...(sinks && { sinksGradient: await sinksGradient(engine, plan, sent, read.signal) }),
    shards: shardGradients,
  };
}

const readOptions = reader<ShardedBackwardOptions & ShardedOptions>({
  ...shardedFields,
  gradients: 1,
});

const readGradients = reader<NonNullable<ShardedBackwardOptions["gradients"]>>(
  { sinks: 1 },
  "{ sinks? }",
);

const readPass = reader<ShardedPass>(
  {
    query: 1,
    output: 1,
    logSumExp: 1,
    weights: 1,
    scores: 1,
    outputGradient: 1,
    missing: 1,
  },
  "{ query, output, logSumExp, outputGradient }",
);

/** Whether the gradient of the sinks is. */
function wantedOf(
  operation: string,
  { checked }: Plan,
  gradients: ShardedBackwardOptions["gradients"],
): boolean {
  if (gradients === undefined) return false;
  const { sinks = false } = readGradients(operation, gradients, "gradients");
  checkBoolean(operation, "gradients.sinks", sinks);
  if (!sinks || checked.scoring.sinks) return sinks;
  throw new ArgumentError(operation, "gradients.sinks", "`sinks` to be given", "true without");
}

/** What each shard is sent, by heads. */
function sentOf({ operation, query, shapes }: Plan, pass: ShardedPass, output: View): ShardPass {
  const { batch, heads, queries } = shapes;
  if (pass.missing?.length) {
    const expected = "none: gradients are of all shards";
    throw new ArgumentError(operation, "missing", expected, describe(pass.missing));
  }
  const check = (argument: "output" | "logSumExp" | "outputGradient", dims: readonly number[]) => {
    const tensor = checkTensor(operation, argument, pass[argument]);
    checkDimsOf(operation, argument, tensor, dims);
    return tensor;
  };
  const logSumExp = check("logSumExp", shapes.logSumExpDims);
  return {
    query,
    output: byHeads(check("output", shapes.outputDims), output),
    logSumExp: { data: logSumExp.data, dims: [batch, heads, queries] },
    outputGradient: byHeads(check("outputGradient", shapes.outputDims), output),
  };
}

/** The gradients of a shard's spans. */
function gradientsOf(pass: ShardPass): Question<ShardGradients> {
  const length = elementsOf(pass.query.dims);
  const batch = pass.query.dims[0] as number;
  const check = (value: unknown, { shard, keys }: Place, size: number): Tensor | undefined => {
    if (value === undefined) return undefined;
    try {
      const tensor = checkTensor("attendBackward", "shards", value);
      const elements = batch * shard.keyValueHeads * keys * size;
      if (elementsOf(tensor.dims) === elements) return tensor;
    } catch (error) {
      if (!(error instanceof AttentionError)) throw error;
    }
    throw new WrongAnswer(value);
  };
  return {
    what: "the gradients",
    send: ({ shard }, options, signal) =>
      (shard as TrainingShard).attendBackward(pass, options, signal),
    check(answer, spans, place) {
      if (typeof answer !== "object" || answer === null) throw new WrongAnswer(answer);
      const { query, key, value } = answer as Partial<ShardGradients>;
      if (!Array.isArray(query) || query.length !== spans) throw new WrongAnswer(query);
      for (const sum of query as unknown[]) {
        if (kindOf(sum) !== "Float32Array" || lengthOf(sum as Float32Array) !== length)
          throw new WrongAnswer(sum);
      }
      const { headSize, valueSize } = place.shard;
      return {
        query: query as Float32Array[],
        key: check(key, place, headSize),
        value: check(value, place, valueSize),
      };
    },
  };
}

/** In the order given, rounded once. */
function summed(sums: readonly Float32Array[], length: number): Float32Array {
  const [first] = sums;
  if (first && sums.length === 1) return first;
  const total = new Float64Array(length);
  for (const sum of sums) {
    for (let i = 0; i < length; i++) total[i] = (total[i] as number) + (sum[i] as number);
  }
  return Float32Array.from(total);
}

/** −Σ e^(sink − logSumExp) · Σ dO ∘ O: no key takes part, and one that is left out stands for all. */
function sinksGradient(
  attention: Attention,
  plan: Plan,
  pass: ShardPass,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const { operation, shapes, checked } = plan;
  const { batch, keyValueHeads, headSize, valueSize } = shapes;
  const none = (size: number) => {
    const dims = [batch, keyValueHeads, 1, size];
    return { data: new Float32Array(elementsOf(dims)), dims };
  };
  const inputs = { query: pass.query, key: none(headSize), value: none(valueSize) };
  const lengths = queryLengthsOf(plan);
  const call = callOf(operation, inputs, shapesFor(operation, pass.query, { ...shapes, keys: 1 }), {
    spans: { from: 0, to: 1 },
    scale: checked.scoring.scale,
    causal: false,
    queryOffset: lengths.map(() => 0),
    queryLengths: lengths,
    keyLengths: lengths.map(() => 1),
    sinks: Array.from(checked.scoring.sinks as Float32Array),
    masks: [{ data: new Uint8Array(1), dims: [1] }],
  });
  const wanted = { gradients: { sinks: true } };
  return attention
    .runAsync(operation, () => ({
      signal,
      steps: (engine) => callBackward(engine, call, pass, wanted),
    }))
    .then(({ sinksGradient }) => sinksGradient as Tensor);
}
