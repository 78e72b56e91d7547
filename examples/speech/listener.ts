// What is said in a sound, token by token, and where in it each token looked.

import type { Attention, Tensor } from "wasm-attention";
import type { EncoderForwardOptions } from "wasm-attention/blocks";
import { greedy } from "../write/sampling";
import { Decoder, type Reading } from "./decoder";
import { Encoder } from "./encoder";
import { FOLLOWING, HEADS } from "./shape";
import { EDGE, FIELD, padded, RATE } from "./sound";
import type { Weights } from "./weights";

const [BEGINNING, END] = [1, 2];
/** More than anyone says in a second; Moonshine's own limit. */
const TOKENS_A_SECOND = 6.5;
export interface Token {
  readonly id: number;
  /** Weights over the frames of the sound, the mean of the heads that follow it; the rest is on its edges. */
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
    const encoded = this.encode(sound);
    if (encoded) yield* this.write(encoded, limitOf(sound));
  }

  /** What the encoder makes of a sound; undefined where it is shorter than a frame. */
  encode(sound: Float32Array, how?: EncoderForwardOptions): Tensor | undefined {
    return sound.length < FIELD ? undefined : this.encoder.encode(padded(sound), how);
  }

  /** Tokens of what was encoded, at most `limit`. */
  *write(encoded: Tensor, limit: number, how?: Reading): Generator<Token, void> {
    const text = this.decoder.begin(encoded, how);
    try {
      let id = BEGINNING;
      for (let count = 0; count < limit; count++) {
        const { logits, looks } = text.append(id);
        id = greedy(logits);
        if (id === END) return;
        const inside = looks.map(withoutEdges);
        yield { id, look: following(inside), looks: inside };
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

/** [heads, frames] without the frames that are silence around the sound. */
function withoutEdges(look: Float32Array): Float32Array {
  const all = look.length / HEADS;
  const frames = all - 2 * EDGE;
  const inside = new Float32Array(HEADS * frames);
  for (let head = 0; head < HEADS; head++) {
    const from = head * all + EDGE;
    inside.set(look.subarray(from, from + frames), head * frames);
  }
  return inside;
}

function following(looks: readonly Float32Array[]): Float32Array {
  const frames = looks[0].length / HEADS;
  const mean = new Float32Array(frames);
  for (const [layer, head] of FOLLOWING)
    for (let i = 0; i < frames; i++) mean[i] += looks[layer][head * frames + i] / FOLLOWING.length;
  return mean;
}
