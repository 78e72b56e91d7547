// The same weights in onnxruntime-web on one thread: its graphs quantise the inputs of products to eight bits
// too. The loop is that of moonshine-js's model.ts, with the limit that ours has.

import * as ort from "onnxruntime-web";

const [LAYERS, HEADS, HEAD_SIZE] = [6, 8, 36];
const [BEGINNING, END] = [1, 2];
const PAST = Array.from({ length: LAYERS }, (_, i) =>
  ["decoder", "encoder"].flatMap((side) => [`${i}.${side}.key`, `${i}.${side}.value`]),
).flat();

type Feeds = Record<string, ort.Tensor>;

/** Ids of at most `limit` tokens for a sound of 16 kHz. */
export type Hear = (sound: Float32Array, limit: number) => Promise<readonly number[]>;

export async function moonshine(encoderFile: Uint8Array, decoderFile: Uint8Array): Promise<Hear> {
  ort.env.wasm.numThreads = 1;
  const options = { executionProviders: ["wasm"] };
  const encoder = await ort.InferenceSession.create(encoderFile, options);
  const decoder = await ort.InferenceSession.create(decoderFile, options);
  return async (sound, limit) => {
    const input = new ort.Tensor("float32", sound, [1, sound.length]);
    const { last_hidden_state: encoded } = await encoder.run({ input_values: input });
    const none = new ort.Tensor("float32", new Float32Array(0), [0, HEADS, 1, HEAD_SIZE]);
    const past: Feeds = Object.fromEntries(PAST.map((name) => [`past_key_values.${name}`, none]));
    const ids: number[] = [];
    while (ids.length < limit) {
      const last = ids.at(-1) ?? BEGINNING;
      const results = await decoder.run({
        input_ids: new ort.Tensor("int64", [BigInt(last)], [1, 1]),
        encoder_hidden_states: encoded,
        use_cache_branch: new ort.Tensor("bool", [ids.length > 0]),
        ...past,
      });
      const id = largest(results.logits.data as Float32Array);
      if (id === END) break;
      // Of the sound they are made by the first step only.
      for (const name of PAST)
        if (ids.length === 0 || name.includes("decoder"))
          past[`past_key_values.${name}`] = results[`present.${name}`];
      ids.push(id);
    }
    return ids;
  };
}

function largest(numbers: Float32Array): number {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}
