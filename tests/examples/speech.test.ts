// The speech example on its real weights: its types, what it hears in the recording, and the same in files of
// other rates and widths.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { areInstalled, files } from "../../examples/speech/packages/files";
import { root } from "../../scripts/pack.mjs";
import { output } from "./example";

const options = {
  skip: areInstalled() ? false : "no weights: npm run demo:speech installs them",
};
const SAID =
  /^And so,? my fellow Americans,? ask not what your country can do for you,? ask what you can do for your country\./m;
const folder = `${root}build/examples`;

const demo = (...args: string[]) =>
  output(root, process.execPath, ["--import", "tsx", "examples/speech/demo.ts", ...args], {
    NO_COLOR: "1",
  });

/** The recording's samples, 16 kHz. */
function recorded(): Float32Array {
  const bytes = readFileSync(files.recording);
  const at = bytes.indexOf("data") + 8;
  return Float32Array.from(
    { length: (bytes.length - at) >> 1 },
    (_, i) => bytes.readInt16LE(at + 2 * i) / 32768,
  );
}

/** A wav file of another rate, by straight lines between the samples, with one width of samples. */
function wav(sound: Float32Array, rate: number, channels: number, bits: 8 | 16 | 24 | 32): Buffer {
  const length = Math.floor((sound.length / 16000) * rate) - 1;
  const bytes = bits / 8;
  const data = Buffer.alloc(length * channels * bytes);
  for (let i = 0; i < length; i++) {
    const at = (i * 16000) / rate;
    const before = Math.floor(at);
    const x = sound[before] + (at - before) * ((sound[before + 1] ?? 0) - sound[before]);
    for (let channel = 0; channel < channels; channel++) {
      const to = (i * channels + channel) * bytes;
      if (bits === 32) data.writeFloatLE(x, to);
      else if (bits === 8) data.writeUInt8(Math.round(127 * x) + 128, to);
      else data.writeIntLE(Math.round(x * (2 ** (bits - 1) - 1)), to, bytes);
    }
  }
  const header = Buffer.alloc(44);
  header.write("RIFF");
  header.writeUInt32LE(36 + data.length, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(bits === 32 ? 3 : 1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * channels * bytes, 28);
  header.writeUInt16LE(channels * bytes, 32);
  header.writeUInt16LE(bits, 34);
  header.write("data", 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

test("its types", options, () => {
  output(root, `${root}node_modules/.bin/tsc`, ["-p", "examples/speech"]);
});

test("the recording: every word, where it looked, and how long it took", options, () => {
  const said = demo();
  assert.match(said, SAID);
  assert.match(said, /27,\d{3},\d{3} parameters .* 1 thread,/);
  const times = [...said.matchAll(/^ *\S+ +(\d+\.\d) s │.*█.*│$/gm)].map(([, time]) =>
    Number(time),
  );
  assert.equal(times.length, 22);
  const forward = times.filter((time, i) => i === 0 || time >= times[i - 1]);
  assert.ok(forward.length >= 21, `${times}`);
  assert.ok(times[0] < 1.2 && times[21] > 9, `${times}`);
  const factor = Number(/real-time factor (\d\.\d{3}): /.exec(said)?.[1]);
  assert.ok(factor > 0 && factor < 2, said);
  assert.match(said, /encoder \d+ ms, decoder \d+ ms/);
});

test("files of other rates, widths and channels, and more than one thread", options, () => {
  mkdirSync(folder, { recursive: true });
  const sound = recorded();
  for (const [rate, channels, bits] of [
    [48000, 2, 16],
    [22050, 1, 24],
    [44100, 1, 32],
  ] as const) {
    const file = `${folder}/speech-${rate}.wav`;
    writeFileSync(file, wav(sound, rate, channels, bits));
    assert.match(demo("--threads", "2", file), SAID, `${rate} Hz, ${bits} bits`);
  }
  const quiet = `${folder}/speech-none.wav`;
  writeFileSync(quiet, wav(sound.subarray(0, 400), 8000, 1, 8));
  assert.match(demo(quiet), /nothing was heard/);
});

test("a wav file without channels, a rate or samples ends in a line", options, () => {
  mkdirSync(folder, { recursive: true });
  const whole = wav(recorded().subarray(0, 1600), 16000, 1, 16);
  const changed = (at: number, value: number, length = whole.length) => {
    const bytes = Buffer.from(whole.subarray(0, length));
    bytes.writeUInt32LE(value, at);
    return bytes;
  };
  const faults: [string, Buffer, RegExp][] = [
    // Its kind, of 16 bits, and the channels behind it.
    ["no channel", changed(20, 1), /: it has no channel$/m],
    ["no rate", changed(24, 0), /: 0 samples a second$/m],
    ["no samples", changed(40, 0, 44), /^no sound in /m],
  ];
  for (const [name, bytes, line] of faults) {
    const file = `${folder}/speech-${name.replace(" ", "-")}.wav`;
    writeFileSync(file, bytes);
    const args = ["--import", "tsx", "examples/speech/demo.ts", file];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    assert.equal(status, 2, name);
    assert.match(stderr, line);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});
