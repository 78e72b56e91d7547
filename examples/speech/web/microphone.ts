// A microphone's sound as it comes, at 16 kHz.

import { RATE } from "../sound";

/** Seconds of sound after which it is said that there is more. */
const EVERY = 0.5;

export class Microphone {
  readonly #stream: MediaStream;
  readonly #context: AudioContext;
  readonly #chunks: Float32Array[] = [];

  private constructor(stream: MediaStream, context: AudioContext) {
    this.#stream = stream;
    this.#context = context;
  }

  /** `more` is told that there is more sound. @throws Error in words where there is none, or it may not be used. */
  static async open(more: () => void): Promise<Microphone> {
    if (!navigator.mediaDevices) throw new Error("This page has no microphone: it needs https.");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch((error) => {
      throw new Error(
        error.name === "NotAllowedError"
          ? "The browser did not allow the microphone."
          : `No microphone: ${error.message}`,
      );
    });
    const context = new AudioContext();
    await context.audioWorklet.addModule("recorder.js");
    const microphone = new Microphone(stream, context);
    const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    let said = 0;
    recorder.port.addEventListener("message", ({ data }: MessageEvent<Float32Array>) => {
      microphone.#chunks.push(data);
      said += data.length;
      if (said < EVERY * context.sampleRate) return;
      said = 0;
      more();
    });
    recorder.port.start();
    context.createMediaStreamSource(stream).connect(recorder);
    return microphone;
  }

  /** The sound from so many seconds after its beginning on, so far. */
  async sound(from = 0): Promise<Float32Array> {
    const { sampleRate } = this.#context;
    const first = Math.round(from * sampleRate);
    const length = this.#chunks.reduce((sum, chunk) => sum + chunk.length, -first);
    if (length <= 0) return new Float32Array(0);
    const buffer = new AudioBuffer({ length, sampleRate });
    let at = -first;
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(Math.max(0, -at)) as Float32Array<ArrayBuffer>;
      if (part.length > 0) buffer.copyToChannel(part, 0, Math.max(0, at));
      at += chunk.length;
    }
    return resampled(buffer);
  }

  close(): void {
    for (const track of this.#stream.getTracks()) track.stop();
    this.#context.close();
  }
}

/** A file of any kind that the browser plays, at 16 kHz; channels are averaged. */
export async function decoded(file: ArrayBuffer): Promise<Float32Array> {
  const context = new OfflineAudioContext(1, 1, RATE);
  const buffer = await context.decodeAudioData(file).catch(() => {
    throw new Error("This file is no sound that the browser can play.");
  });
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) =>
    buffer.getChannelData(i),
  );
  return channels[0].map(
    (_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length,
  );
}

async function resampled(buffer: AudioBuffer): Promise<Float32Array> {
  const context = new OfflineAudioContext(1, Math.ceil(buffer.duration * RATE), RATE);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}
