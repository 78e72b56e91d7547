// What is said in a sound, token by token, and where in it each token looked.

import type { Attention, Tensor } from "wasm-attention";
import { greedy } from "../write/sampling";
import { Decoder } from "./decoder";
import { Encoder } from "./encoder";
import { HEADS } from "./shape";
import { RATE } from "./sound";
import type { Weights } from "./weights";

const [BEGINNING, END] = [1, 2];
/** More than anyone says in a second; Moonshine's own limit. */
const TOKENS_A_SECOND = 6.5;
/**
 * [layer, head] whose looks move along with the words: of all 48 the five whose peaks are most nearly a line over
 * the tokens, r = 0.984 to 0.992 on the recordings of speech-read.
 */
const FOLLOWING = [
  [3, 5],
  [4, 6],
  [4, 7],
  [3, 0],
  [4, 3],
] as const;

export interface Token {
  readonly id: number;
  /** Weights over the frames of the sound, the mean of the heads that follow it. */
  readonly look: Float32Array;
  /** The weights of all heads, of each layer [heads, frames]. */
  readonly looks: readonly Float32Array[];
}

export class Listener {
  readonly encoder: Encoder;
  readonly decoder: Decoder;

  constructor(
    attention: Attention<"blocks" | "cache" | "positions">,
    files: { readonly encoder: Weights; readonly decoder: Weights },
  ) {
    this.encoder = new Encoder(attention, files.encoder);
    this.decoder = new Decoder(attention, files.decoder);
  }

  /** Tokens of a sound of 16 kHz, each when it is known; none where it is shorter than a frame. */
  *hear(sound: Float32Array): Generator<Token, void> {
    const encoded = this.encoder.encode(sound);
    if (encoded) yield* this.write(encoded, limitOf(sound));
  }

  /** Tokens of what the encoder made of a sound, at most `limit`. */
  *write(encoded: Tensor, limit: number): Generator<Token, void> {
    const text = this.decoder.begin(encoded);
    try {
      let id = BEGINNING;
      for (let count = 0; count < limit; count++) {
        const { logits, looks } = text.append(id);
        id = greedy(logits);
        if (id === END) return;
        yield { id, look: following(looks), looks };
      }
    } finally {
      text.dispose();
    }
  }

  dispose(): void {
    this.encoder.dispose();
    this.decoder.dispose();
  }
}

/** The most tokens that are written of a sound. */
export const limitOf = (sound: Float32Array) => Math.ceil((sound.length / RATE) * TOKENS_A_SECOND);

function following(looks: readonly Float32Array[]): Float32Array {
  const frames = looks[0].length / HEADS;
  const mean = new Float32Array(frames);
  for (const [layer, head] of FOLLOWING)
    for (let i = 0; i < frames; i++) mean[i] += looks[layer][head * frames + i] / FOLLOWING.length;
  return mean;
}
