// The sentence encoder of examples/semantic-search: every piece sees every other, two layers of four heads.

import type { Attention } from "wasm-attention";
import { entmax15, sparsemax } from "wasm-attention/variants";
import { type Heads, SentenceEncoder, similarity } from "../../semantic-search/encoder";
import { type Explored, IN_INTEGERS, percent, type Settings, settingOf } from "./model";

const TRAINED = "as it was trained";
const SETTINGS: Settings<Heads> = {
  [TRAINED]: {},
  "a window of 2 to each side": { window: { left: 2, right: 2 } },
  "only what comes before": { causal: true },
  "scores capped at 2": { softcap: 2 },
  "entmax of 1.5 instead of softmax": { normalizer: entmax15 },
  "sparsemax instead of softmax": { normalizer: sparsemax },
  ...IN_INTEGERS,
};

export async function exploreSentences(
  attention: Attention<"integers" | "variants">,
  read: (name: string) => Promise<Uint8Array>,
): Promise<Explored> {
  const encoder = await SentenceEncoder.load(attention, read);
  return {
    settings: Object.keys(SETTINGS),
    beginning: "The ship sailed around the cape, and none of the sailors slept that night.",
    look(text, setting) {
      const { embedding, pieces, weights } = encoder.inspect(text, settingOf(SETTINGS, setting));
      const { causal, window } = SETTINGS[setting];
      const trained = encoder.inspect(text).embedding;
      const alike = percent(similarity(embedding, trained), 3);
      return {
        maps: { weights, rows: pieces, ...(causal && { causal }), ...(window && { window }) },
        says:
          setting === TRAINED
            ? `${pieces.length} pieces become one vector of ${embedding.length} numbers`
            : `The vector is ${alike} alike to the one as it was trained`,
      };
    },
  };
}
