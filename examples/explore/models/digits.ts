// The vision transformer of examples/digits: a class token and sixteen patches, two blocks of four heads.

import { type Attention, tensor } from "wasm-attention";
import { softmax } from "wasm-attention/blocks";
import { DigitTransformer, type Wanted } from "../../digits/model";
import { type Digits, imageOf, PATCH_SIDE, patchesOf, SIDE } from "../../digits/patches";
import { seeded } from "../../training/random";
import { type Explored, IN_INTEGERS, percent, type Settings, settingOf } from "./model";
import { learn, readImages } from "./trained";

const ACROSS = SIDE / PATCH_SIDE;
const SETTINGS: Settings<Wanted> = {
  "as it was trained": {},
  "scores capped at 1": { softcap: 1 },
  "a window of 4 patches to each side": { window: { left: 4, right: 4 } },
  "every head looks everywhere alike": { scale: 0 },
  ...IN_INTEGERS,
};

export async function exploreDigits(
  attention: Attention<"blocks" | "integers" | "training">,
  parameters: Uint8Array,
  images: Uint8Array,
): Promise<Explored> {
  const model = new DigitTransformer(attention, seeded(1));
  await learn(model, parameters);
  const digits: Digits = readImages(images);
  const patch = (at: number) => `${Math.floor(at / ACROSS) + 1}, ${(at % ACROSS) + 1}`;
  const rows = ["class", ...Array.from({ length: ACROSS ** 2 }, (_, at) => patch(at))];
  return {
    settings: Object.keys(SETTINGS),
    beginning: "0",
    pictures: Array.from({ length: digits.count }, (_, at) => ({
      pixels: imageOf(digits, at),
      ...{ width: SIDE, height: SIDE, name: `image ${at + 1}` },
    })),
    across: ACROSS,
    look(input, setting) {
      const how = settingOf(SETTINGS, setting);
      const seen = model.forward(patchesOf(digits, [Number(input)]), { ...how, weights: "all" });
      const { data } = softmax(attention, seen.logits);
      const best = data.indexOf(Math.max(...data));
      const weights = (seen.all ?? []).map(({ data, dims }) => tensor(data, dims));
      return {
        maps: { weights, rows, columns: rows, ...(how.window && { window: how.window }) },
        says: `A ${best} (${percent(data[best])})`,
      };
    },
  };
}
