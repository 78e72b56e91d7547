// In the audio thread: what the microphone hears, one channel of the context's rate, a tenth of a second at a
// time.

declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;

class Recorder extends AudioWorkletProcessor {
  readonly #kept = new Float32Array(Math.ceil(sampleRate / 10));
  #length = 0;

  process([channels]: readonly (readonly Float32Array[])[]): boolean {
    const [first] = channels;
    for (const sample of first ?? []) {
      this.#kept[this.#length++] = sample;
      if (this.#length < this.#kept.length) continue;
      this.port.postMessage(this.#kept);
      this.#length = 0;
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
