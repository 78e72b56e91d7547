// The translator of examples/translation: what each written piece of German looks at in the English number.

import type { AttendOptions, Attention } from "wasm-attention";
import { seeded } from "../../training/random";
import { numberPair, numbers } from "../../translation/corpus";
import { Training } from "../../translation/train";
import { type Explored, IN_INTEGERS, type Settings, settingOf } from "./model";
import { learn } from "./trained";

const SETTINGS: Settings<Pick<AttendOptions, "precision" | "scale" | "softcap">> = {
  "as it was trained": {},
  "scores capped at 2": { softcap: 2 },
  "scores doubled": { scale: 0.5 },
  ...IN_INTEGERS,
};

export async function exploreTranslator(
  attention: Attention<"blocks" | "cache" | "integers" | "positions" | "training">,
  parameters: Uint8Array,
): Promise<Explored> {
  const training = new Training(attention, numbers(seeded(1)), 1);
  await learn(training.translator, parameters);
  return {
    settings: Object.keys(SETTINGS),
    beginning: numberPair(4321).source,
    look(text, setting) {
      const written = training.translate([text])[0];
      const { source, target, heads } = training.align(text, written, settingOf(SETTINGS, setting));
      const dims = [target.length, source.length];
      return {
        maps: {
          weights: [{ data: join(heads), dims: [heads.length, ...dims] }],
          rows: target,
          columns: source,
        },
        says: `“${written}”`,
      };
    },
  };
}

function join(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
