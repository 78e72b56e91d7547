// Moonshine tiny of examples/speech: where in a sound each word looks that is written of it.

import type { Attention } from "wasm-attention";
import type { EncoderForwardOptions } from "wasm-attention/blocks";
import type { Reading } from "../../speech/decoder";
import { Listener, limitOf } from "../../speech/listener";
import { readOnnx } from "../../speech/packages/onnx";
import * as spelling from "../../speech/packages/tokens";
import { RATE, timeOf } from "../../speech/sound";
import { Spectrograph } from "../../speech/spectrogram";
import { mapsOf, wordsOf } from "../../speech/words";
import { type Explored, type Picture, type Settings, settingOf } from "./model";

interface How {
  /** How the frames of the sound look at each other. */
  readonly frames?: EncoderForwardOptions;
  /** How the words are written. */
  readonly words?: Reading;
}

const SETTINGS: Settings<How> = {
  "as it was trained": {},
  "frames see half a second to each side": { frames: { window: { left: 20, right: 20 } } },
  "frames without places": { frames: { rotary: undefined } },
  "words with scores capped at 2": { words: { cross: { softcap: 2 } } },
  "words with scores doubled": { words: { cross: { scale: 1 / 3 } } },
  "keys and values in int8": { words: { numbers: "int8" } },
  "keys and values in int4": { words: { numbers: "int4" } },
};

/** Where what is said in the recording can be parted, in seconds. */
const PARTS = [0, 2.7, 7.8, 11];

export interface SpeechFiles {
  readonly encoder: Uint8Array;
  readonly decoder: Uint8Array;
  /** Of 16 kHz. */
  readonly recording: Float32Array;
}

export function exploreSpeech(
  attention: Attention<"blocks" | "cache" | "positions">,
  { encoder, decoder, recording }: SpeechFiles,
): Explored {
  const listener = new Listener(attention, {
    encoder: readOnnx(encoder),
    decoder: readOnnx(decoder),
  });
  const spectrograph = new Spectrograph(attention);
  const sounds = PARTS.slice(1).map((to, i) => recording.subarray(PARTS[i] * RATE, to * RATE));
  const pictures = sounds.map((sound, i): Picture => {
    const { columns, pitches, strengths } = spectrograph.of(sound);
    const pixels = Uint8Array.from({ length: columns * pitches }, (_, at) => {
      const [y, x] = [Math.floor(at / columns), at % columns];
      return 255 * strengths[x * pitches + (pitches - 1 - y)];
    });
    return { pixels, width: columns, height: pitches, name: `${PARTS[i]} to ${PARTS[i + 1]} s` };
  });
  return {
    settings: Object.keys(SETTINGS),
    beginning: "0",
    pictures,
    look(input, setting) {
      const { frames, words: how } = settingOf(SETTINGS, setting);
      const sound = sounds[Number(input)];
      const encoded = listener.encode(sound, frames);
      const tokens = encoded ? [...listener.write(encoded, limitOf(sound), how)] : [];
      const words = wordsOf(tokens, spelling);
      if (words.length === 0) throw new Error("Nothing is heard.");
      const at = PARTS[Number(input)];
      const columns = Array.from(
        words[0].look,
        (_, frame) => `${(at + timeOf(frame)).toFixed(2)} s`,
      );
      const texts = words.map(({ text }) => text);
      return {
        maps: { weights: mapsOf(words), rows: texts, columns },
        says: `“${texts.join(" ")}”`,
      };
    },
  };
}
