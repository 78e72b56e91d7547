// How strong each pitch is at each time: the sound's products with windowed cosines and sines, which is a
// convolution like those of the encoder, without learnt weights.

import type { Attention } from "wasm-attention";
import { Convolution } from "./convolution";
import { RATE } from "./sound";

/** 32 ms, every 10 ms. */
const TAPS = 512;
const STRIDE = 160;
/** From 60 Hz to 7.6 kHz, each as far from the next on the scale by which people hear (O'Shaughnessy 1987). */
export const PITCHES = 80;
const [LOWEST, HIGHEST] = [60, 7600];
/** What is 70 dB weaker than the strongest is not seen. */
const RANGE = 7;

export interface Spectrum {
  readonly columns: number;
  readonly pitches: number;
  /** 0 to 1, [columns, pitches], low pitches first. */
  readonly strengths: Float32Array<ArrayBuffer>;
}

export class Spectrograph {
  readonly #attention: Attention<"blocks">;
  readonly #waves: Convolution;

  constructor(attention: Attention<"blocks">) {
    const weight = new Float32Array(2 * PITCHES * TAPS);
    for (let pitch = 0; pitch < PITCHES; pitch++) {
      const turn = (2 * Math.PI * hertzOf(pitch)) / RATE;
      for (let tap = 0; tap < TAPS; tap++) {
        const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * (tap + 0.5)) / TAPS);
        weight[2 * pitch * TAPS + tap] = window * Math.cos(turn * tap);
        weight[(2 * pitch + 1) * TAPS + tap] = window * Math.sin(turn * tap);
      }
    }
    this.#attention = attention;
    this.#waves = new Convolution(attention, { weight, channels: 1, taps: TAPS, stride: STRIDE });
  }

  of(sound: Float32Array): Spectrum {
    const padded = new Float32Array(Math.max(sound.length, TAPS));
    padded.set(sound);
    using samples = this.#attention.allocate([padded.length, 1]);
    samples.data.set(padded);
    using waves = this.#waves.forward(samples);
    const { data } = waves;
    const strengths = Float32Array.from({ length: data.length / 2 }, (_, i) =>
      Math.log10(data[2 * i] ** 2 + data[2 * i + 1] ** 2 + 1e-9),
    );
    const most = strengths.reduce((a, b) => Math.max(a, b));
    strengths.forEach((strength, i) => {
      strengths[i] = Math.max(0, 1 - (most - strength) / RANGE);
    });
    return { columns: waves.dims[0], pitches: PITCHES, strengths };
  }

  dispose(): void {
    this.#waves.dispose();
  }
}

export function hertzOf(pitch: number): number {
  const mel = (hertz: number) => Math.log1p(hertz / 700);
  const step = (mel(HIGHEST) - mel(LOWEST)) / (PITCHES - 1);
  return 700 * Math.expm1(mel(LOWEST) + pitch * step);
}
