// The speech example on weights that are drawn, beside float64; what it does with sound and words. Its real
// weights are tried in tests/examples/speech.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Convolution } from "../examples/speech/convolution";
import { Listener, type Token } from "../examples/speech/listener";
import { picture } from "../examples/speech/picture";
import { HEADS, LAYERS, SIZE } from "../examples/speech/shape";
import { cut, EDGE, FIELD, HOP, loudness, padded, RATE, timeOf } from "../examples/speech/sound";
import { hertzOf, PITCHES, Spectrograph } from "../examples/speech/spectrogram";
import type { Stored, Weights } from "../examples/speech/weights";
import { mapsOf, wordsOf } from "../examples/speech/words";
import { engine, random, randomArray, variants } from "./engines";
import { convolution, Reference } from "./reference-moonshine";

const VOCABULARY = 40;

/** Moonshine's form, with numbers that keep their size from layer to layer. */
function drawnWeights(seed: number) {
  const next = random(seed);
  const all = new Map<string, Stored>();
  const put = (name: string, dims: readonly number[], amplitude: number, around = 0) => {
    const length = dims.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length }, () => around + amplitude * next());
    const row = length / dims[0];
    all.set(name, { dims, floats: (from = 0, to = dims[0]) => data.slice(from * row, to * row) });
  };
  const product = (name: string, inputs: number, outputs: number) =>
    put(`${name}.MatMul`, [inputs, outputs], 2 / Math.sqrt(inputs));
  const norm = (name: string) => put(`${name}.weight`, [SIZE], 0.3, 1);
  const attention = (name: string) => {
    for (const part of ["q_proj", "k_proj", "v_proj", "dense"])
      product(`${name}.${part}`, SIZE, SIZE);
  };
  put("conv1.weight", [SIZE, 1, 127], 0.2);
  put("groupnorm.Mul", [SIZE, 1], 0.5, 1);
  put("groupnorm.Add", [SIZE, 1], 0.5);
  put("conv2.weight", [2 * SIZE, SIZE, 7], 0.04);
  put("conv2.bias", [2 * SIZE], 0.5);
  put("conv3.weight", [SIZE, 2 * SIZE, 3], 0.04);
  put("conv3.bias", [SIZE], 0.5);
  norm("layer_norm");
  norm("model.decoder.norm");
  put("model.decoder.embed_tokens.weight", [VOCABULARY, SIZE], 1);
  for (let i = 0; i < LAYERS; i++) {
    attention(`layers.${i}.self_attn`);
    norm(`layers.${i}.input_layernorm`);
    norm(`layers.${i}.post_attention_layernorm`);
    product(`layers.${i}.mlp.fc1`, SIZE, 4 * SIZE);
    put(`layers.${i}.mlp.fc1.bias`, [4 * SIZE], 0.5);
    product(`layers.${i}.mlp.fc2`, 4 * SIZE, SIZE);
    put(`layers.${i}.mlp.fc2.bias`, [SIZE], 0.5);
    const name = `model.decoder.layers.${i}`;
    attention(`${name}.self_attn`);
    attention(`${name}.encoder_attn`);
    for (const part of ["input", "post_attention", "final"]) norm(`${name}.${part}_layernorm`);
    product(`${name}.mlp.up_proj`, SIZE, 8 * SIZE);
    put(`${name}.mlp.up_proj.bias`, [8 * SIZE], 0.5);
    product(`${name}.mlp.down_proj`, 4 * SIZE, SIZE);
    put(`${name}.mlp.down_proj.bias`, [SIZE], 0.5);
  }
  const weights: Weights = {
    parameters: 0,
    has: (name) => all.has(name),
    get: (name) => all.get(name) ?? assert.fail(name),
  };
  return { all, weights };
}

