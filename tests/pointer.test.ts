// The summarising example's pointer: its gradients, its course, the one that comes with the example.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ArgumentError } from "wasm-attention";
import { type Lesson, train } from "../examples/summarise/course";
import { readPointer } from "../examples/summarise/files";
import { found, lessonsOfText } from "../examples/summarise/lessons";
import { Pointer } from "../examples/summarise/pointer";
import { Summariser } from "../examples/summarise/summarise";
import { seeded } from "../examples/training/random";
import { checkSlopes } from "./checks/slopes";
import { createWhole } from "./engines";
import { encoder, written } from "./summarising";

function lessons(summariser: Summariser): Lesson[] {
  return [...lessonsOfText(summariser, written(24 * 6, 9))];
}

test("the pointer's gradients are those of its loss, by finite differences", async () => {
  const attention = await createWhole({ reproducible: true });
  const summariser = new Summariser(attention, encoder);
  const [{ text, signals, targets }] = lessons(summariser);
  const pointer = new Pointer(attention, seeded(5));
  pointer.learn(signals, text, targets);
  checkSlopes(pointer, () => pointer.learn(signals, text, targets));
  pointer.dispose();
  attention.dispose();
});

test("a short course learns, and ends in the same bits for any number of threads", async () => {
  const digests = new Set<string>();
  for (const threads of [1, 2]) {
    const attention = await createWhole({ threads, reproducible: true });
    const summariser = new Summariser(attention, encoder);
    const random = seeded(2);
    const pointer = new Pointer(attention, random);
    const made = lessons(summariser);
    const losses = [
      ...train(attention, pointer, made, { steps: 30, batch: 4, rate: 1e-3 }, random),
    ];
    const { pointer: right, untrained } = found(pointer, made);
    assert.ok((losses.at(-1) as number) < losses[0] / 2, `${losses}`);
    assert.ok(right > 0.9 && right > untrained, `${right}, ${untrained}`);
    const bytes = pointer.pack();
    const hash = createHash("sha256").update(Float64Array.from(losses)).update(bytes);
    digests.add(hash.digest("hex"));

    const read = await Pointer.read(attention, bytes);
    const [{ signals, text }] = made;
    const pointed = read.point(signals, text, 24);
    assert.deepEqual(pointed, pointer.point(signals, text, 24));
    assert.deepEqual(pointed.chosen, [...text.sentences.keys()], "each once");
    assert.equal(pointed.looks.length, 24);
    for (const length of [0, 7, bytes.length - 1])
      await assert.rejects(Pointer.read(attention, bytes.subarray(0, length)), ArgumentError);
    attention.dispose();
  }
  assert.equal(digests.size, 1);
});

test("the pointer that comes with it is one, and of its size", async () => {
  const attention = await createWhole();
  const bytes = readPointer();
  assert.ok(bytes.length <= 600_000, `${bytes.length} bytes`);
  const pointer = await Pointer.read(attention, bytes);
  const summariser = new Summariser(attention, encoder);
  const text = summariser.embed(written(30));
  const { chosen } = pointer.point(summariser.look(text), text, 3);
  assert.equal(new Set(chosen).size, 3);
  attention.dispose();
});
