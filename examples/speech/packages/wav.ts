// Sound from a wav file: one channel of 16 kHz.

import * as samplerate from "@alexanderolsen/libsamplerate-js";
import * as wavefile from "wavefile";
import { RATE } from "../sound";

// Node gives a CommonJS module's whole exports as its default.
const { create, ConverterType } = exportsOf(samplerate);
const { WaveFile } = exportsOf(wavefile);

/** Samples a second that can be made 16,000. */
const [SLOWEST, FASTEST] = [1000, 1_000_000];

/** Channels are averaged, other rates resampled. @throws Error in one line where it is no wav file. */
export async function readWav(bytes: Uint8Array): Promise<Float32Array> {
  const { channels, rate } = unpacked(bytes);
  const mono = Float32Array.from(
    channels[0],
    (_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length,
  );
  if (rate === RATE) return mono;
  const converterType = ConverterType.SRC_SINC_MEDIUM_QUALITY;
  const converter = await create(1, rate, RATE, { converterType });
  try {
    return converter.simple(mono);
  } finally {
    converter.destroy();
  }
}

function unpacked(bytes: Uint8Array) {
  try {
    const wave = new WaveFile(bytes);
    if (wave.bitDepth === "4") wave.fromIMAADPCM();
    if (wave.bitDepth === "8a") wave.fromALaw();
    if (wave.bitDepth === "8m") wave.fromMuLaw();
    const { sampleRate, numChannels } = wave.fmt as { sampleRate: number; numChannels: number };
    if (numChannels < 1) throw new Error("it has no channel");
    if (sampleRate < SLOWEST || sampleRate > FASTEST) {
      throw new Error(`${sampleRate} samples a second`);
    }
    const [scale, zero] = rangeOf(wave.bitDepth);
    const samples = wave.getSamples(true, Float64Array);
    const channels = Array.from({ length: numChannels }, (_, channel) =>
      Float64Array.from(
        { length: Math.floor(samples.length / numChannels) },
        (_, i) => (samples[i * numChannels + channel] - zero) / scale,
      ),
    );
    return { channels, rate: sampleRate };
  } catch (error) {
    throw new Error(`no wav file that can be read: ${(error as Error).message}`);
  }
}

/** What the loudest sample is, and which is silence. */
function rangeOf(depth: string): readonly [number, number] {
  if (depth === "32f" || depth === "64") return [1, 0];
  const bits = Number(depth);
  return [2 ** (bits - 1), bits <= 8 ? 2 ** (bits - 1) : 0];
}

function exportsOf<Module extends object>(module: Module): Module {
  return "default" in module ? (module.default as Module) : module;
}