/** By how much of the largest element two lists differ. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let [worst, most] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
    most = Math.max(most, Math.abs(expected[i]));
    if (Number.isNaN(actual[i])) return Number.NaN;
  }
  return worst / most;
}

const drawn = drawnWeights(7);

for (const variant of variants) {
  test(`a convolution is its formula, for every stride and length, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const shapes = [
      // [out, channels, taps, stride]
      [8, 1, 127, 64],
      [5, 3, 7, 3],
      [6, 4, 3, 2],
      [3, 2, 4, 2],
      [2, 5, 1, 1],
      [4, 1, 3, 5],
      [1, 1, 13, 1],
    ];
    for (const [outputs, channels, taps, stride] of shapes) {
      const weight = randomArray(outputs * channels * taps, 3);
      for (const bias of [undefined, randomArray(outputs, 4)]) {
        const layer = new Convolution(attention, { weight, bias, channels, taps, stride });
        for (const rows of [
          taps - 1,
          taps,
          taps + stride - 1,
          taps + stride,
          taps + 3 * stride + 1,
        ]) {
          const x = attention.allocate([rows, channels]);
          x.data.set(randomArray(rows * channels, 5));
          const y = layer.forward(x);
          const dims = [outputs, channels, taps];
          const expected = convolution(x.data, { weight, dims, stride, bias });
          assert.deepEqual(y.dims, [expected.length / outputs, outputs]);
          if (expected.length > 0) {
            const error = difference(y.data, expected);
            assert.ok(error < 1e-6, `${outputs} ${channels} ${taps} ${stride}, ${rows}: ${error}`);
          }
          for (const part of [x, y]) part.dispose();
        }
        layer.dispose();
      }
    }
    assert.equal(attention.memory.used, used);
    attention.dispose();
  });

  test(`encoder and decoder are Moonshine's formulas, ${variant}`, async (t) => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const reference = new Reference(drawn.all);
    const listener = new Listener(attention, { encoder: drawn.weights, decoder: drawn.weights });
    const sound = randomArray(FIELD + 6 * HOP + 17, 11);
    const encoded = listener.encode(sound) ?? assert.fail("no frame");
    const expected = reference.encode(padded(sound));
    const frames = 7 + 2 * EDGE;
    assert.deepEqual(encoded.dims, [1, frames, SIZE]);
    const error = difference(encoded.data, expected);
    t.diagnostic(`encoder: ${error.toExponential(1)} of the largest`);
    assert.ok(error < 1e-5, `encoder: ${error}`);

    const ids = [1, 17, 3, 3, 39, 0, 8];
    const text = listener.decoder.begin(encoded);
    const steps = ids.map((id) => text.append(id));
    const logits = reference.decode(Float64Array.from(encoded.data), ids);
    for (const [i, { logits: row, looks }] of steps.entries()) {
      const wanted = logits.subarray(i * VOCABULARY, (i + 1) * VOCABULARY);
      const error = difference(row, wanted);
      assert.ok(error < 1e-5, `token ${i}: ${error}`);
      assert.equal(looks.length, LAYERS);
      for (const look of looks) {
        assert.equal(look.length, HEADS * frames);
        const sum = look.reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - HEADS) < 1e-5, `${sum}`);
      }
    }
    text.dispose();

    // Each token has the largest logit after those before it; what ends a text is none of them.
    const tokens = [...listener.write(encoded, 6)];
    const heard = tokens.map(({ id }) => id);
    const all = reference.decode(Float64Array.from(encoded.data), [1, ...heard]);
    const largest = Array.from({ length: heard.length + 1 }, (_, i) => {
      const row = all.subarray(i * VOCABULARY, (i + 1) * VOCABULARY);
      return row.indexOf(Math.max(...row));
    });
    assert.deepEqual(heard, largest.slice(0, heard.length));
    assert.ok(heard.length === 6 || largest[heard.length] === 2, `${heard}`);
    // What it looked at is told of the sound's own frames, of every head and of those that follow.
    const [{ look, looks }] = tokens;
    assert.deepEqual([look.length, looks.length, looks[0].length], [7, LAYERS, 7 * HEADS]);
    const [whole] = steps;
    for (let head = 0; head < HEADS; head++) {
      const all = whole.looks[3].subarray(head * frames + EDGE, (head + 1) * frames - EDGE);
      assert.deepEqual(looks[3].slice(head * 7, (head + 1) * 7), all.slice());
    }
    // A text that is left before its end gives its memory back too.
    for (const _ of listener.write(encoded, 6)) break;
    listener.dispose();
    assert.equal(attention.memory.used, used);
    attention.dispose();
  });

  test(`a sound shorter than a frame has no words, ${variant}`, async () => {
    const attention = await engine(variant);
    const listener = new Listener(attention, { encoder: drawn.weights, decoder: drawn.weights });
    for (const length of [0, 1, 126, 127, FIELD - 1]) {
      assert.equal(listener.encoder.encode(new Float32Array(length)), undefined, `${length}`);
      assert.equal(listener.encode(new Float32Array(length)), undefined, `${length}`);
      assert.deepEqual([...listener.hear(new Float32Array(length))], []);
    }
    assert.deepEqual(listener.encoder.encode(randomArray(FIELD, 2))?.dims, [1, 1, SIZE]);
    attention.dispose();
  });

  test(`a spectrogram has its strongest pitch where the tone is, ${variant}`, async () => {
    const attention = await engine(variant);
    const spectrograph = new Spectrograph(attention);
    for (const hertz of [100, 440, 1000, 5000]) {
      const tone = Float32Array.from({ length: RATE / 4 }, (_, i) =>
        Math.sin((2 * Math.PI * hertz * i) / RATE),
      );
      const { columns, pitches, strengths } = spectrograph.of(tone);
      assert.deepEqual([columns, pitches], [Math.floor((RATE / 4 - 512) / 160) + 1, PITCHES]);
      const middle = strengths.subarray(10 * PITCHES, 11 * PITCHES);
      const loudest = middle.indexOf(Math.max(...middle));
      const nearest = Array.from({ length: PITCHES }, (_, pitch) =>
        Math.abs(hertzOf(pitch) - hertz),
      );
      assert.equal(loudest, nearest.indexOf(Math.min(...nearest)), `${hertz} Hz`);
    }
    assert.equal(spectrograph.of(new Float32Array(3)).columns, 1);
    attention.dispose();
  });
}

test("long sound is cut where it is quiet, into all of it", () => {
  const seconds = 73;
  const quiet = [14.2, 31, 48.5, 60];
  const sound = randomArray(seconds * RATE, 6).map((x, i) =>
    quiet.some((at) => Math.abs(i / RATE - at) < 0.15) ? x / 1000 : x,
  );
  const pieces = cut(sound);
  assert.equal(
    pieces.reduce((sum, { samples }) => sum + samples.length, 0),
    sound.length,
  );
  let next = 0;
  for (const [i, { at, samples }] of pieces.entries()) {
    assert.equal(at, next);
    assert.ok(samples.length <= 20 * RATE);
    next = at + samples.length / RATE;
    if (i === pieces.length - 1) break;
    assert.ok(
      quiet.some((time) => Math.abs(time - next) < 0.15),
      `cut at ${next}`,
    );
  }
  // More sound changes nothing of the pieces before the last.
  const shorter = cut(sound.subarray(0, 50 * RATE));
  assert.deepEqual(
    shorter.slice(0, -1).map(({ at }) => at),
    pieces.slice(0, shorter.length - 1).map(({ at }) => at),
  );
  assert.deepEqual(cut(new Float32Array(0)), []);
  assert.equal(cut(sound.subarray(0, 20 * RATE)).length, 1);
});

test("tokens become words, each at the frame that it looked at", () => {
  const pieces = ["▁he", "llo", "▁", "▁wor", "ld", "."];
  const frames = 30;
  const tokens = pieces.map((_, id): Token => {
    const look = new Float32Array(frames).fill(0.2 / frames);
    look[4 * id + 3] += 0.8 - id / 100;
    const all = new Float32Array(HEADS * frames);
    for (let head = 0; head < HEADS; head++) all.set(look, head * frames);
    return { id, look, looks: Array.from({ length: LAYERS }, () => all) };
  });
  const spelling = {
    pieceOf: (id: number) => pieces[id],
    textOf: (ids: readonly number[]) =>
      ids
        .map((id) => pieces[id])
        .join("")
        .replaceAll("▁", " ")
        .trim(),
  };
  const words = wordsOf(tokens, spelling);
  assert.deepEqual(
    words.map(({ text }) => text),
    ["hello", "world."],
  );
  // Of a word's tokens that which looked hardest; frames are 24 ms apart, and see 56.
  assert.deepEqual(
    words.map(({ time }) => time),
    [timeOf(3), timeOf(15)],
  );
  assert.ok(Math.abs(timeOf(0) - 0.028) < 1e-3 && Math.abs(timeOf(100) - timeOf(0) - 2.4) < 1e-9);
  const maps = mapsOf(words);
  assert.equal(maps.length, LAYERS);
  assert.deepEqual(maps[0].dims, [HEADS, 2, frames]);
  assert.deepEqual(maps[5].data.subarray(frames, 2 * frames), words[1].look);
  assert.deepEqual(wordsOf([], spelling), []);

  const lines = picture(words, loudness(randomArray(1000, 3), 15), 20);
  assert.deepEqual(
    lines.map((line) => line.length),
    [33, 33, 33],
  );
  assert.match(lines[1], /^ hello {3}20\.\d s │/);
  assert.match(lines[2], /█/);
});
